"""Random bits without a loop are those of JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dann_jax.models.ops.fusion_barrier import barrier_compiler_options
from dann_jax.models.ops.random_bits import threefry, without_loop


def test_threefry_has_the_published_values():
    # The known-answer tests of Random123, the reference implementation.
    ones = 0xFFFFFFFF
    for key, counter, expected in (
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((ones, ones), (ones, ones), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ):
        words = jnp.asarray(counter, jnp.uint32)
        found = threefry(jnp.asarray(key, jnp.uint32), *words)
        assert tuple(int(word) for word in found) == expected


@pytest.mark.parametrize(
    "draw",
    [
        lambda key: jax.random.bernoulli(key, 0.7, (5, 3, 7)),
        lambda key: jax.random.normal(key, (9,)),
        lambda key: jax.random.uniform(key),
        lambda key: jax.random.randint(key, (4, 2), 0, 1000),
        lambda key: jax.random.bits(key, (6,), jnp.uint8),
        lambda key: jax.random.bits(key, (6,), jnp.uint16),
        lambda key: jax.random.key_data(jax.random.fold_in(key, 2**31 + 5)),
        lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
        lambda key: jax.random.permutation(key, 11),
    ],
)
def test_draws_are_those_of_jax(draw):
    for seed in (0, 2**32 - 1):
        key = jax.random.fold_in(jax.random.key(seed), 3)
        np.testing.assert_array_equal(draw(key), draw(without_loop(key)))


def test_many_keys_draw_as_one_by_one():
    keys = jax.random.split(jax.random.key(7), 4)
    draws = jax.vmap(lambda key: jax.random.normal(without_loop(key), (3,)))(keys)
    expected = jnp.stack([jax.random.normal(key, (3,)) for key in keys])
    np.testing.assert_array_equal(draws, expected)


def test_keys_of_before_and_of_other_kinds_are_taken():
    old = jax.random.PRNGKey(1)
    new = jax.random.key(1)
    assert jax.random.uniform(without_loop(old)) == jax.random.uniform(new)
    other = jax.random.key(1, impl="rbg")
    assert without_loop(other) is other


def test_nothing_loops():
    def text(prepare):
        def draw(key):
            return jax.random.bernoulli(prepare(key), 0.5, (100,))

        return jax.jit(draw).lower(jax.random.key(0)).as_text()

    assert "stablehlo.while" not in text(without_loop)
    # Once JAX has no loop either, there is no need for the module.
    assert "stablehlo.while" in text(lambda key: key)


def test_a_draw_that_many_read_is_drawn_once() -> None:
    def flops(readers: int) -> float:
        def read(key: jax.Array, x: jax.Array) -> jax.Array:
            noisy = x + jax.random.normal(without_loop(key), x.shape)
            return jnp.concatenate([noisy[:, k : k + 40] for k in range(readers)], -1)

        options = barrier_compiler_options(jax.default_backend())
        compiled = jax.jit(read, compiler_options=options)
        lowered = compiled.lower(jax.random.key(0), jnp.zeros((8, 48)))
        return lowered.compile().cost_analysis()["flops"]

    assert flops(8) < 4 * flops(1)
