"""`dann-prepare` killed at random moments: does the store come out the same?

    python -m benchmarks.kill_prepare --corpus=emodb --source=DIR --kills=40

It makes one store undisturbed. Then it starts the same command in the background and
kills it at a random moment, again and again, until one lives long enough; and all over
again, until so many were killed. After one more run it compares every file of each
store with the undisturbed one, and counts what is left beside it.
"""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time


def main() -> None:
    """Kill, finish, compare and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="emodb")
    parser.add_argument("--source", required=True)
    parser.add_argument("--features", default="prosody")
    parser.add_argument("--per_speaker", type=int, default=2)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    kills, rounds, different, leftovers, failed = 0, 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        started = time.monotonic()
        if run(chosen, root / "whole").wait():
            sys.exit("undisturbed, the command fails")
        seconds = time.monotonic() - started
        expected = content(root / "whole")
        while kills < chosen.kills:
            data = root / str(rounds)
            rounds += 1
            while True:
                process = run(chosen, data)
                # Some live long enough to end.
                if ended_within(process, rng.uniform(0, 1.2 * seconds)):
                    failed += process.returncode != 0
                    break
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
            # Killed or not, the next run of the same command leaves nothing behind.
            failed += run(chosen, data).wait() != 0
            different += content(data) != expected
            leftovers += sum(path.name != chosen.corpus for path in data.iterdir())
    print(f"seconds of a run: {seconds:.1f}")
    print(f"killed: {kills}, in {rounds} preparations")
    print(f"stores that differ: {different}")
    print(f"leftovers: {leftovers}")
    print(f"runs that failed: {failed}")


def run(chosen: argparse.Namespace, data: pathlib.Path) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own."""
    command = [sys.executable, "-m", "dann_jax.cli.prepare"]
    command += [f"--corpus={chosen.corpus}", f"--source={chosen.source}"]
    command += [f"--features={chosen.features}", f"--data_dir={data}", "--workers=2"]
    command += [f"--per_speaker={chosen.per_speaker}"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)


def ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it ends by itself before so many seconds are over."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def content(folder: pathlib.Path) -> dict[str, bytes]:
    """Path below the folder -> what is in the file."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    main()
