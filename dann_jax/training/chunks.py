"""Several steps at a time: consecutive batches of one shape, and the loop over them.

In every step a CPU fetches the whole state of each replica from memory and puts it
back. Where batches are small, this takes longer than the step itself, so that a replica
takes several steps before it is the next one's turn (`benchmarks/chunks.py`).
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.state import TrainState
from dann_jax.types import Array, Batch, Metrics, PyTree

MOST_STEPS = 16
"""In a chunk; more would gain little, and a signal waits for its end."""

MOST_BYTES = 2**28
"""Of the inputs of a chunk, of all groups."""

SMALL_ROWS = 256
"""Rows (of frames, none) of a batch of one group up to which steps go together."""

TrainSteps = Callable[[TrainState, Any, Array, PyTree], tuple[TrainState, Metrics]]


class Chunk(NamedTuple):
    """Batches of consecutive steps of one epoch, on the mesh.

    Attributes:
      batches: fields `[groups, length, ...]`.
      count: how many of them are steps; the others are there for the shape.
    """

    batches: Batch
    count: int


def chunked(
    batches: Iterator[Batch],
    layout: ReplicaLayout,
    *,
    start: int,
    epoch: int,
    most: int = MOST_STEPS,
) -> Iterator[Chunk]:
    """Put batches together, none with one of another shape or epoch.

    Args:
      batches: of consecutive steps, with a group axis.
      layout: of the replicas.
      start: the step of the first one.
      epoch: steps of an epoch.
      most: so many together.
    """
    held: list[Batch] = []
    length = 1
    for step, batch in enumerate(batches, start):
        if held and batch.row.shape != held[0].row.shape:
            yield _chunk(held, length)
            held = []
        held, length = [*held, batch], min(most, steps_at_once(batch, layout))
        if len(held) == length or (step + 1) % epoch == 0:
            yield _chunk(held, length)
            held = []
    if held:
        yield _chunk(held, length)


def steps_at_once(batch: Batch, layout: ReplicaLayout) -> int:
    """How many steps of such batches `[groups, ...]` are worth a chunk, at most."""
    on_cpu = layout.mesh.devices.flat[0].platform == "cpu"
    small = not batch.num_frames and math.prod(batch.row.shape[1:]) <= SMALL_ROWS
    # Several processes agree on the step to stop at, which must be one of each.
    if not (on_cpu and small and layout.data_shards == jax.process_count() == 1):
        return 1
    size = sum(leaf.nbytes for leaf in batch.inputs.values())
    return max(1, min(MOST_STEPS, MOST_BYTES // max(size, 1)))


def _chunk(held: Sequence[Batch], length: int) -> Chunk:
    # Always as many, so that it is compiled once.
    filled = [*held, *[held[-1]] * (length - len(held))]
    return Chunk(_stack(filled), len(held))


@jax.jit
def _stack(batches: Sequence[Batch]) -> Batch:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves, 1), *batches)


def over_chunks(train_step: Callable) -> TrainSteps:
    """From a train step of one replica the function of a chunk.

    Args:
      train_step: `(state, batch, strength) -> (state, metrics)`.

    Returns:
      `(state, batches, count, strength) -> (state, metrics)`, fields of the batches
      `[length, ...]`, metrics `[length]`, of which the first `count` are of steps.
    """

    def train_steps(
        state: TrainState, batches: Any, count: Array, strength: PyTree
    ) -> tuple[TrainState, Metrics]:
        def batch_at(index: Array | int) -> Any:
            return jax.tree.map(lambda leaf: leaf[index], batches)

        length = len(jax.tree.leaves(batches)[0])
        if length == 1:
            # A loop would cost an accelerator a look at its end.
            state, metrics = train_step(state, batch_at(0), strength)
            return state, jax.tree.map(lambda value: value[None], metrics)

        def body(index: Array, carry: tuple) -> tuple:
            state, logged = carry
            state, metrics = train_step(state, batch_at(index), strength)
            put = functools.partial(jax.lax.dynamic_update_index_in_dim, axis=0)
            return state, jax.tree.map(
                lambda values, value: put(values, value, index), logged, metrics
            )

        shapes = jax.eval_shape(train_step, state, batch_at(0), strength)[1]
        logged = jax.tree.map(
            lambda leaf: jnp.zeros((length, *leaf.shape), leaf.dtype), shapes
        )
        return jax.lax.fori_loop(0, count, body, (state, logged))

    return train_steps
