"""Chunks: several steps at a time are the same steps."""

import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import toy_batch

from dann_jax.training.chunks import MOST_STEPS, chunked, over_chunks, steps_at_once
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.types import Batch

LAYOUT = ReplicaLayout(["a", "b"], [0], {"one": {}}, make_mesh(1))


def batches(turns: list[int]) -> Iterator[Batch]:
    """One a step, of two groups, whose rows say which step it is."""
    for step, length in enumerate(turns):
        batch = toy_batch(3, length, domains={"speaker": 2})
        batch = batch._replace(row=np.full_like(batch.row, step))
        yield jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), batch)


@pytest.mark.parametrize(
    ("turns", "epoch", "start", "expected"),
    [
        ([2] * 7, 5, 0, [[0, 1, 2], [3, 4], [5, 6]]),
        ([2] * 4, 5, 3, [[0, 1], [2, 3]]),
        ([2, 2, 4, 2, 2, 2, 2], 9, 0, [[0, 1], [2], [3, 4, 5], [6]]),
    ],
    ids=["epochs end", "resumed", "shapes differ"],
)
def test_chunks_hold_every_batch_once_and_none_of_two_epochs_or_shapes(
    turns: list[int],
    epoch: int,
    start: int,
    expected: list[list[int]],
) -> None:
    found = list(chunked(batches(turns), LAYOUT, start=start, epoch=epoch, most=3))
    rows = [chunk.batches.row[0, : chunk.count, 0, 0].tolist() for chunk in found]
    assert rows == expected
    # One shape of a batch is one program, however many are left.
    assert {chunk.batches.row.shape[1] for chunk in found} == {3}
    assert list(itertools.chain.from_iterable(rows)) == list(range(len(turns)))


def test_large_batches_and_those_of_frames_go_one_by_one() -> None:
    (batch,) = batches([2])
    assert steps_at_once(batch, LAYOUT) == MOST_STEPS
    (long,) = batches([200])
    assert steps_at_once(long, LAYOUT) == 1
    framed = batch._replace(num_frames={"audio": batch.row})
    assert steps_at_once(framed, LAYOUT) == 1
    wide = np.broadcast_to(np.float32(0), (2, 3, 2, 10_000_000))
    assert steps_at_once(batch._replace(inputs={"audio": wide}), LAYOUT) == 1


@pytest.mark.parametrize(("length", "count"), [(1, 1), (4, 1), (4, 3), (4, 4)])
def test_a_chunk_is_its_steps_one_after_the_other(length: int, count: int) -> None:
    def train_step(state, batch, strength):
        state = state * strength["speaker"] + batch["x"]
        return state, {"loss": jnp.sum(state), "scaled": 2.0 * state[0]}

    x = np.random.default_rng(0).normal(size=(length, 3)).astype(np.float32)
    strength = {"speaker": jnp.float32(0.5)}
    expected, logged = jnp.ones(3), []
    for row in x[:count]:
        expected, metrics = train_step(expected, {"x": row}, strength)
        logged.append(metrics)
    train_steps = jax.jit(over_chunks(train_step))
    found, metrics = train_steps(jnp.ones(3), {"x": x}, count, strength)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    of_steps = jax.tree.map(lambda values: values[:count], metrics)
    stacked = jax.tree.map(lambda *values: jnp.stack(values), *logged)
    for name, values in stacked.items():
        np.testing.assert_allclose(of_steps[name], values, rtol=1e-6)
