"""How many cores this process may use."""

import os


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
