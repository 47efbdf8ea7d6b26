"""Long short-term memories, with their gradient written out; see `turns`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from dann_jax.models.ops.fusion_barrier import materialised
from dann_jax.models.ops.turns import (
    gates_of,
    joined,
    kernel_gradient,
    over_turns,
    rows_of,
    stream_product,
    total,
)
from dann_jax.types import Array


class Weights(NamedTuple):
    """Of several streams of memories; gates in the order i, f, o, g.

    Attributes:
      input: `W`, float `[streams, dim, 4 width]`.
      bias: `b`, float `[streams, 1, 4 width]`.
      recurrent: `U`, float `[streams, width, 4 width]`.
    """

    input: Array
    bias: Array
    recurrent: Array


@jax.custom_vjp
def long_short_term_memory(weights: Weights, x: Array, seen: Array) -> Array:
    """Outputs of several streams of memories after every turn (or frame).

    `i = sigmoid(x W_i + b_i + h U_i)`, `f` and `o` likewise,
    `g = tanh(x W_g + b_g + h U_g)`, `c' = f c + i g`, `h' = o tanh(c')`.

    Args:
      weights: of each stream.
      x: inputs, float `[streams, T, B, dim]`.
      seen: bool `[streams, T, B, 1]`; where False `c` and `h` stay as they are.

    Returns:
      `h`, float `[streams, T, B, width]`.

    Reference: Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation
    9 (1997), with the forget gate of Gers et al. (2000).
    """
    return _forwards(weights, x, seen)[0]


def _forwards(weights: Weights, x: Array, seen: Array) -> tuple[Array, tuple]:
    kernels, biases = gates_of(weights.recurrent, 4), gates_of(weights.bias, 4)
    inputs = [jnp.einsum("stbd,sdw->stbw", x, w) for w in gates_of(weights.input, 4)]

    def turn(state: tuple, seen: Array, made: tuple) -> tuple[tuple, tuple]:
        hidden, cell = state
        i, f, o, g = (
            x + bias + stream_product(hidden, kernel)
            for x, bias, kernel in zip(made[:4], biases, kernels, strict=True)
        )
        i, f, o = (jax.nn.sigmoid(gate) for gate in (i, f, o))
        g = jnp.tanh(g)
        new = f * cell + i * g
        told = jnp.tanh(new)
        hidden = jnp.where(seen, o * told, hidden)
        after = jnp.where(seen, new, cell)
        return (hidden, after), (i, f, o, g, told, cell, hidden)

    empty = jnp.zeros_like(inputs[0])
    made = (*inputs, empty, empty, empty)
    start = (empty[:, 0], empty[:, 0])
    *kept, states = over_turns(turn, start, seen, made)
    return states, (weights, x, seen, states, kept)


def _backwards(residuals: tuple, gradient: Array) -> tuple:
    weights, x, seen, states, kept = residuals
    kernels = [materialised(k.swapaxes(1, 2)) for k in gates_of(weights.recurrent, 4)]

    def turn(later: tuple, here: tuple, made: tuple) -> tuple[tuple, tuple]:
        (now, seen, told, cell), (i, f, o, g) = here, made
        d_hidden, d_cell = now + later[0], later[1]
        new = jnp.where(seen, d_hidden, 0.0)
        d_new = jnp.where(seen, d_cell + new * o * (1 - told * told), 0.0)
        d_gates = (
            d_new * g * i * (1 - i),
            d_new * cell * f * (1 - f),
            new * told * o * (1 - o),
            d_new * i * (1 - g * g),
        )
        earlier = jnp.where(seen, 0.0, d_hidden)
        for d, kernel in zip(d_gates, kernels, strict=True):
            earlier += stream_product(d, kernel)
        return (earlier, jnp.where(seen, d_new * f, d_cell)), d_gates

    *gates, told, cells = kept
    nothing = jnp.zeros_like(gradient[:, 0])
    d_gates = over_turns(
        turn,
        (nothing, nothing),
        (gradient, seen, told, cells),
        tuple(gates),
        backwards=True,
    )
    one_later = [(0, 0, 0), (1, -1, 0), (0, 0, 0), (0, 0, 0)]
    before = jax.lax.pad(states, jnp.zeros((), states.dtype), one_later)
    d_weights = Weights(
        input=joined(kernel_gradient(x, d) for d in d_gates),
        bias=joined(total(d) for d in d_gates),
        recurrent=joined(kernel_gradient(before, d) for d in d_gates),
    )
    d_x = sum(
        jnp.einsum("srw,sdw->srd", rows_of(d), w)
        for d, w in zip(d_gates, gates_of(weights.input, 4), strict=True)
    )
    return d_weights, d_x.reshape(x.shape), None


long_short_term_memory.defvjp(_forwards, _backwards)
