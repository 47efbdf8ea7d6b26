"""Identity of a recording's content, to detect that its file has changed."""

import functools
import os
from typing import NamedTuple

from dann_jax.utils.files import digest_file, on_disk


class FileIdentity(NamedTuple):
    """Size, time and digest of a file when it was read.

    Attributes:
      size: in bytes; -1 where there was no file.
      mtime: of its last change, in nanoseconds.
      digest: of its content.
    """

    size: int = -1
    mtime: int = -1
    digest: str = ""


def identify(path: str) -> FileIdentity:
    """The identity of a file now; cuts of one file are read once.

    Raises:
      OSError: it cannot be read.
    """
    status = os.stat(path)
    return _identity(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _identity(path: str, size: int, mtime: int) -> FileIdentity:
    return FileIdentity(size, mtime, digest_file(path))


def unchanged(path: str, before: FileIdentity) -> bool:
    """Whether the content of a file is unchanged.

    Equal size and time are believed; at another time, the content is compared. What
    was made without a file stays as it is.
    """
    if before == FileIdentity():
        return True
    try:
        path = on_disk(path)
        status = os.stat(path)
        if status.st_size != before.size:
            return False
        same_time = status.st_mtime_ns == before.mtime
        return same_time or identify(path).digest == before.digest
    # A name that no system takes is a ValueError.
    except (OSError, ValueError):
        return False
