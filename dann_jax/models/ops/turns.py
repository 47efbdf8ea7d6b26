"""Loops over turns or frames whose gradient is written out.

Differentiated by JAX, a loop adds to the gradient of its kernel in every turn, keeps
what it needs not, and joins what was split by adding up padded arrays. Here the loop
backwards hands on what it has for each turn, and matrix products make the gradients of
it. Streams come first, then turns, so that none of the products needs a transposed copy
of its operands: those copies took longer than the loops.
"""

from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp

from dann_jax.models.ops.fusion_barrier import materialised
from dann_jax.types import Array, PyTree


def over_turns(
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


def gates_of(joined: Array, count: int = 3) -> list[Array]:
    """What is of each gate, of the last axis.

    XLA's loops on CPU are vectorised only over arrays that they need not slice, which
    is ten times as fast: each gate has arrays of its own.
    """
    return jnp.split(joined, count, -1)


def joined(gates: Iterable[Array]) -> Array:
    """The other way round."""
    return jnp.concatenate(list(gates), -1)


def stream_product(states: Array, kernels: Array) -> Array:
    """Of each stream, `[streams, B, n] x [streams, n, m]`."""
    return jnp.einsum("sbn,snm->sbm", states, kernels)


def kernel_gradient(x: Array, gradient: Array) -> Array:
    """Of each stream, `[streams, T, B, n]` and `[streams, T, B, m]` to `[.., n, m]`."""
    turned = materialised(rows_of(x).swapaxes(1, 2))
    return jnp.einsum("snr,srm->snm", turned, rows_of(gradient))


def rows_of(x: Array) -> Array:
    """`[streams, T, B, n]` as `[streams, T B, n]`."""
    return x.reshape(x.shape[0], -1, x.shape[-1])


def total(gradient: Array) -> Array:
    """`[streams, T, B, n]` added up to `[streams, 1, n]`."""
    return gradient.sum((1, 2))[:, None]
