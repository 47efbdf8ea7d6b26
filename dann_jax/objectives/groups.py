"""Rows by group (domain or class): membership, means, and balancing weights."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, Shaped

from dann_jax.objectives.losses import masked_mean
from dann_jax.types import UNKNOWN, Array


def group_means(
    values: Float[Array, "*rows"], groups: Shaped[Array, " groups *rows"]
) -> tuple[Float[Array, " groups"], Bool[Array, " groups"]]:
    """Mean of the values in each group, and which groups have any.

    Args:
      values: float `[...]`.
      groups: bool or float weights `[groups, ...]`.

    Returns:
      Means `[groups]`, 0 for an empty group, and bool `[groups]`.
    """
    means = jax.vmap(masked_mean, (None, 0))(values, groups)
    return means, jnp.any(groups.reshape(len(groups), -1) > 0, -1)


def members(ids: Int[Array, "*rows"], count: int) -> Bool[Array, " {count} *rows"]:
    """Membership of rows in each id, bool `[count, ...]`; `UNKNOWN` belongs to none.

    Example:
      >>> members(jnp.array([1, -1, 0]), 2).tolist()
      [[False, False, True], [True, False, False]]
    """
    return ids[None] == jnp.arange(count).reshape(-1, *[1] * ids.ndim)


def balancing_weights(ids: Int[Array, "*rows"], count: int) -> Float[Array, "*rows"]:
    """One over how often a row's id occurs; 0 for `UNKNOWN`.

    A mean with these weights is the mean over the ids of their own means.

    Args:
      ids: int `[...]` in `0 ... count - 1`, or `UNKNOWN`.
      count: how many ids there are.

    Returns:
      Float32 `[...]`.

    Example:
      >>> balancing_weights(jnp.array([0, 0, 1, -1]), 2).tolist()
      [0.5, 0.5, 1.0, 0.0]
    """
    counts = jnp.bincount(jnp.where(ids == UNKNOWN, count, ids).ravel(), length=count)
    weight = 1.0 / jnp.maximum(counts, 1)[ids]
    return jnp.where(ids == UNKNOWN, 0.0, weight.astype(jnp.float32))
