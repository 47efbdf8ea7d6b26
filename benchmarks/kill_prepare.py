"""`dann-prepare` killed at random moments: does the store come out the same?

    python -m benchmarks.kill_prepare --corpus=emodb --source=DIR --kills=40
    python -m benchmarks.kill_prepare --corpus=emodb --source=DIR --shards=3

It makes one store undisturbed. Then it starts the same command in the background and
kills it at a random moment, again and again, until one lives long enough; and all over
again, until so many were killed. With shards it does so with each of them, side by
side, before. After one more run it compares every file of each store with the
undisturbed one, and counts what is left beside it.
"""

import argparse
import functools
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent import futures


def main() -> None:
    """Kill, finish, compare and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="emodb")
    parser.add_argument("--source", required=True)
    parser.add_argument("--features", default="prosody")
    parser.add_argument("--per_speaker", type=int, default=2)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--shards", type=int, default=0)
    parser.add_argument("--runner", help="of Apache Beam, of what is killed")
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
            shards = [f"--shard={n + 1}/{chosen.shards}" for n in range(chosen.shards)]
            with futures.ThreadPoolExecutor(len(shards) or 1) as threads:
                randoms = [random.Random(rng.random()) for _ in shards]
                kill = functools.partial(killed_until_it_ends, chosen, data, seconds)
                ended = list(threads.map(kill, randoms, shards))
            ended.append(killed_until_it_ends(chosen, data, seconds, rng))
            kills += sum(times for times, _ in ended)
            # Killed or not, the next run of the same command leaves nothing behind.
            failed += sum(code != 0 for _, code in ended)
            failed += run(chosen, data).wait() != 0
            different += content(data) != expected
            leftovers += sum(path.name != chosen.corpus for path in data.iterdir())
    print(f"seconds of a run: {seconds:.1f}")
    print(f"killed: {kills}, in {rounds} preparations")
    print(f"stores that differ: {different}")
    print(f"leftovers: {leftovers}")
    print(f"runs that failed: {failed}")


def killed_until_it_ends(
    chosen: argparse.Namespace,
    data: pathlib.Path,
    seconds: float,
    rng: random.Random,
    *flags: str,
) -> tuple[int, int]:
    """How often a command was killed until one lived long enough, and its exit code."""
    if chosen.runner:
        flags = (*flags, f"--runner={chosen.runner}")
    kills = 0
    while True:
        process = run(chosen, data, *flags)
        if ended_within(process, rng.uniform(0, 1.2 * seconds)):
            return kills, process.returncode
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1


def run(
    chosen: argparse.Namespace, data: pathlib.Path, *flags: str
) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own."""
    command = [sys.executable, "-m", "dann_jax.cli.prepare"]
    command += [f"--corpus={chosen.corpus}", f"--source={chosen.source}"]
    command += [f"--features={chosen.features}", f"--data_dir={data}", "--workers=2"]
    command += [f"--per_speaker={chosen.per_speaker}", *flags]
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
