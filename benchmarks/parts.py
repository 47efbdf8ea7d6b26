"""Where the time of a run goes, part by part, and what waits for the input."""

import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks.contestants import World, layout_of, start
from benchmarks.timing import measured
from dann_jax.pipeline import stream
from dann_jax.protocols import Role
from dann_jax.training.checkpoint import open_checkpoints
from dann_jax.training.compilation import measure_compilations
from dann_jax.training.predict import make_batch, predict


def parts(world: World, replicas: int, steps: int) -> dict[str, float]:
    """Seconds of an epoch's parts, each alone, with nothing overlapped.

    Returns:
      `input`, `host to device` and `step` are means of a train step; `evaluation` is
      of all test rows, `checkpoint` of one, `compile` of everything before, once.
    """
    layout = layout_of(world, replicas)
    wall: dict[str, list[float]] = {"input": [], "host to device": [], "step": []}

    def timed(part: str, run: Callable):
        began = time.perf_counter()
        value = jax.block_until_ready(run())
        wall[part].append(time.perf_counter() - began)
        return value

    def batch_at(step: int):
        return make_batch(world.plan, world.task.training, layout, step, shuffle=True)

    batches = [timed("input", lambda at=step: batch_at(at)) for step in range(steps)]
    with measure_compilations() as compilations:
        program, state = start(world, layout, batches)
        strength = layout.put(layout.strength())
        for batch in batches:
            state, _ = program.train_step(state, layout.put(batch), strength)
        evaluate = _evaluation(world, layout, program, state)
        evaluate()
    for batch in batches:
        on_device = timed("host to device", lambda host=batch: layout.put(host))
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
    task = world.task
    return lambda: predict(
        program.evaluate,
        state.average,
        output="label_logits",
        plan=task.plan(task.protocol.roles == Role.TEST),
        assemble=task.evaluation,
        layout=layout,
        rows=task.rows_with(Role.TEST),
    )


def waiting(world: World, replicas: int, steps: int) -> dict[str, float]:
    """The share of a running loop's time in which the device waits for a batch.

    The loop is that of training: tf.data prepares batches ahead while a step runs.
    """
    layout = layout_of(world, replicas)

    def batch_at(step: int):
        return make_batch(world.plan, world.task.training, layout, step, shuffle=True)

    # Every padded length is compiled before the clock starts.
    warm = [batch_at(step) for step in range(world.plan.steps_per_epoch)]
    program, state = start(world, layout, warm)
    strength = layout.put(layout.strength())
    for batch in {batch.row.shape: batch for batch in warm}.values():
        state, _ = program.train_step(state, layout.put(batch), strength)
    batches = stream(batch_at, 0, steps + 1)
    batch, waited = next(batches), 0.0
    jax.block_until_ready(state)
    began = time.perf_counter()
    for _ in range(steps):
        state, _ = program.train_step(state, layout.put(batch), strength)
        jax.block_until_ready(state)
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
    total = time.perf_counter() - began
    return {"waiting": waited, "total": total, "share": waited / total}
