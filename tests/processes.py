"""Several processes on this machine that take each other for hosts under Slurm."""

import os
import pathlib
import random
import socket
import subprocess
from collections.abc import Sequence

from forked import Forked

ROOT = pathlib.Path(__file__).parents[1]
_FIRST_PORT = 65536 - 2**12
"""JAX makes the port of a job from this and its number."""


def has_modules(python: str, *names: str) -> bool:
    """Whether a Python finds all of these; importing some takes it seconds."""
    find = "import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, "
    command = [python, "-c", f"{find} sys.argv[1:])))", *names]
    return not subprocess.run(command, capture_output=True, check=False).returncode


def job_environments(count: int = 2) -> list[dict[str, str]]:
    """What every process of a new job is told by Slurm."""
    job = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "SLURM_JOB_ID": str(_free_port() - _FIRST_PORT),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": str(count),
    }
    return [
        job | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
        for rank in range(count)
    ]


def outcomes(
    processes: Sequence[subprocess.Popen | Forked], timeout: float = 900
) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each; none is left behind."""
    try:
        said = [process.communicate(timeout=timeout) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [
        (one.returncode, *words) for one, words in zip(processes, said, strict=True)
    ]


def _free_port() -> int:
    while True:
        port = random.randrange(_FIRST_PORT, 65536)
        with socket.socket() as probe:
            if probe.connect_ex(("localhost", port)):
                return port
