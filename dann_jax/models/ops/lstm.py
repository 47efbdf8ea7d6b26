"""Long short-term memory (LSTM) with a hand-written gradient; see `time_loop`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from dann_jax.models.ops.fusion_barrier import fusion_barrier
from dann_jax.models.ops.time_loop import (
    concat_gates,
    kernel_gradient,
    rows_of,
    scan_time,
    split_gates,
    stream_product,
    sum_time,
)
from dann_jax.types import Array


class LstmWeights(NamedTuple):
    """Parameters of several LSTM streams; gates are i, f, o, g.

    Attributes:
      input: `W`, float `[streams, dim, 4 width]`.
      bias: `b`, float `[streams, 1, 4 width]`.
      recurrent: `U`, float `[streams, width, 4 width]`.
    """

    input: Array
    bias: Array
    recurrent: Array


@jax.custom_vjp
def long_short_term_memory(weights: LstmWeights, x: Array, mask: Array) -> Array:
    """Outputs of several LSTM streams after every turn (or frame).

    `i = sigmoid(x W_i + b_i + h U_i)`, `f` and `o` likewise,
    `g = tanh(x W_g + b_g + h U_g)`, `c' = f c + i g`, `h' = o tanh(c')`.

    Args:
      weights: of each stream.
      x: inputs, float `[streams, T, B, dim]`.
      mask: bool `[streams, T, B, 1]`; where False `c` and `h` stay as they are.

    Returns:
      `h`, float `[streams, T, B, width]`.

    Reference: Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation
    9 (1997), with the forget gate of Gers et al. (2000).
    """
    return _forwards(weights, x, mask)[0]


def _forwards(weights: LstmWeights, x: Array, mask: Array) -> tuple[Array, tuple]:
    kernels, biases = split_gates(weights.recurrent, 4), split_gates(weights.bias, 4)
    inputs = [jnp.einsum("stbd,sdw->stbw", x, w) for w in split_gates(weights.input, 4)]

    def turn(state: tuple, mask: Array, per_step: tuple) -> tuple[tuple, tuple]:
        hidden, cell = state
        i, f, o, g = (
            x + bias + stream_product(hidden, kernel)
            for x, bias, kernel in zip(per_step[:4], biases, kernels, strict=True)
        )
        i, f, o = (jax.nn.sigmoid(gate) for gate in (i, f, o))
        g = jnp.tanh(g)
        new = f * cell + i * g
        tanh_cell = jnp.tanh(new)
        hidden = jnp.where(mask, o * tanh_cell, hidden)
        after = jnp.where(mask, new, cell)
        return (hidden, after), (i, f, o, g, tanh_cell, cell, hidden)

    zeros = jnp.zeros_like(inputs[0])
    per_step = (*inputs, zeros, zeros, zeros)
    start = (zeros[:, 0], zeros[:, 0])
    *residual_steps, states = scan_time(turn, start, mask, per_step)
    return states, (weights, x, mask, states, residual_steps)


def _backwards(residuals: tuple, gradient: Array) -> tuple:
    weights, x, mask, states, residual_steps = residuals
    kernels = [
        fusion_barrier(k.swapaxes(1, 2)) for k in split_gates(weights.recurrent, 4)
    ]

    def turn(d_state: tuple, inputs_now: tuple, per_step: tuple) -> tuple[tuple, tuple]:
        (d_output, mask, tanh_cell, cell), (i, f, o, g) = inputs_now, per_step
        d_hidden, d_cell = d_output + d_state[0], d_state[1]
        new = jnp.where(mask, d_hidden, 0.0)
        d_new = jnp.where(mask, d_cell + new * o * (1 - tanh_cell * tanh_cell), 0.0)
        d_gates = (
            d_new * g * i * (1 - i),
            d_new * cell * f * (1 - f),
            new * tanh_cell * o * (1 - o),
            d_new * i * (1 - g * g),
        )
        earlier = jnp.where(mask, 0.0, d_hidden)
        for d, kernel in zip(d_gates, kernels, strict=True):
            earlier += stream_product(d, kernel)
        return (earlier, jnp.where(mask, d_new * f, d_cell)), d_gates

    *gates, tanh_cell, cells = residual_steps
    zeros = jnp.zeros_like(gradient[:, 0])
    d_gates = scan_time(
        turn,
        (zeros, zeros),
        (gradient, mask, tanh_cell, cells),
        tuple(gates),
        backwards=True,
    )
    one_later = [(0, 0, 0), (1, -1, 0), (0, 0, 0), (0, 0, 0)]
    previous = jax.lax.pad(states, jnp.zeros((), states.dtype), one_later)
    d_weights = LstmWeights(
        input=concat_gates(kernel_gradient(x, d) for d in d_gates),
        bias=concat_gates(sum_time(d) for d in d_gates),
        recurrent=concat_gates(kernel_gradient(previous, d) for d in d_gates),
    )
    d_x = sum(
        jnp.einsum("srw,sdw->srd", rows_of(d), w)
        for d, w in zip(d_gates, split_gates(weights.input, 4), strict=True)
    )
    return d_weights, jnp.reshape(d_x, x.shape), None


long_short_term_memory.defvjp(_forwards, _backwards)
