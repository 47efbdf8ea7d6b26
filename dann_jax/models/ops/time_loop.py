"""Loops over turns or frames, for recurrent layers with a hand-written gradient.

The gradient that JAX derives accumulates the kernel's gradient in every step, stores
more residuals than needed, and joins split arrays by adding padded ones. Here the
backward loop returns the gate gradients of every step, and one matrix product over all
steps gives the gradient of each kernel. Arrays are `[streams, T, B, ...]`, so that no
product needs a transposed copy of its operands; such copies took longer than the loops.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from dann_jax.models.ops.fusion_barrier import fusion_barrier
from dann_jax.types import Array, PyTree


def scan_time(
    turn: Callable[[Any, PyTree, PyTree], tuple[PyTree, PyTree]],
    state: PyTree,
    inputs: PyTree,
    buffers: PyTree,
    *,
    backwards: bool = False,
) -> PyTree:
    """A loop over the time axis that overwrites its buffers step by step.

    `turn(state, inputs[:, t], buffers[:, t]) -> state, buffers[:, t]`. `jax.lax.scan`
    would fill each output with zeros first, and fetch it from memory again.

    Args:
      turn: one step.
      state: before the first step; arrays `[streams, B, ...]`.
      inputs: arrays `[streams, T, B, ...]`, read only.
      buffers: arrays `[streams, T, B, ...]`: more inputs, replaced by the outputs.
      backwards: start at the last step.

    Returns:
      The buffers, as `turn` left them.
    """
    count = jax.tree.leaves(inputs)[0].shape[1]
    first, direction = (count - 1, -1) if backwards else (0, 1)
    along = {"axis": 1, "allow_negative_indices": False}

    def at(arrays: PyTree, time: Array | int) -> PyTree:
        return jax.tree.map(
            lambda leaf: jax.lax.dynamic_index_in_dim(
                leaf, time, keepdims=False, **along
            ),
            arrays,
        )

    def step(index: Array, carry: tuple) -> tuple:
        state, buffers_now, buffers = carry
        time = first + direction * index
        state, new = turn(state, at(inputs, time), buffers_now)
        buffers = jax.tree.map(
            lambda leaf, one: jax.lax.dynamic_update_index_in_dim(
                leaf, one, time, **along
            ),
            buffers,
            new,
        )
        # What the next turn reads is read here, of what was just written: were it read
        # there, before the writing, XLA would copy whole arrays in every turn.
        return state, at(buffers, time + direction), buffers

    start = (state, at(buffers, first), buffers)
    return jax.lax.fori_loop(0, count, step, start)[2]


def split_gates(gates: Array, count: int = 3) -> Sequence[Array]:
    """`[..., count * width]` as `count` arrays `[..., width]`.

    XLA's loops on CPU are vectorised only over arrays that they need not slice, which
    is ten times as fast: so each gate gets an array to itself.
    """
    return jnp.split(gates, count, -1)


def concat_gates(gates: Iterable[Array]) -> Array:
    """Arrays `[..., width]` as one `[..., count * width]`; undoes `split_gates`."""
    return jnp.concatenate(list(gates), -1)


def stream_product(states: Array, kernels: Array) -> Array:
    """One product a stream: `[streams, B, n] x [streams, n, m] -> [streams, B, m]`."""
    return jnp.einsum("sbn,snm->sbm", states, kernels)


def kernel_gradient(x: Array, gradient: Array) -> Array:
    """Gradient of a kernel, summed over steps and batch.

    Args:
      x: what the kernel was applied to, float `[streams, T, B, n]`.
      gradient: of the product, float `[streams, T, B, m]`.

    Returns:
      Float `[streams, n, m]`.
    """
    transposed = fusion_barrier(rows_of(x).swapaxes(1, 2))
    return jnp.einsum("snr,srm->snm", transposed, rows_of(gradient))


def rows_of(x: Array) -> Array:
    """`[streams, T, B, n]` as `[streams, T B, n]`."""
    return x.reshape(x.shape[0], -1, x.shape[-1])


def sum_time(gradient: Array) -> Array:
    """`[streams, T, B, n]` added up to `[streams, 1, n]`."""
    return gradient.sum((1, 2))[:, None]
