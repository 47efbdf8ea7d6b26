"""Peak memory of preparing and of reading a corpus, and of one ten times as large.

    PYTHONPATH=. python benchmarks/memory.py --source=../shared/data/emodb --files=100

The larger corpus is the same files again under other ids. What is measured is RssAnon,
memory that the kernel cannot take back, of the process and of its largest worker;
memory-mapped files do not count. Each figure comes from a process of its own.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np


def main() -> None:
    """Measure every step, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="folder of recordings")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--features", default="logmel")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        print(json.dumps(measured(STEPS[chosen.step], chosen)))
        return
    for times in (1, chosen.times):
        with tempfile.TemporaryDirectory() as folder:
            for step in STEPS:
                command = [sys.executable, __file__, *sys.argv[1:], f"--step={step}"]
                command += [f"--folder={folder}", f"--times={times}"]
                ended = subprocess.run(command, stdout=subprocess.PIPE, check=True)
                said = json.loads(ended.stdout.splitlines()[-1])
                print(
                    f"{times:3d} x {chosen.files} files, {step:8s} "
                    f"{said['megabytes']:7.1f} MB of features, before "
                    f"{said['before']:6.0f} MB, peak {said['peak']:6.0f} MB, largest "
                    f"worker {said['worker']:6.0f} MB, {said['seconds']:.0f} s",
                    flush=True,
                )


def extraction(chosen: argparse.Namespace) -> float:
    """Compute features."""
    from dann_jax.data.features.extraction import extract

    source = pathlib.Path(chosen.source)
    found = sorted(p for p in source.rglob("*") if p.suffix in (".wav", ".flac"))
    files = [str(p.relative_to(source)) for p in found[: chosen.files]] * chosen.times
    columns = {
        "utt_id": np.array([f"u{n:07d}" for n in range(len(files))]),
        "file": np.array(files),
        "speaker": np.full(len(files), "s"),
        "emotion": np.full(len(files), "anger"),
        "dialogue": np.array([str(n // 20) for n in range(len(files))]),
    }
    features = {name: {} for name in chosen.features.split(",")}
    corpus, _ = extract(
        columns, source, features, f"{chosen.folder}/extraction", name="m"
    )
    return megabytes(corpus)


def writing(chosen: argparse.Namespace) -> float:
    """Write the store of what was computed."""
    from dann_jax.data.store import open_arrays, write_store

    corpus = open_arrays(f"{chosen.folder}/extraction/arrays")
    write_store(corpus, f"{chosen.folder}/data")
    return megabytes(corpus)


def reading(chosen: argparse.Namespace) -> float:
    """Read the store for the first time."""
    import os

    os.environ["XDG_CACHE_HOME"] = f"{chosen.folder}/cache"
    from dann_jax.data.store import read_store, store_folder

    return megabytes(read_store(store_folder("m", f"{chosen.folder}/data")))


STEPS = {"extract": extraction, "write": writing, "read": reading}


def megabytes(corpus: "Corpus") -> float:  # noqa: F821
    """Of features."""
    arrays = (getattr(array, "values", array) for array in corpus.features.values())
    return sum(array.nbytes for array in arrays) / 1e6


def measured(step: "Step", chosen: argparse.Namespace) -> dict[str, float]:  # noqa: F821
    """Run a step while a thread watches the memory of this process and its workers."""
    import psutil
    import tensorflow_datasets  # noqa: F401  # So that it counts before, not after.

    import dann_jax.data.features.extraction  # noqa: F401

    def anonymous(pid: int) -> float:
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return 0.0
        found = status.partition("RssAnon:")[2].split()
        return int(found[0]) / 1e3 if found else 0.0

    this, peak, worker, done = psutil.Process(), 0.0, 0.0, threading.Event()
    before = anonymous(this.pid)

    def watch() -> None:
        nonlocal peak, worker
        while not done.wait(0.02):
            peak = max(peak, anonymous(this.pid))
            children = [anonymous(c.pid) for c in this.children(recursive=True)]
            worker = max([worker, *children])

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        size = step(chosen)
    finally:
        done.set()
        watcher.join()
    return {
        "megabytes": size,
        "before": before,
        "peak": max(peak, before),
        "worker": worker,
        "seconds": time.perf_counter() - started,
    }


if __name__ == "__main__":
    main()
