"""What holds for every encoder of context: whom a turn may depend on."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import toy_batch

from dann_jax.models.context_encoders import CONTEXT_ENCODERS
from dann_jax.types import Array

BATCH = toy_batch(3, 6)
VISIBLE, PARTY = BATCH.visible, BATCH.party
X = np.random.default_rng(0).normal(size=(*VISIBLE.shape, 5)).astype(np.float32)
OTHER = X + 3.0

encoders = pytest.mark.parametrize("name", CONTEXT_ENCODERS)


@functools.cache
def encode_of(name: str) -> Callable[..., Array]:
    """`(x, visible, party) -> [B, T, width]`, with fixed parameters and no dropout."""
    module = CONTEXT_ENCODERS[name](
        width=4, heads=2, own_heads=1, own_turns=True, dropout=0.5, dtype=jnp.float32
    )
    draw = jax.jit(functools.partial(module.init, deterministic=True))
    variables = draw(jax.random.key(0), X, VISIBLE, PARTY)
    return jax.jit(lambda *turns: module.apply(variables, *turns, deterministic=True))


def assert_close(actual: Array, expected: Array) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@encoders
def test_every_turn_has_a_finite_vector_and_invisible_ones_change_no_other(
    name: str,
) -> None:
    encode = encode_of(name)
    found = encode(X, VISIBLE, PARTY)
    assert found.shape[:2] == VISIBLE.shape and np.isfinite(found).all()
    changed = encode(np.where(VISIBLE[..., None], X, OTHER), VISIBLE, PARTY)
    assert_close(changed[VISIBLE], found[VISIBLE])

    def loss(x: Array) -> Array:
        return jnp.sum(jnp.where(VISIBLE[..., None], encode(x, VISIBLE, PARTY), 0) ** 2)

    slope = jax.grad(loss)(X)
    assert not slope[~VISIBLE].any() and slope[VISIBLE].any()


@encoders
def test_padding_and_other_dialogues_change_nothing(name: str) -> None:
    encode = encode_of(name)
    found = encode(X, VISIBLE, PARTY)
    longer = [
        np.concatenate([turns, np.zeros_like(turns[:, :2])], axis=1)
        for turns in (X, VISIBLE, PARTY)
    ]
    assert_close(encode(*longer)[:, : VISIBLE.shape[1]][VISIBLE], found[VISIBLE])
    second = np.zeros_like(VISIBLE)
    second[1] = True
    changed = encode(np.where(second[..., None], OTHER, X), VISIBLE, PARTY)
    assert_close(changed[VISIBLE & ~second], found[VISIBLE & ~second])
    assert (changed != found)[VISIBLE & second].any()


@encoders
def test_parties_are_told_apart_only_by_who_is_the_same(name: str) -> None:
    encode = encode_of(name)
    assert_close(
        encode(X, VISIBLE, 7 - PARTY)[VISIBLE], encode(X, VISIBLE, PARTY)[VISIBLE]
    )
