"""Gated recurrent units over turns with a hand-written gradient; see `time_loop`."""

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


class GruWeights(NamedTuple):
    """Parameters of several streams of gated recurrent units; gates are r, z, c.

    Attributes:
      input: `W`, float `[streams, dim, 3 width]`.
      input_bias: `b`, float `[streams, 1, 3 width]`.
      recurrent: `U`, float `[streams, width, 3 width]`.
      candidate_bias: `a`, float `[streams, 1, width]`.
    """

    input: Array
    input_bias: Array
    recurrent: Array
    candidate_bias: Array


@jax.custom_vjp
def gated_recurrence(
    weights: GruWeights, x: Array, mask: Array, reset_mask: Array
) -> Array:
    """States of several streams of gated recurrent units after every turn.

    `r = sigmoid(x W_r + b_r + h U_r)`, `z = sigmoid(x W_z + b_z + h U_z)`,
    `c = tanh(x W_c + b_c + r (h U_c + a))`, `h' = (1 - z) c + z h`.

    Args:
      weights: of each stream.
      x: inputs, float `[streams, T, B, dim]`.
      mask: bool `[streams, T, B, 1]`; where False the state stays as it is.
      reset_mask: bool `[streams, T, B, 1]`; where True the state is forgotten first.

    Returns:
      Float `[streams, T, B, width]`.

    Reference: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder",
    EMNLP 2014; the candidate uses the reset gate after the product, as cuDNN does.
    """
    return _forwards(weights, x, mask, reset_mask)[0]


def _forwards(
    weights: GruWeights, x: Array, mask: Array, reset_mask: Array
) -> tuple[Array, tuple]:
    kernels, biases = split_gates(weights.recurrent), split_gates(weights.input_bias)
    inputs = [jnp.einsum("stbd,sdw->stbw", x, w) for w in split_gates(weights.input)]

    def turn(state: Array, inputs_now: tuple, per_step: tuple) -> tuple[Array, tuple]:
        mask, reset_mask = inputs_now
        state = jnp.where(reset_mask, 0.0, state)
        x_r, x_z, x_c = (x + b for x, b in zip(per_step[:3], biases, strict=True))
        h_r, h_z, h_c = (stream_product(state, kernel) for kernel in kernels)
        reset, update = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        hidden_candidate = h_c + weights.candidate_bias
        candidate = jnp.tanh(x_c + reset * hidden_candidate)
        state = jnp.where(mask, candidate + update * (state - candidate), state)
        return state, (reset, update, candidate, hidden_candidate, state)

    zeros = jnp.zeros_like(inputs[0])
    per_step = (*inputs, zeros, zeros)
    *residual_steps, states = scan_time(turn, zeros[:, 0], (mask, reset_mask), per_step)
    return states, (weights, x, mask, reset_mask, states, residual_steps)


def _backwards(residuals: tuple, gradient: Array) -> tuple:
    weights, x, mask, reset_mask, states, residual_steps = residuals
    kernels = [fusion_barrier(k.swapaxes(1, 2)) for k in split_gates(weights.recurrent)]
    one_later = [(0, 0, 0), (1, -1, 0), (0, 0, 0), (0, 0, 0)]
    previous = jax.lax.pad(states, jnp.zeros((), states.dtype), one_later)
    previous = jnp.where(reset_mask, 0.0, previous)

    def turn(d_state: Array, inputs_now: tuple, per_step: tuple) -> tuple[Array, tuple]:
        (
            (d_output, previous, mask, reset_mask),
            (reset, update, candidate, hidden_candidate),
        ) = inputs_now, per_step
        d_output = d_output + d_state
        new = jnp.where(mask, d_output, 0.0)
        d_update = new * (previous - candidate) * update * (1 - update)
        d_candidate = new * (1 - update) * (1 - candidate * candidate)
        d_reset = d_candidate * hidden_candidate * reset * (1 - reset)
        d_hidden_candidate = d_candidate * reset
        earlier = jnp.where(mask, d_output * update, d_output)
        for d, kernel in zip(
            (d_reset, d_update, d_hidden_candidate), kernels, strict=True
        ):
            earlier += stream_product(d, kernel)
        earlier = jnp.where(reset_mask, 0.0, earlier)
        return earlier, (d_reset, d_update, d_candidate, d_hidden_candidate)

    d_reset, d_update, d_candidate, d_hidden_candidate = scan_time(
        turn,
        jnp.zeros_like(gradient[:, 0]),
        (gradient, previous, mask, reset_mask),
        tuple(residual_steps),
        backwards=True,
    )
    d_gates = (d_reset, d_update, d_candidate)
    d_products = (d_reset, d_update, d_hidden_candidate)
    d_weights = GruWeights(
        input=concat_gates(kernel_gradient(x, d) for d in d_gates),
        input_bias=concat_gates(sum_time(d) for d in d_gates),
        recurrent=concat_gates(kernel_gradient(previous, d) for d in d_products),
        candidate_bias=sum_time(d_hidden_candidate),
    )
    d_x = sum(
        jnp.einsum("srw,sdw->srd", rows_of(d), w)
        for d, w in zip(d_gates, split_gates(weights.input), strict=True)
    )
    return d_weights, jnp.reshape(d_x, x.shape), None, None


gated_recurrence.defvjp(_forwards, _backwards)


@jax.custom_vjp
def permuted(x: Array, order: Array, inverse: Array) -> Array:
    """Turns of `x` in another order, whose gradient is a gather.

    The gradient of a gather is in general a scatter, which took longer on CPU than all
    the rest of the encoder; that of a permutation is a gather by its inverse.

    Args:
      x: float `[B, T, D]`.
      order: a permutation of the turns, int `[B, T]`.
      inverse: its inverse, int `[B, T]`.

    Returns:
      Float `[B, T, D]`.
    """
    return jnp.take_along_axis(x, order[..., None], 1)


def _permuted_forwards(x: Array, order: Array, inverse: Array) -> tuple[Array, tuple]:
    return permuted(x, order, inverse), (order, inverse)


def _permuted_backwards(orders: tuple[Array, Array], gradient: Array) -> tuple:
    order, inverse = orders
    return permuted(gradient, inverse, order), None, None


permuted.defvjp(_permuted_forwards, _permuted_backwards)
