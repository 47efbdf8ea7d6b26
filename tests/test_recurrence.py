"""The written-out gradients are those that JAX finds for the plain formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dann_jax.models.ops.gru import GruWeights, gated_recurrence, permuted
from dann_jax.types import Array

TURNS, STREAMS, DIALOGUES, DIM, WIDTH = 6, 3, 2, 5, 4


def plain(weights: GruWeights, x: Array, seen: Array, fresh: Array) -> Array:
    """One turn after another, as the docstring has it."""
    state, states = jnp.zeros((STREAMS, DIALOGUES, WIDTH)), []
    projected = jnp.einsum("stbd,sdw->stbw", x, weights.input)
    for turn in range(x.shape[1]):
        state = jnp.where(fresh[:, turn], 0.0, state)
        inputs = projected[:, turn] + weights.input_bias
        products = jnp.einsum("sbn,snm->sbm", state, weights.recurrent)
        (x_r, x_z, x_c), (h_r, h_z, h_c) = (
            jnp.split(joined, 3, -1) for joined in (inputs, products)
        )
        r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        c = jnp.tanh(x_c + r * (h_c + weights.candidate_bias))
        state = jnp.where(seen[:, turn], (1 - z) * c + z * state, state)
        states.append(state)
    return jnp.stack(states, 1)


@pytest.fixture(scope="module")
def arguments() -> tuple:
    rng = np.random.default_rng(0)
    shape = (STREAMS, TURNS, DIALOGUES)

    def normal(*sizes: int) -> np.ndarray:
        return np.float32(rng.normal(size=sizes))

    weights = GruWeights(
        input=normal(STREAMS, DIM, 3 * WIDTH),
        input_bias=normal(STREAMS, 1, 3 * WIDTH),
        recurrent=normal(STREAMS, WIDTH, 3 * WIDTH),
        candidate_bias=normal(STREAMS, 1, WIDTH),
    )
    return (
        weights,
        normal(*shape, DIM),
        rng.random((*shape, 1)) > 0.3,
        rng.random((*shape, 1)) > 0.7,
    )


def test_states_and_gradients_are_those_of_the_formula(arguments: tuple) -> None:
    weight = np.random.default_rng(1).normal(size=(STREAMS, TURNS, DIALOGUES, WIDTH))

    def of(function):
        def loss(*real):
            states = function(*real, *arguments[2:])
            return (states * np.float32(weight)).sum(), states

        return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(*arguments[:2])

    found, expected = of(gated_recurrence), of(plain)
    for one, other in zip(
        jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert np.abs(other).max() > 0.01


def test_the_gradient_adds_to_the_kernel_once_and_not_in_every_turn(
    arguments: tuple,
) -> None:
    def loss(weights: GruWeights) -> Array:
        return gated_recurrence(weights, *arguments[1:]).sum()

    jaxpr = jax.make_jaxpr(jax.grad(loss))(arguments[0]).jaxpr
    loops = [e for e in jaxpr.eqns if e.primitive.name in ("scan", "while")]
    assert len(loops) == 2
    moving = (STREAMS, DIALOGUES, WIDTH), (STREAMS, TURNS, DIALOGUES, WIDTH)
    for loop in loops:
        assert {variable.aval.shape for variable in loop.outvars} <= {(), *moving}


def test_no_array_is_copied_in_every_turn(arguments: tuple) -> None:
    def loss(weights: GruWeights) -> Array:
        return gated_recurrence(weights, *arguments[1:]).sum()

    text = jax.jit(jax.grad(loss)).lower(arguments[0]).compile().as_text()
    whole = f"f32[{STREAMS},{TURNS},{DIALOGUES},{WIDTH}]"
    computations = text.split("\n\n")
    bodies = {
        word.split("body=%")[1].split(",")[0]
        for word in text.splitlines()
        if " while(" in word
    }
    assert len(bodies) == 2
    for body in bodies:
        (lines,) = (c for c in computations if c.lstrip().startswith(f"%{body} "))
        assert "dynamic-update-slice" in lines or "dynamic_update_slice" in lines
        assert not [
            line
            for line in lines.splitlines()
            if f"= {whole}" in line and " copy(" in line
        ]


def test_a_permutation_and_its_gradient_are_gathers() -> None:
    rng = np.random.default_rng(0)
    order = np.stack([rng.permutation(5) for _ in range(3)])
    inverse = np.argsort(order, axis=1)
    x, weight = (np.float32(rng.normal(size=(3, 5, 2))) for _ in range(2))
    np.testing.assert_array_equal(
        permuted(x, order, inverse), np.take_along_axis(x, order[..., None], 1)
    )
    gradient = jax.grad(lambda x: (permuted(x, order, inverse) * weight).sum())
    np.testing.assert_array_equal(
        gradient(x), np.take_along_axis(weight, inverse[..., None], 1)
    )
    assert "scatter" not in str(jax.make_jaxpr(gradient)(x))
