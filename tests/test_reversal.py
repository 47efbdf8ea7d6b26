"""Gradient reversal: identity forwards, minus strength times the gradient back."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import assert_trees_equal

from dann_jax.models.reversal import reverse_gradient, scale_gradient
from dann_jax.types import Array, PyTree, Scalar

# Powers of two (and 0), so that scaling is exact in every floating type.
STRENGTHS = (0.0, 0.5, 2.0)
DTYPES = (jnp.float32, jnp.bfloat16, jnp.float16)
VALUES = (0.0, -0.0, 1.0, -3.25, 1e30, 1e-30, np.inf, -np.inf, np.nan)


def oracle(x: Array, strength: Scalar) -> Array:
    """The same function by stop-gradient: another derivation, with rounding."""
    return -strength * x + jax.lax.stop_gradient((1.0 + strength) * x)


def cubes(tree: PyTree) -> Array:
    """A scalar with a different gradient everywhere."""
    return sum(jnp.sum(leaf.astype(jnp.float32) ** 3) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_forward_is_the_identity_bit_for_bit(wrap: Callable, dtype: jnp.dtype) -> None:
    x = jnp.array(VALUES).astype(dtype)
    y = wrap(reverse_gradient)({"x": x}, 0.7)["x"]
    assert y.dtype == x.dtype
    assert np.asarray(y).tobytes() == np.asarray(x).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_gradient_is_minus_strength_times_the_plain_one_and_keeps_its_type(
    strength: float, dtype: jnp.dtype
) -> None:
    tree = {
        "low": jnp.array([[0.5, -1.0], [1.5, 2.0]], dtype),
        "high": (jnp.array([3.0, 0.25], jnp.float32), jnp.array(-0.75, dtype)),
    }
    plain = jax.grad(cubes)(tree)
    reversed_ = jax.grad(lambda t: cubes(reverse_gradient(t, strength)))(tree)
    assert_trees_equal(reversed_, jax.tree.map(lambda g: -strength * g, plain))
    types = [leaf.dtype for leaf in jax.tree.leaves(tree)]
    assert [leaf.dtype for leaf in jax.tree.leaves(reversed_)] == types


def test_a_traced_strength_compiles_once() -> None:
    traces = []

    @jax.jit
    def gradient(x: Array, strength: Scalar) -> Array:
        traces.append(None)
        return jax.grad(lambda v: cubes(reverse_gradient(v, strength)))(x)

    x = jnp.array([1.0, 2.0])
    for strength in STRENGTHS:
        expected = -strength * 3.0 * np.array([1.0, 4.0])
        np.testing.assert_array_equal(gradient(x, strength), expected)
    assert len(traces) == 1


def test_maps_over_strengths() -> None:
    x, strengths = jnp.array([1.0, -2.0, 3.0]), jnp.array(STRENGTHS)
    mapped = jax.vmap(
        jax.grad(lambda v, s: cubes(reverse_gradient(v, s))), in_axes=(None, 0)
    )(x, strengths)
    np.testing.assert_array_equal(mapped, -strengths[:, None] * 3.0 * x[None] ** 2)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_strength_receives_no_gradient(strength: float) -> None:
    slope = jax.grad(lambda s: cubes(reverse_gradient(jnp.arange(4.0), s)))(strength)
    assert slope == 0.0


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 2.5])
def test_gradient_equals_that_of_the_stop_gradient_oracle(strength: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 4)).astype(np.float32)
    below, above = (rng.normal(size=(4, 4)).astype(np.float32) for _ in range(2))

    def loss(weights: tuple[Array, Array], reverse: Callable) -> Array:
        hidden = jnp.tanh(x @ weights[0])
        return jnp.mean(jax.nn.logsumexp(reverse(hidden, strength) @ weights[1], -1))

    actual = jax.grad(loss)((below, above), reverse_gradient)
    expected = jax.grad(loss)((below, above), oracle)
    # The oracle rounds in its forward pass: a few units in the last place.
    jax.tree.map(
        lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-7),
        actual,
        expected,
    )


def test_integer_leaves_pass_and_get_no_gradient() -> None:
    tree = {"x": jnp.array([1.0, 2.0, 3.0]), "index": jnp.array([2, 0])}

    def loss(t: PyTree) -> Array:
        t = reverse_gradient(t, 0.5)
        return jnp.sum(t["x"][t["index"]] ** 2)

    assert loss(tree) == 10.0
    gradient = jax.grad(loss, allow_int=True)(tree)
    np.testing.assert_array_equal(gradient["x"], [-1.0, 0.0, -3.0])
    assert gradient["index"].dtype == jax.dtypes.float0


@pytest.mark.parametrize("strength", STRENGTHS)
def test_second_derivative_is_the_slope_of_the_reversed_gradient(
    strength: float,
) -> None:
    # The reversed gradient of x^3 is the function -s 3 x^2, whose slope is -s 6 x.
    # (Differentiating the oracle twice would reverse twice: s^2 6 x.)
    gradient = jax.grad(lambda v: reverse_gradient(v, strength) ** 3)
    assert gradient(2.0) == -strength * 12.0
    assert jax.grad(gradient)(2.0) == -strength * 12.0
    assert jax.grad(gradient)(3.0) == -strength * 18.0


def test_two_reversals_multiply() -> None:
    x = jnp.array([1.0, -2.0])
    twice = jax.grad(lambda v: cubes(reverse_gradient(reverse_gradient(v, 0.5), 2.0)))
    np.testing.assert_array_equal(twice(x), jax.grad(cubes)(x))


def test_forward_mode_is_refused_rather_than_wrong() -> None:
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(lambda v: reverse_gradient(v, 1.0), (1.0,), (1.0,))


@pytest.mark.parametrize("scale", STRENGTHS)
def test_a_scaled_gradient_keeps_its_sign(scale: float) -> None:
    tree = {"a": jnp.array([0.5, -1.0]), "b": jnp.array(2.0)}
    found = jax.grad(lambda t: cubes(scale_gradient(t, scale)))(tree)
    expected = jax.tree.map(lambda g: scale * g, jax.grad(cubes)(tree))
    assert_trees_equal(found, expected)
