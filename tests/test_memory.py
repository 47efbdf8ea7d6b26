"""The written-out gradient of the LSTM is the one that JAX finds for its formulas."""

import jax
import jax.numpy as jnp
import numpy as np

from dann_jax.models.ops.lstm import LstmWeights, long_short_term_memory
from dann_jax.types import Array

TURNS, STREAMS, ROWS, DIM, WIDTH = 6, 2, 3, 5, 4
RNG = np.random.default_rng(0)


def plain(weights: LstmWeights, x: Array, seen: Array) -> Array:
    """One turn after another, as the docstring has it."""
    hidden = cell = jnp.zeros((STREAMS, ROWS, WIDTH))
    states = []
    for turn in range(TURNS):
        gates = jnp.einsum("sbd,sdw->sbw", x[:, turn], weights.input) + weights.bias
        gates += jnp.einsum("sbn,snm->sbm", hidden, weights.recurrent)
        i, f, o, g = jnp.split(gates, 4, -1)
        i, f, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jax.nn.sigmoid(o)
        new = f * cell + i * jnp.tanh(g)
        hidden = jnp.where(seen[:, turn], o * jnp.tanh(new), hidden)
        cell = jnp.where(seen[:, turn], new, cell)
        states.append(hidden)
    return jnp.stack(states, 1)


def test_states_and_gradients_are_those_of_the_formula() -> None:
    def normal(*sizes: int) -> np.ndarray:
        return np.float32(RNG.normal(size=sizes))

    weights = LstmWeights(
        input=normal(STREAMS, DIM, 4 * WIDTH),
        bias=normal(STREAMS, 1, 4 * WIDTH),
        recurrent=normal(STREAMS, WIDTH, 4 * WIDTH),
    )
    x, weight = normal(STREAMS, TURNS, ROWS, DIM), normal(STREAMS, TURNS, ROWS, WIDTH)
    seen = RNG.random((STREAMS, TURNS, ROWS, 1)) > 0.3

    def of(function):
        def loss(weights, x):
            states = function(weights, x, seen)
            return (states * weight).sum(), states

        return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(weights, x)

    found, expected = of(long_short_term_memory), of(plain)
    for one, other in zip(
        jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert np.abs(other).max() > 0.01
