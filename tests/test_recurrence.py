"""The written-out gradients are those that JAX finds for the plain formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dann_jax.models.recurrence import gated_recurrence, permuted
from dann_jax.types import Array

TURNS, STREAMS, DIALOGUES, WIDTH = 6, 3, 2, 4


def plain(kernel: Array, bias: Array, inputs: tuple, seen: Array, fresh: Array):
    """One turn after another, as the docstring has it."""
    state, states = jnp.zeros(inputs[0].shape[1:]), []
    for turn in range(len(seen)):
        state = jnp.where(fresh[turn], 0.0, state)
        products = jnp.split(jnp.einsum("sbn,snm->sbm", state, kernel), 3, -1)
        x_r, x_z, x_c = (x[turn] for x in inputs)
        r, z = jax.nn.sigmoid(x_r + products[0]), jax.nn.sigmoid(x_z + products[1])
        c = jnp.tanh(x_c + r * (products[2] + bias))
        state = jnp.where(seen[turn], (1 - z) * c + z * state, state)
        states.append(state)
    return jnp.stack(states)


@pytest.fixture(scope="module")
def arguments() -> tuple:
    rng = np.random.default_rng(0)
    shape = (TURNS, STREAMS, DIALOGUES)
    return (
        np.float32(rng.normal(size=(STREAMS, WIDTH, 3 * WIDTH))),
        np.float32(rng.normal(size=(STREAMS, 1, WIDTH))),
        tuple(np.float32(rng.normal(size=(*shape, WIDTH))) for _ in range(3)),
        rng.random((*shape, 1)) > 0.3,
        rng.random((*shape, 1)) > 0.7,
    )


def test_states_and_gradients_are_those_of_the_formula(arguments: tuple) -> None:
    weight = np.random.default_rng(1).normal(size=(TURNS, STREAMS, DIALOGUES, WIDTH))

    def of(function):
        def loss(*real):
            states = function(*real, *arguments[3:])
            return (states * np.float32(weight)).sum(), states

        return jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))(*arguments[:3])

    found, expected = of(gated_recurrence), of(plain)
    for one, other in zip(
        jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert np.abs(other).max() > 0.01


def test_the_gradient_adds_to_the_kernel_once_and_not_in_every_turn(
    arguments: tuple,
) -> None:
    def loss(kernel: Array) -> Array:
        return gated_recurrence(kernel, *arguments[1:]).sum()

    jaxpr = jax.make_jaxpr(jax.grad(loss))(arguments[0]).jaxpr
    scans = [e for e in jaxpr.eqns if e.primitive.name == "scan"]
    carried = [
        variable.aval.shape
        for scan in scans
        for variable in scan.outvars[: scan.params["num_carry"]]
    ]
    assert carried == [(STREAMS, DIALOGUES, WIDTH)] * 2


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
