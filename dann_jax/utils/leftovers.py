"""Remove unfinished files of killed processes: `NAME.PID.partial`."""

import contextlib
import os
import re

from etils import epath

_PARTIAL = re.compile(r".*\.(?P<pid>\d+)(\.old)?\.partial")


def remove_leftovers(folder: epath.Path, name: str = "") -> None:
    """Remove unfinished files and folders whose process has ended.

    Args:
      folder: looked through, without the folders in it.
      name: only of those that were to be called so, if it is given.
    """
    for path in list(folder.iterdir()) if folder.is_dir() else ():
        match = _PARTIAL.fullmatch(path.name)
        if not match or not path.name.startswith(f"{name}." if name else ""):
            continue
        if not _lives(int(match["pid"])):
            # Another process may be removing it as well.
            with contextlib.suppress(FileNotFoundError):
                path.rmtree() if path.is_dir() else path.unlink()


def _lives(pid: int) -> bool:
    """Whether another process of that number lives: what is this one's is left over."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
