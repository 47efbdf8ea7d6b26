"""`dann-train` killed at random moments, against a run that nobody disturbed.

    python -m benchmarks.kills --kills=40 --folder=/tmp/kills

Each run is killed up to four times, by SIGKILL, SIGTERM or SIGINT, and then left alone.
Its results must be those of the undisturbed run but for the timing, and nothing half
written may be left.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from absl import app, flags

_KILLS = flags.DEFINE_integer("kills", 40, "How many, over all runs.")
_FOLDER = flags.DEFINE_string("folder", None, "For the runs.", required=True)
_EACH = 4
_COMMAND = "from dann_jax.cli.start import train; train()"
"""As the console script has it."""
_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_CONFIG = (
    "--config=synthetic",
    "--config.timetable.epochs=4",
    "--config.timetable.checkpoint_every=1",
    "--config.encoder.context=False",
    "--config.encoder.width=8",
    "--config.batches.num_buckets=1",
    "--config.seeds=1",
    "--config.analysis.rows=100",
)


def start(workdir: pathlib.Path) -> subprocess.Popen:
    """`dann-train`, away from the terminal."""
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND, f"--workdir={workdir}", *_CONFIG],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # What a script starts in the background ignores Ctrl-C, and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def finish(workdir: pathlib.Path) -> dict:
    """The results of a run that is left alone, without its timing."""
    process = start(workdir)
    said = process.communicate()[1]
    if process.returncode:
        raise RuntimeError(f"{workdir}: {said}")
    results = json.loads((workdir / "results.json").read_text())
    del results["timing"]
    return results


def kill(workdir: pathlib.Path, seconds: float, number: signal.Signals) -> str:
    """Kill a run after so many seconds; what is wrong with how it ended, or nothing."""
    process = start(workdir)
    time.sleep(seconds)
    process.send_signal(number)
    said = process.communicate()[1].strip().splitlines()
    last = said[-1] if said else ""
    print(f"{workdir.name}: {number.name} at {seconds:.1f} s: {last}", flush=True)
    if number == signal.SIGKILL or process.returncode == 0:
        return ""
    right = process.returncode == 128 + number and number.name in last
    return "" if right else f"{number.name}, exit code {process.returncode}: {last}"


def leftovers(workdir: pathlib.Path) -> list[str]:
    """What was never finished."""
    steps = (workdir / "checkpoints").iterdir()
    half = [path for path in steps if not (path / "checksums.txt").exists()]
    return [str(path) for path in [*workdir.rglob("*.partial"), *half]]


def main(_: list[str]) -> None:
    """Kill, finish, compare."""
    folder, draw = pathlib.Path(_FOLDER.value), random.Random(os.getpid())
    # Once to compile what the others find in the cache.
    finish(folder / "first")
    began = time.monotonic()
    expected = finish(folder / "undisturbed")
    length = time.monotonic() - began
    different, left, wrong, done = [], [], [], 0
    while done < _KILLS.value:
        workdir = folder / f"killed{done}"
        for _ in range(min(_EACH, _KILLS.value - done)):
            moment = draw.uniform(0.0, length)
            wrong += filter(None, [kill(workdir, moment, draw.choice(_SIGNALS))])
            done += 1
        if finish(workdir) != expected:
            different.append(workdir.name)
        left += leftovers(workdir)
    print(
        f"{done} kills in {length:.0f} s each: {len(different)} differences "
        f"{different}, {len(left)} leftovers {left}, {len(wrong)} wrong ends {wrong}"
    )


if __name__ == "__main__":
    app.run(main)
