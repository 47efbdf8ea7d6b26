"""Peak memory of training against the number of replicas.

    PYTHONPATH=. python -m benchmarks.training_memory --source=DIR --replicas=2,4,8,16

Each figure comes from a process of its own, which takes two steps of the main system
on the longest dialogues, all replicas side by side as on an accelerator. What is
measured is RssAnon, memory that the kernel cannot take back; beside it stands what XLA
says that the compiled step needs. A line through the figures says what a replica costs
and how many would fit into a device of 16 GB.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import threading

import numpy as np

from benchmarks.timing import table

DEVICE = 16e9
"""Bytes of one v5e chip: https://cloud.google.com/tpu/docs/v5e"""


def main() -> None:
    """Measure every size, or be one of them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", default="synthetic", help="feature table")
    parser.add_argument("--replicas", default="2,4,8,16", help="how many")
    parser.add_argument("--only", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.only:
        print(json.dumps(measured(chosen.source, chosen.only)))
        return
    found = []
    for replicas in map(int, chosen.replicas.split(",")):
        command = [sys.executable, "-m", "benchmarks.training_memory", *sys.argv[1:]]
        ended = subprocess.run(
            [*command, f"--only={replicas}"], stdout=subprocess.PIPE, check=True
        )
        found.append(json.loads(ended.stdout.splitlines()[-1]))
    names = list(found[0])
    print(table(names, [[one[name] for name in names] for one in found]))
    replicas = [one["replicas"] for one in found]
    for name in ("peak MB", "state and batch MB", "compiled MB"):
        each, rest = np.polyfit(replicas, [one[name] for one in found], 1)
        print(
            f"{name.removesuffix(' MB')}: {each:.1f} MB a replica and {rest:.0f} MB; "
            f"{(DEVICE / 1e6 - rest) / each:.0f} replicas in {DEVICE / 1e9:.0f} GB"
        )


def measured(source: str, replicas: int) -> dict[str, float]:
    """Two steps of so many replicas, while a thread watches the memory."""
    import jax

    from benchmarks.contestants import layout_of, open_world
    from dann_jax.experiment.build import compiled
    from dann_jax.training.batch_loader import BatchLoader

    world = open_world(source)
    layout = layout_of(world, replicas)
    before, peak, done = anonymous(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        program = compiled(
            world.config, world.task, layout, world.timetable, vectorise=True
        )
        # Buckets rise; the last one has the longest dialogues.
        last = world.plan.steps_per_epoch - 1
        view = world.task.training
        batch = BatchLoader(view, world.plan, layout, shuffle=False).batch(last)
        state = program.initial_state(batch)
        strength = layout.put(layout.peak_strength())
        compiled_step = program.train_step.lower(state, batch, strength).compile()
        needed = compiled_step.memory_analysis()
        scratch, given = needed.temp_size_in_bytes, needed.argument_size_in_bytes
        for _ in range(2):
            state, metrics = compiled_step(state, batch, strength)
        jax.block_until_ready(metrics)
    finally:
        done.set()
        watcher.join()
    return {
        "replicas": replicas,
        "before MB": before,
        "peak MB": peak - before,
        "state and batch MB": given / 1e6,
        "compiled MB": (given + scratch) / 1e6,
    }


def anonymous() -> float:
    """Megabytes of this process that are no memory-mapped file."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1e3


if __name__ == "__main__":
    main()
