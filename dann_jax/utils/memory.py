"""How much memory this process may still use."""

import pathlib
import sys

_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def available_memory() -> int:
    """Bytes that can be had without swapping; `sys.maxsize` where nothing tells.

    The smaller of what the machine has left and what its container has.

    Example:
      >>> available_memory() > 0
      True
    """
    left = [sys.maxsize]
    meminfo = _read("/proc/meminfo").split()
    if "MemAvailable:" in meminfo:
        left.append(1024 * int(meminfo[meminfo.index("MemAvailable:") + 1]))
    for limit, used in _LIMITS:
        if _read(limit).isdigit():
            left.append(max(int(_read(limit)) - int(_read(used) or 0), 1))
    return min(left)


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""
