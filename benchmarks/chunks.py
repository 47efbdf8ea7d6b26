"""What it is worth that a replica takes several steps before the next one's turn.

    python -m benchmarks.chunks --source=DIR [--config=speakers:ravdess] [--rounds=3]

DIR is a store of utterances. Prints milliseconds of a model's step, one step at a time
and in chunks, and how many times as fast the latter is, in rounds by turns.
"""

import argparse

import jax
import numpy as np

from benchmarks.contestants import Contestant
from benchmarks.timing import interleave, ratio, table
from dann_jax.cli.config import load_config
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.chunks import MOST_STEPS
from dann_jax.training.timetable import Timetable


def main() -> None:
    """Time both ways on one corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True)
    parser.add_argument("--config", default="speakers:ravdess")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    config = load_config(chosen.config)
    config.data.source = chosen.source
    task, layout = build_task_and_layout(config)
    plan = task.plan(task.protocol.visible())
    timetable = Timetable(plan.steps_per_epoch, **config.timetable)
    program = compiled(config, task, layout, timetable)
    loader = BatchLoader(task.training, plan, layout, shuffle=True)
    strength = layout.put(layout.peak_strength())

    def contestant(most: int) -> Contestant:
        state = program.initial_state(loader.batch(0))
        steps = min(MOST_STEPS, plan.steps_per_epoch)
        # Made beforehand: what is timed is the training alone.
        chunks = list(loader.chunks(0, steps, most=most))
        counts = [
            layout.put(np.full(len(layout.fold_of), chunk.count, np.int32))
            for chunk in chunks
        ]

        def run() -> None:
            nonlocal state
            for chunk, count in zip(chunks, counts, strict=True):
                state, _ = program.train_steps(state, chunk.batches, count, strength)
            jax.block_until_ready(state)

        models = len(layout.fold_of) * len(layout.arms)
        return Contestant(f"{most} at a time", run, steps * models, 1)

    found = interleave([contestant(1), contestant(MOST_STEPS)], chosen.rounds)
    rows = [[one.name, 1e3 * float(np.median(one.seconds))] for one in found]
    print(table(["steps", "ms of a model's step"], rows))
    print("times as fast:", ratio(found[1].seconds, found[0].seconds))


if __name__ == "__main__":
    main()
