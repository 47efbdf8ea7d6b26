"""One process at a time, on one machine or on several that share a disk."""

import contextlib
import errno
import fcntl
import logging
import os
from collections.abc import Iterator

from etils import epath

_log = logging.getLogger(__name__)

# Of a file system that has no locks. One does without there.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class Busy(OSError):
    """Another process holds the lock."""


@contextlib.contextmanager
def locked(
    path: epath.PathLike, *, wait: bool = False, shared: bool = False
) -> Iterator[None]:
    """Hold a lock while the block runs; the system frees it when the process dies.

    Args:
      path: of the lock, a local file that is there while the lock is held. One that a
        killed process left is no hindrance.
      wait: for another process that holds it, instead of raising an error.
      shared: with all others that share it, so that only those who do not are held off.

    Raises:
      Busy: another process, or another block of this one, holds it.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    file = _hold(os.fspath(path), fcntl.LOCK_SH if shared else fcntl.LOCK_EX, wait)
    try:
        yield
    finally:
        # Others may share it.
        with contextlib.suppress(Busy, FileNotFoundError):
            if shared:
                _lock(file, os.fspath(path), fcntl.LOCK_EX, wait=False)
            # While it is held alone, so that nobody can hold a file that is gone.
            if _is_at(file, os.fspath(path)):
                os.unlink(path)
        os.close(file)


def _hold(path: str, kind: int, wait: bool) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(file, path, kind, wait)
            if _is_at(file, path):
                return file
        except BaseException:
            os.close(file)
            raise
        # The one that held it has removed the file meanwhile.
        os.close(file)


def _lock(file: int, path: str, kind: int, wait: bool) -> None:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise Busy(f"another process holds {path}") from None
        _log.info("waiting for another process, which holds %s", path)
        fcntl.flock(file, kind)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _is_at(file: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
