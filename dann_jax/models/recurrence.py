"""The loop of gated recurrent units, with its gradient written out.

Differentiated by JAX, a loop adds to the gradient of its kernel in every turn and keeps
what it needs not. Here the loop backwards hands on what it has for each turn, and one
matrix product makes the gradient of it.
"""

import jax
import jax.numpy as jnp

from dann_jax.types import Array

Gates = tuple[Array, Array, Array]
"""Of the reset gate, the update gate and the candidate.

Apart from each other and not in one array: XLA's loops on CPU are vectorised only over
arrays that they need not slice, which is ten times as fast.
"""


@jax.custom_vjp
def gated_recurrence(
    kernel: Array, bias: Array, inputs: Gates, seen: Array, fresh: Array
) -> Array:
    """States of several streams of gated recurrent units after every turn.

    `r = sigmoid(x_r + h U_r)`, `z = sigmoid(x_z + h U_z)`, `c = tanh(x_c + r (h U_c +
    b))`, `h' = (1 - z) c + z h`, with `x` the projected inputs, their biases included.

    Args:
      kernel: `U`, float `[streams, width, 3 width]`, in the order r, z, c.
      bias: `b`, float `[streams, 1, width]`.
      inputs: `x`, each float `[T, streams, B, width]`.
      seen: bool `[T, streams, B, 1]`; where False the state stays as it is.
      fresh: bool `[T, streams, B, 1]`; where True the state is forgotten first.

    Returns:
      Float `[T, streams, B, width]`.

    Reference: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder",
    EMNLP 2014; the candidate uses the reset gate after the product, as cuDNN does.
    """
    return _forwards(kernel, bias, inputs, seen, fresh)[0]


def _forwards(
    kernel: Array, bias: Array, inputs: Gates, seen: Array, fresh: Array
) -> tuple[Array, tuple]:
    kernels = jnp.split(kernel, 3, -1)

    def turn(state: Array, step: tuple) -> tuple[Array, tuple]:
        (reset, update, candidate), seen, fresh = step
        state = jnp.where(fresh, 0.0, state)
        to_reset, to_update, recalled = (_product(state, k) for k in kernels)
        reset = jax.nn.sigmoid(reset + to_reset)
        update = jax.nn.sigmoid(update + to_update)
        recalled = recalled + bias
        candidate = jnp.tanh(candidate + reset * recalled)
        state = jnp.where(seen, candidate + update * (state - candidate), state)
        return state, (state, reset, update, recalled, candidate)

    start = jnp.zeros_like(inputs[0][0])
    states, *kept = jax.lax.scan(turn, start, (inputs, seen, fresh))[1]
    return states, (kernel, seen, fresh, states, kept)


def _backwards(residuals: tuple, gradient: Array) -> tuple:
    kernel, seen, fresh, states, kept = residuals
    before = jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])
    before = jnp.where(fresh, 0.0, before)
    kernels = jnp.split(kernel.swapaxes(1, 2), 3, 1)

    def turn(later: Array, step: tuple) -> tuple[Array, tuple]:
        now, before, seen, fresh, (reset, update, recalled, candidate) = step
        now = now + later
        new = jnp.where(seen, now, 0.0)
        d_update = new * (before - candidate) * update * (1 - update)
        d_candidate = new * (1 - update) * (1 - candidate * candidate)
        d_reset = d_candidate * recalled * reset * (1 - reset)
        products = d_reset, d_update, d_candidate * reset
        earlier = jnp.where(seen, now * update, now)
        earlier += sum(_product(d, k) for d, k in zip(products, kernels, strict=True))
        return jnp.where(fresh, 0.0, earlier), (products, d_candidate)

    steps = (gradient, before, seen, fresh, kept)
    start = jnp.zeros_like(states[0])
    products, d_candidate = jax.lax.scan(turn, start, steps, reverse=True)[1]
    d_kernels = [jnp.einsum("tsbn,tsbm->snm", before, d) for d in products]
    d_bias = products[2].sum((0, 2))[:, None]
    d_inputs = (*products[:2], d_candidate)
    return jnp.concatenate(d_kernels, -1), d_bias, d_inputs, None, None


gated_recurrence.defvjp(_forwards, _backwards)


def _product(states: Array, kernels: Array) -> Array:
    """Of each stream, `[streams, B, n] x [streams, n, m]`."""
    return jnp.einsum("sbn,snm->sbm", states, kernels)


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
