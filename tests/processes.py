"""Several processes on this machine that take each other for hosts under Slurm."""

import os
import pathlib
import random
import socket
import subprocess
import sys
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).parents[1]
_FIRST_PORT = 65536 - 2**12
"""JAX makes the port of a job from this and its number."""


def start_together(
    words: Sequence[object], count: int = 2, **environment: str
) -> list[subprocess.Popen]:
    """Start Python with these words so many times, as the processes of one job."""
    job = str(_free_port() - _FIRST_PORT)
    slurm = {
        "SLURM_JOB_ID": job,
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": str(count),
    }
    return [
        subprocess.Popen(
            [sys.executable, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
                **environment,
                **slurm,
                "SLURM_PROCID": str(rank),
                "SLURM_LOCALID": str(rank),
            },
        )
        for rank in range(count)
    ]


def outcomes(
    processes: Sequence[subprocess.Popen], timeout: float = 900
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
