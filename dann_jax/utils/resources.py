"""Memory and cores that this process may use."""

import os
import pathlib
from collections.abc import Iterator

_CGROUPS = ("sys/fs/cgroup", "sys/fs/cgroup/memory")
"""Where a container finds its own group: of version 2, and of version 1."""


def available_memory(root: str = "/") -> int:
    """Bytes: what the machine has free, or less where a limit leaves less.

    Limits are those of a container or batch system (cgroups) and of `ulimit -v`.

    Args:
      root: of the file system that tells, on Linux.
    """
    return max(min(_left(pathlib.Path(root))), 0)


def size(count: float) -> str:
    """A number of bytes as people write it.

    Example:
      >>> size(400_000), size(12e9), size(512)
      ('0.4 MB', '12 GB', '512 bytes')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit / 10:
            number = count / unit
            return f"{number:,.0f} {name}" if number >= 10 else f"{number:.1f} {name}"
    return f"{count / 1e3:.1f} kB" if count >= 1e3 else f"{count:.0f} bytes"


def _left(root: pathlib.Path) -> Iterator[int]:
    """What each of the limits leaves."""
    available = _fields(root / "proc/meminfo").get("MemAvailable")
    if available is None:
        # macOS counts neither what is free nor what could be: half of all is a guess.
        pages, each = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        yield pages * each // 2
    else:
        yield available * 1024
    for folder in _CGROUPS:
        for most, now in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit, used = _number(root / folder / most), _number(root / folder / now)
            if limit is not None and used is not None:
                # What is only a copy of files can be taken back.
                stat = _fields(root / folder / "memory.stat")
                yield limit - used + stat.get("inactive_file", 0)
    if hasattr(os, "sysconf") and (root / "proc/self/status").exists():
        yield from _address_space(root)


def _address_space(root: pathlib.Path) -> Iterator[int]:
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        used = _fields(root / "proc/self/status").get("VmSize", 0)
        yield limit - used * 1024


def _fields(path: pathlib.Path) -> dict[str, int]:
    """The numbers of a file of names and numbers; none where there is no such file."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {
        name.rstrip(":"): int(rest[0])
        for name, *rest in filter(None, lines)
        if rest and rest[0].isdigit()
    }


def _number(path: pathlib.Path) -> int | None:
    """The number in a file; None where there is no such file, or no limit in it."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def usable_cores() -> int:
    """Cores that the system lets this process run on, at least 1.

    A machine may have more: `taskset`, Slurm and containers leave a process only some.

    Example:
      >>> 1 <= usable_cores() <= (os.cpu_count() or 1)
      True
    """
    # Where there is no affinity (macOS), every core may be used.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
