"""Products and attention have the gradients of the plain formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from dann_jax.models.ops.attention import MASK_VALUE, attend
from dann_jax.models.ops.dense import dense_product
from dann_jax.models.ops.fusion_barrier import barrier_compiler_options, fusion_barrier
from dann_jax.types import Array


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.float32(np.random.default_rng(seed).normal(size=shape))


def assert_same_gradients(found, expected, *arguments: Array) -> None:
    """Values, and gradients of a random sum of them, of two functions."""
    weight = normal(9, *jax.eval_shape(expected, *arguments).shape)

    def of(function):
        def loss(*values: Array) -> tuple[Array, Array]:
            out = function(*values)
            return (out * weight).sum(), out

        every = tuple(range(len(arguments)))
        gradient = jax.jit(jax.grad(loss, every, has_aux=True))
        return jax.tree.leaves(gradient(*arguments))

    for one, other in zip(of(found), of(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert np.abs(other).max() > 0.01


@pytest.mark.parametrize(
    ("inner", "outer"), [((5,), (3,)), ((3,), (2, 4)), ((2, 3), (7,))]
)
def test_a_product_is_that_of_jax(inner: tuple, outer: tuple) -> None:
    x, kernel = normal(0, 4, 2, *inner), normal(1, *inner, *outer)
    axes = len(inner)
    contracted = tuple(range(2, 2 + axes)), tuple(range(axes))

    def with_numbers(product):
        return lambda x, kernel: product(x, kernel, (contracted, ((), ())))

    assert_same_gradients(
        with_numbers(dense_product), with_numbers(jax.lax.dot_general), x, kernel
    )


@pytest.mark.parametrize("units", [2, 9])
def test_a_layer_of_flax_takes_it(units: int) -> None:
    x = normal(0, 3, 6)
    plain, ours = nn.Dense(units), nn.Dense(units, dot_general=dense_product)
    params = plain.init(jax.random.key(0), x)
    assert_same_gradients(
        lambda x, kernel: ours.apply(
            {"params": params["params"] | {"kernel": kernel}}, x
        ),
        lambda x, kernel: plain.apply(
            {"params": params["params"] | {"kernel": kernel}}, x
        ),
        x,
        params["params"]["kernel"],
    )


@pytest.fixture
def heard() -> np.ndarray:
    """Who hears whom `[B, heads, T, T]`; one hears nobody."""
    heard = np.random.default_rng(0).random((2, 3, 5, 5)) > 0.4
    heard |= np.eye(5, dtype=bool)
    heard[1, 2, 4] = False
    return heard


def test_attention_is_that_of_flax(heard: np.ndarray) -> None:
    streams = [normal(seed, 2, 5, 3, 4) for seed in range(3)]
    bias = np.where(heard, 0, MASK_VALUE)
    assert_same_gradients(
        lambda *streams: attend(*streams, bias=bias),
        lambda *streams: nn.dot_product_attention(*streams, bias=bias),
        *streams,
    )


def test_what_is_not_heard_is_not_heard_at_all(heard: np.ndarray) -> None:
    query, key, value = (normal(seed, 2, 5, 3, 4) for seed in range(3))
    bias = np.where(heard, 0, MASK_VALUE)

    def of_query(key: Array, value: Array) -> Array:
        return attend(query, key, value, bias=bias)[0, 0, 0]

    silent = ~heard[0, 0, 0]
    assert silent.any()
    before = of_query(key, value)
    loud = [x.copy() for x in (key, value)]
    for x in loud:
        x[0, silent] = 1e4
    np.testing.assert_array_equal(of_query(*loud), before)
    loud[1][0, ~silent] = 1e4
    assert np.abs(of_query(*loud) - before).max() > 1


def test_extreme_logits_stay_finite(heard: np.ndarray) -> None:
    streams = [1e3 * normal(seed, 2, 5, 3, 4) for seed in range(3)]
    bias = np.where(heard, 0, MASK_VALUE)
    gradients = jax.grad(lambda *streams: attend(*streams, bias=bias).sum(), (0, 1, 2))(
        *streams
    )
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_a_materialised_array_is_made_once_on_cpu() -> None:
    def both(x: Array) -> tuple[Array, Array]:
        made = fusion_barrier(jnp.exp(x) + 1)
        return made * 2, made.T * 3

    x = normal(0, 30, 20)
    kept = jax.jit(both, compiler_options=barrier_compiler_options("cpu"))
    text = kept.lower(x).compile().as_text()
    assert text.count("opt-barrier(") == 1
    assert text.count("exponential(") == 1
    for one, other in zip(kept(x), jax.jit(both)(x), strict=True):
        np.testing.assert_array_equal(one, other)
    assert barrier_compiler_options("gpu") is None
