"""Gated recurrent units over turns, with their gradient written out.

Differentiated by JAX, a loop adds to the gradient of its kernel in every turn, keeps
what it needs not, and joins what was split by adding up padded arrays. Here the loop
backwards hands on what it has for each turn, and matrix products make the gradients of
it. Streams come first, then turns, so that none of the products needs a transposed copy
of its operands: those copies took longer than the loops.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from dann_jax.materialised import materialised
from dann_jax.types import Array, PyTree


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
    # Each gate has arrays of its own: XLA's loops on CPU are vectorised only over
    # arrays that they need not slice, which is ten times as fast.
    kernels, biases = _gates(weights.recurrent), _gates(weights.input_bias)
    inputs = [jnp.einsum("stbd,sdw->stbw", x, w) for w in _gates(weights.input)]

    def turn(state: Array, here: tuple, made: tuple) -> tuple[Array, tuple]:
        seen, fresh = here
        state = jnp.where(fresh, 0.0, state)
        x_r, x_z, x_c = (x + b for x, b in zip(made[:3], biases, strict=True))
        h_r, h_z, h_c = (_product(state, kernel) for kernel in kernels)
        reset, update = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        recalled = h_c + weights.candidate_bias
        candidate = jnp.tanh(x_c + reset * recalled)
        state = jnp.where(seen, candidate + update * (state - candidate), state)
        return state, (reset, update, candidate, recalled, state)

    empty = jnp.zeros_like(inputs[0])
    made = (*inputs, empty, empty)
    *kept, states = _over_turns(turn, empty[:, 0], (seen, fresh), made)
    return states, (weights, x, seen, fresh, states, kept)


def _backwards(residuals: tuple, gradient: Array) -> tuple:
    weights, x, seen, fresh, states, kept = residuals
    kernels = [materialised(k.swapaxes(1, 2)) for k in _gates(weights.recurrent)]
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
            earlier += _product(d, kernel)
        earlier = jnp.where(fresh, 0.0, earlier)
        return earlier, (d_reset, d_update, d_candidate, d_recalled)

    d_reset, d_update, d_candidate, d_recalled = _over_turns(
        turn,
        jnp.zeros_like(gradient[:, 0]),
        (gradient, before, seen, fresh),
        tuple(kept),
        backwards=True,
    )
    d_gates = (d_reset, d_update, d_candidate)
    d_products = (d_reset, d_update, d_recalled)
    d_weights = Weights(
        input=_joined(_kernel_gradient(x, d) for d in d_gates),
        input_bias=_joined(_total(d) for d in d_gates),
        recurrent=_joined(_kernel_gradient(before, d) for d in d_products),
        candidate_bias=_total(d_recalled),
    )
    d_x = sum(
        jnp.einsum("srw,sdw->srd", _rows(d), w)
        for d, w in zip(d_gates, _gates(weights.input), strict=True)
    )
    return d_weights, d_x.reshape(x.shape), None, None


gated_recurrence.defvjp(_forwards, _backwards)


def _over_turns(
    turn: Callable[[Array, PyTree, PyTree], tuple[Array, PyTree]],
    state: Array,
    read: PyTree,
    made: PyTree,
    *,
    backwards: bool = False,
) -> PyTree:
    """A loop over the second axis that writes where it has read.

    `turn(state, read[:, t], made[:, t]) -> state, made[:, t]`. `jax.lax.scan` would
    fill each array that is made with zeros first, and fetch it from memory again.
    """
    count = jax.tree.leaves(read)[0].shape[1]
    first, further = (count - 1, -1) if backwards else (0, 1)
    along = {"axis": 1, "allow_negative_indices": False}

    def at(arrays: PyTree, now: Array | int) -> PyTree:
        return jax.tree.map(
            lambda leaf: jax.lax.dynamic_index_in_dim(
                leaf, now, keepdims=False, **along
            ),
            arrays,
        )

    def step(index: Array, moving: tuple) -> tuple:
        state, here, made = moving
        now = first + further * index
        state, new = turn(state, at(read, now), here)
        made = jax.tree.map(
            lambda leaf, one: jax.lax.dynamic_update_index_in_dim(
                leaf, one, now, **along
            ),
            made,
            new,
        )
        # What the next turn reads is read here, of what was just written: were it read
        # there, before the writing, XLA would copy whole arrays in every turn.
        return state, at(made, now + further), made

    start = (state, at(made, first), made)
    return jax.lax.fori_loop(0, count, step, start)[2]


def _gates(joined: Array) -> list[Array]:
    return jnp.split(joined, 3, -1)


def _joined(gates: Iterable[Array]) -> Array:
    return jnp.concatenate(list(gates), -1)


def _product(states: Array, kernels: Array) -> Array:
    """Of each stream, `[streams, B, n] x [streams, n, m]`."""
    return jnp.einsum("sbn,snm->sbm", states, kernels)


def _kernel_gradient(x: Array, gradient: Array) -> Array:
    turned = materialised(_rows(x).swapaxes(1, 2))
    return jnp.einsum("snr,srm->snm", turned, _rows(gradient))


def _rows(x: Array) -> Array:
    """`[streams, T, B, n]` as `[streams, T B, n]`."""
    return x.reshape(x.shape[0], -1, x.shape[-1])


def _total(gradient: Array) -> Array:
    """`[streams, T, B, n]` added up to `[streams, 1, n]`."""
    return gradient.sum((1, 2))[:, None]


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
