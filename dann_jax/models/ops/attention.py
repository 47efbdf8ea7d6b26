"""Scaled dot-product attention, with its gradient written out."""

import jax
import jax.numpy as jnp

from dann_jax.models.ops.fusion_barrier import materialised
from dann_jax.types import Array

NOT_HEARD = jnp.finfo(jnp.float32).min / 2
"""What is added to a logit so that its turn is not heard; half of what overflows."""


def attend(query: Array, key: Array, value: Array, *, bias: Array) -> Array:
    """Scaled dot-product attention, as `attention_fn` of Flax.

    `softmax(q k / sqrt(depth) + bias) v`. A query that hears nobody gets the mean of
    all values, and is for the caller to leave out. Differentiated by JAX, the softmax
    goes over the weights three more times; here what it subtracts is a sum over the
    output.

    Args:
      query: float `[B, T, heads, depth]`.
      key: float `[B, T, heads, depth]`.
      value: float `[B, T, heads, depth]`.
      bias: float32 `[B, heads, T, T]`, of each query and key 0 or `NOT_HEARD`. It gets
        no gradient.

    Returns:
      Float `[B, T, heads, depth]`.

    Reference: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, equation 1;
    for the gradient, Dao et al., "FlashAttention", NeurIPS 2022, appendix B.2.
    """
    scale = jnp.sqrt(query.shape[-1]).astype(query.dtype)
    by_head = (x.swapaxes(1, 2) for x in (query / scale, key, value))
    return _attention(*by_head, bias).swapaxes(1, 2)


@jax.custom_vjp
def _attention(query: Array, key: Array, value: Array, bias: Array) -> Array:
    """The same of `[B, heads, T, depth]`, scaled before."""
    return _forwards(query, key, value, bias)[0]


def _forwards(
    query: Array, key: Array, value: Array, bias: Array
) -> tuple[Array, tuple]:
    logits = jnp.einsum("bhqd,bhkd->bhqk", query, key) + bias
    weights = jnp.exp(logits - logits.max(-1, keepdims=True))
    total = weights.sum(-1, keepdims=True)
    weights = weights.astype(value.dtype)
    output = jnp.einsum("bhqk,bhkd->bhqd", weights, value) / total
    output = output.astype(value.dtype)
    return output, (query, key, value, weights, total, output)


def _backwards(residuals: tuple, gradient: Array) -> tuple:
    query, key, value, weights, total, output = residuals
    gradient = materialised((gradient / total).astype(value.dtype))
    lost = (gradient * output).sum(-1, keepdims=True)
    d_weights = jnp.einsum("bhqd,bhkd->bhqk", gradient, value)
    d_logits = materialised(weights * (d_weights - lost))
    d_query = jnp.einsum("bhqk,bhkd->bhqd", d_logits, key)
    d_key = jnp.einsum("bhqk,bhqd->bhkd", d_logits, query)
    d_value = jnp.einsum("bhqk,bhqd->bhkd", weights, gradient)
    return d_query, d_key, d_value, None


_attention.defvjp(_forwards, _backwards)
