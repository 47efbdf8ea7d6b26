"""The product of a dense layer, with a hand-written gradient."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from dann_jax.models.ops.fusion_barrier import fusion_barrier
from dann_jax.types import Array


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def dense_product(
    x: Array,
    kernel: Array,
    dimension_numbers: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Array:
    """`x` times `kernel`, in place of `jax.lax.dot_general` in a dense layer of Flax.

    The gradient that JAX derives has a transposed result, and XLA on CPU then
    transposes whole operands, element by element, with all that was fused into them.
    Here only the narrower operand is transposed, once.

    Args:
      x: float `[..., *inner]`.
      kernel: float `[*inner, *outer]`.
      dimension_numbers: those of a dense layer: the last axes of `x` with the first of
        `kernel`, in their order, and no batch axes.
      precision: as for `jax.lax.dot_general`.
      preferred_element_type: as for `jax.lax.dot_general`.

    Returns:
      Float `[..., *outer]`.

    Example:
      >>> from flax import linen as nn
      >>> layer = nn.Dense(3, dot_general=dense_product)
      >>> layer.init_with_output(jax.random.key(0), jnp.ones((2, 4)))[0].shape
      (2, 3)
    """
    return jax.lax.dot_general(
        x, kernel, dimension_numbers, precision, preferred_element_type
    )


def _forwards(x: Array, kernel: Array, *options: Any) -> tuple[Array, tuple]:
    return dense_product(x, kernel, *options), (x, kernel)


def _backwards(
    dimension_numbers: Any,
    precision: Any,
    preferred_element_type: Any,
    residuals: tuple[Array, Array],
    gradient: Array,
) -> tuple[Array, Array]:
    x, kernel = residuals
    (contracted, _), _ = dimension_numbers
    inner = math.prod(kernel.shape[: len(contracted)])
    rows, flat = x.reshape(-1, inner), kernel.reshape(inner, -1)
    gradient = fusion_barrier(gradient.reshape(-1, flat.shape[1]).astype(x.dtype))
    times = functools.partial(jnp.matmul, precision=precision)
    d_x = times(gradient, flat.T)
    if flat.shape[1] < inner:
        d_kernel = fusion_barrier(times(fusion_barrier(gradient.T), rows)).T
    else:
        d_kernel = times(fusion_barrier(rows.T), gradient)
    return d_x.reshape(x.shape), d_kernel.reshape(kernel.shape)


dense_product.defvjp(_forwards, _backwards)
