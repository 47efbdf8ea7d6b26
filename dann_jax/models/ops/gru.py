"""Gated recurrent units over turns, with their gradient written out; see `turns`."""

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
    """Of several streams of gated recurrent units; gates in the order r, z, c.

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
def gated_recurrence(weights: Weights, x: Array, seen: Array, fresh: Array) -> Array:
    """States of several streams of gated recurrent units after every turn.

    `r = sigmoid(x W_r + b_r + h U_r)`, `z = sigmoid(x W_z + b_z + h U_z)`,
    `c = tanh(x W_c + b_c + r (h U_c + a))`, `h' = (1 - z) c + z h`.

    Args:
      weights: of each stream.
      x: inputs, float `[streams, T, B, dim]`.
      seen: bool `[streams, T, B, 1]`; where False the state stays as it is.
      fresh: bool `[streams, T, B, 1]`; where True the state is forgotten first.

    Returns:
      Float `[streams, T, B, width]`.

    Reference: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder",
    EMNLP 2014; the candidate uses the reset gate after the product, as cuDNN does.
    """
    return _forwards(weights, x, seen, fresh)[0]


def _forwards(
    weights: Weights, x: Array, seen: Array, fresh: Array
) -> tuple[Array, tuple]:
    kernels, biases = gates_of(weights.recurrent), gates_of(weights.input_bias)
    inputs = [jnp.einsum("stbd,sdw->stbw", x, w) for w in gates_of(weights.input)]

    def turn(state: Array, here: tuple, made: tuple) -> tuple[Array, tuple]:
        seen, fresh = here
        state = jnp.where(fresh, 0.0, state)
        x_r, x_z, x_c = (x + b for x, b in zip(made[:3], biases, strict=True))
        h_r, h_z, h_c = (stream_product(state, kernel) for kernel in kernels)
        reset, update = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        recalled = h_c + weights.candidate_bias
        candidate = jnp.tanh(x_c + reset * recalled)
        state = jnp.where(seen, candidate + update * (state - candidate), state)
        return state, (reset, update, candidate, recalled, state)

    empty = jnp.zeros_like(inputs[0])
    made = (*inputs, empty, empty)
    *kept, states = over_turns(turn, empty[:, 0], (seen, fresh), made)
    return states, (weights, x, seen, fresh, states, kept)


def _backwards(residuals: tuple, gradient: Array) -> tuple:
    weights, x, seen, fresh, states, kept = residuals
    kernels = [materialised(k.swapaxes(1, 2)) for k in gates_of(weights.recurrent)]
    one_later = [(0, 0, 0), (1, -1, 0), (0, 0, 0), (0, 0, 0)]
    before = jax.lax.pad(states, jnp.zeros((), states.dtype), one_later)
    before = jnp.where(fresh, 0.0, before)

    def turn(later: Array, here: tuple, made: tuple) -> tuple[Array, tuple]:
        (now, before, seen, fresh), (reset, update, candidate, recalled) = here, made
        now = now + later
        new = jnp.where(seen, now, 0.0)
        d_update = new * (before - candidate) * update * (1 - update)
        d_candidate = new * (1 - update) * (1 - candidate * candidate)
        d_reset = d_candidate * recalled * reset * (1 - reset)
        d_recalled = d_candidate * reset
        earlier = jnp.where(seen, now * update, now)
        for d, kernel in zip((d_reset, d_update, d_recalled), kernels, strict=True):
            earlier += stream_product(d, kernel)
        earlier = jnp.where(fresh, 0.0, earlier)
        return earlier, (d_reset, d_update, d_candidate, d_recalled)

    d_reset, d_update, d_candidate, d_recalled = over_turns(
        turn,
        jnp.zeros_like(gradient[:, 0]),
        (gradient, before, seen, fresh),
        tuple(kept),
        backwards=True,
    )
    d_gates = (d_reset, d_update, d_candidate)
    d_products = (d_reset, d_update, d_recalled)
    d_weights = Weights(
        input=joined(kernel_gradient(x, d) for d in d_gates),
        input_bias=joined(total(d) for d in d_gates),
        recurrent=joined(kernel_gradient(before, d) for d in d_products),
        candidate_bias=total(d_recalled),
    )
    d_x = sum(
        jnp.einsum("srw,sdw->srd", rows_of(d), w)
        for d, w in zip(d_gates, gates_of(weights.input), strict=True)
    )
    return d_weights, d_x.reshape(x.shape), None, None


gated_recurrence.defvjp(_forwards, _backwards)


@jax.custom_vjp
def permuted(x: Array, order: Array, inverse: Array) -> Array:
    """Turns of `x` `[B, T, D]` in another order, int `[B, T]`, whose inverse is known.

    That the order is a permutation makes the gradient a gather too, and no scatter,
    which took longer on CPU than all the rest of the encoder.
    """
    return jnp.take_along_axis(x, order[..., None], 1)


def _permuted_forwards(x: Array, order: Array, inverse: Array) -> tuple[Array, Array]:
    return permuted(x, order, inverse), (order, inverse)


def _permuted_backwards(orders: tuple[Array, Array], gradient: Array) -> tuple:
    order, inverse = orders
    return permuted(gradient, inverse, order), None, None


permuted.defvjp(_permuted_forwards, _permuted_backwards)
