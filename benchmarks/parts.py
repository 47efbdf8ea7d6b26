"""Where the time of a run goes, part by part, and what waits for the input."""

import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks.contestants import World, layout_of, loader_of, start
from benchmarks.timing import measured
from dann_jax.tasks.roles import Role
from dann_jax.training.batch_loader import prefetched
from dann_jax.training.checkpoint import open_checkpoints
from dann_jax.training.compilation import measure_compilations
from dann_jax.training.run import Run


def parts(world: World, replicas: int, steps: int) -> dict[str, float]:
    """Seconds of an epoch's parts, each alone, with nothing overlapped.

    Returns:
      `input`, `host to device` (with looking features up there) and `step` are means
      of a train step; `evaluation` is of all test rows, `checkpoint` of one, `compile`
      of everything before, once.
    """
    layout = layout_of(world, replicas)
    wall: dict[str, list[float]] = {"input": [], "host to device": [], "step": []}

    def timed(part: str, run: Callable):
        began = time.perf_counter()
        value = jax.block_until_ready(run())
        wall[part].append(time.perf_counter() - began)
        return value

    loader = loader_of(world, layout)
    feed = loader.gather_features
    indices = [
        timed("input", lambda at=step: loader.index_batch(at)) for step in range(steps)
    ]
    with measure_compilations() as compilations:
        program, state = start(world, layout, [feed(indices[0])])
        strength = layout.put(layout.peak_strength())
        for index in indices:
            state, _ = program.train_step(state, feed(index), strength)
        evaluate = _evaluation(world, layout, program, state)
        evaluate()
    for index in indices:
        on_device = timed("host to device", lambda host=index: feed(host))
        state, _ = timed(
            "step",
            lambda now=state, put=on_device: program.train_step(now, put, strength),
        )
    with (
        tempfile.TemporaryDirectory() as folder,
        open_checkpoints(folder) as checkpoints,
    ):
        checkpoint = measured(lambda: checkpoints.save(1, state))
    return {part: float(np.mean(seconds)) for part, seconds in wall.items()} | {
        "evaluation": measured(_evaluation(world, layout, program, state)),
        "checkpoint": checkpoint,
        "compile": compilations.seconds,
    }


def _evaluation(world: World, layout, program, state) -> Callable[[], object]:
    run = Run(world.task, layout, program)
    return lambda: run.predict(state.average, Role.TEST, ("label_logits",))


def waiting(world: World, replicas: int, steps: int) -> dict[str, float]:
    """The share of a running loop's time in which the device waits for a batch.

    The loop is that of training: tf.data prepares batches ahead while a step runs.
    """
    layout = layout_of(world, replicas)
    loader = loader_of(world, layout)
    feed = loader.gather_features
    # Every padded length is compiled before the clock starts.
    warm = [loader.index_batch(step) for step in range(world.plan.steps_per_epoch)]
    program, state = start(world, layout, [feed(warm[0])])
    strength = layout.put(layout.peak_strength())
    for index in {index.row.shape: index for index in warm}.values():
        state, _ = program.train_step(state, feed(index), strength)
    batches = prefetched(loader.index_batch, 0, steps + 2)
    # The first is made without tf.data, which begins with the second.
    next(batches)
    batch, waited = next(batches), 0.0
    jax.block_until_ready(state)
    began = time.perf_counter()
    for _ in range(steps):
        state, _ = program.train_step(state, feed(batch), strength)
        jax.block_until_ready(state)
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
    total = time.perf_counter() - began
    return {"waiting": waited, "total": total, "share": waited / total}
