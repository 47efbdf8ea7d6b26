"""All benchmarks of speed, one after another, as the tables of docs/benchmarks.md.

    python -m benchmarks.run_all --source=DIR [--audio=DIR] [--cores=0,1] [--output=DIR]

Each is a process of its own, on the same cores; contestants alternate within it. It is
for a machine that does nothing else: PyTorch's threads wait for each other on cores
that others use.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

TITLES = {
    "parts": "Where the time of an epoch goes",
    "one": "One model",
    "experiment": "The whole experiment",
    "replicas": "More models in one program",
    "first_step": "Time to the first step",
}
"""Mode of `speed.py` -> heading. The first one finds an empty compilation cache."""


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """Heading -> command, in the order they run."""
    shared = [f"--source={options.source}", f"--cores={options.cores}"]
    shared += [f"--rounds={options.rounds}", f"--threads={options.threads}"]
    python = [sys.executable, "-m"]
    found = {
        title: [*python, "benchmarks.speed", f"--mode={mode}", *shared]
        for mode, title in TITLES.items()
    }
    found["What larger machines would give"] = [
        *python, "benchmarks.scaling", f"--source={options.source}"
    ]  # fmt: skip
    if options.audio:
        found["Features from audio"] = [
            *python, "benchmarks.extraction", f"--source={options.audio}"
        ]  # fmt: skip
    return found


def main() -> None:
    """Run, print as they come, and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run_all",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--source", default="synthetic", help="feature table; default: embedded")
    add("--audio", default="", help="folder of a corpus of audio; default: left out")
    add("--cores", default="0,1", help="that all of it is pinned to")
    add("--rounds", type=int, default=5, help="paired measurements")
    add("--threads", default="1,2", help="of PyTorch: each is a contestant")
    add("--output", default="", help="folder for benchmarks.md")
    options = parser.parse_args()
    os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    sections = []
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {
            "JAX_COMPILATION_CACHE_DIR": cache,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        for title, command in commands(options).items():
            done = subprocess.run(
                command, env=environment, check=False, stdout=subprocess.PIPE, text=True
            )
            shown = " ".join(["python", *command[1:]])
            text = done.stdout
            if done.returncode:
                text += f"\nFailed with exit code {done.returncode}.\n"
            sections.append(f"## {title}\n\n    {shown}\n\n{text}")
            print(sections[-1], flush=True)
    if options.output:
        folder = pathlib.Path(options.output)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "benchmarks.md").write_text("\n".join(sections))


if __name__ == "__main__":
    main()
