"""Commands of this package, started by studies."""

import pathlib
import subprocess
import sys
from collections.abc import Sequence


def run(command: str, flags: Sequence[str], log: pathlib.Path | None = None) -> None:
    """Run `dann-COMMAND` to its end.

    Args:
      command: such as `train`.
      flags: its arguments.
      log: a file for all it says, appended to; None for the terminal.

    Raises:
      ValueError: it failed.
    """
    words = [sys.executable, "-m", f"dann_jax.cli.{command}", *flags]
    if log is None:
        code = subprocess.run(words, check=False).returncode
    else:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            done = subprocess.run(words, stdout=file, stderr=file, check=False)
        code = done.returncode
    if code:
        where = f": see {log}" if log else ""
        raise ValueError(f"dann-{command} {flags[0]} failed with {code}{where}")
