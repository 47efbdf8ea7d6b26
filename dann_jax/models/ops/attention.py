"""Scaled dot-product attention, with a hand-written gradient."""

import jax
import jax.numpy as jnp

from dann_jax.models.ops.fusion_barrier import fusion_barrier
from dann_jax.types import Array

MASK_VALUE = jnp.finfo(jnp.float32).min / 2
"""What is added to the logit of a masked key: half of the lowest finite float32."""


def attend(query: Array, key: Array, value: Array, *, bias: Array) -> Array:
    """Scaled dot-product attention, as `attention_fn` of Flax.

    `softmax(q k / sqrt(depth) + bias) v`. A query that may attend to no key gets the
    mean of all values; the caller has to mask it. The gradient that JAX derives passes
    over the attention weights three more times; here the term that the softmax
    subtracts is computed from the output.

    Args:
      query: float `[B, T, heads, depth]`.
      key: float `[B, T, heads, depth]`.
      value: float `[B, T, heads, depth]`.
      bias: float32 `[B, heads, T, T]`, for each query and key 0 or `MASK_VALUE`. It
        gets no gradient.

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
    """`attend` for arrays `[B, heads, T, depth]` whose query is scaled already."""
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
    gradient = fusion_barrier((gradient / total).astype(value.dtype))
    row_sum = (gradient * output).sum(-1, keepdims=True)
    d_weights = jnp.einsum("bhqd,bhkd->bhqk", gradient, value)
    d_logits = fusion_barrier(weights * (d_weights - row_sum))
    d_query = jnp.einsum("bhqk,bhkd->bhqd", d_logits, key)
    d_key = jnp.einsum("bhqk,bhqd->bhkd", d_logits, query)
    d_value = jnp.einsum("bhqk,bhqd->bhkd", weights, gradient)
    return d_query, d_key, d_value, None


_attention.defvjp(_forwards, _backwards)
