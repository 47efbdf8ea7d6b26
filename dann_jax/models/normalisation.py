"""Batch normalisation over the visible rows of a batch, domain by domain.

In training the statistics are those of the batch. In evaluation they are `mean` and
`variance` of the parameter tree, which no gradient reaches and which training leaves
alone: `evaluation.evaluated.normalised_for` fills them in, by one pass over the
right rows, just before the parameters are used. Running averages would not be exact:
what is evaluated is the moving average of the parameters, whose statistics no train
step has seen. As parameters they travel with a bundle and an exported program.

References:
  Ioffe and Szegedy, "Batch Normalization", ICML 2015. Izmailov et al., "Averaging
  Weights Leads to Wider Optima and Better Generalization", UAI 2018, section 3.2, for
  the pass after averaging.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from dann_jax.types import UNKNOWN, Array, Batch, PyTree

BY_DOMAIN = ("separate", "domain_specific", "adaptive")
"""Modes with statistics for every value of a column."""

MODES = ("none", "layer", "joint", *BY_DOMAIN)

MOMENTS = "moments"
"""The collection in which a network reports what it normalises."""

_ENOUGH = 2
"""Rows; a domain with fewer has the statistics of all rows together."""


def normalise(
    x: Array,
    batch: Batch,
    *,
    deterministic: bool,
    name: str = "none",
    column: str = "",
    groups: Sequence[str] = (),
) -> Array:
    """Normalise utterance vectors; invisible rows are ignored and become 0.

    To be called within a module: it adds the submodule `normalisation`.

    Args:
      x: float `[B, T, width]`.
      batch: of which `visible`, and `group` for the modes `BY_DOMAIN`.
      deterministic: use the statistics among the parameters, not those of the batch.
      name: one of `MODES`. `none` returns `x` as it is, `layer` normalises every row by
        itself; `joint` has one set of statistics for all rows, `separate` one for each
        domain, and `domain_specific` a scale and a bias of its own as well; `adaptive`
        is trained as `separate` is, and each domain that is evaluated has the
        statistics of the evaluated rows.
      column: of the corpus, whose values are the domains; recorded, not used.
      groups: the values of this column, in the order of `batch.norm_domain`.

    Returns:
      Float `[B, T, width]`.

    Raises:
      ValueError: there is no such mode, or one `BY_DOMAIN` has no domains.

    References:
      Chang et al., "Domain-Specific Batch Normalization for Unsupervised Domain
      Adaptation", CVPR 2019. Li et al., "Revisiting Batch Normalization For Practical
      Domain Adaptation" (AdaBN, 1603.04779), for `adaptive`.
    """
    if name not in MODES:
        raise ValueError(
            f"unknown normalisation {name!r}; choose from {', '.join(MODES)}"
        )
    if name in BY_DOMAIN and not groups:
        raise ValueError(f"normalisation {name!r} needs a column of domains")
    if name == "none":
        return x
    if name == "layer":
        normed = nn.LayerNorm(dtype=x.dtype, name="normalisation")(x)
        return jnp.where(batch.visible[..., None], normed, 0.0)
    return BatchNormalisation(
        num_groups=len(groups) if name in BY_DOMAIN else 0,
        own_scales=name == "domain_specific",
        name="normalisation",
    )(x, batch.visible, batch.norm_domain, deterministic=deterministic)


class BatchNormalisation(nn.Module):
    """`(x - mean) / sqrt(variance + epsilon) * scale + bias`, by group of rows.

    The last statistics are those of all visible rows together; they are used for rows
    of no group, and for groups of fewer than two rows. The moments of the visible rows
    are stored in the collection `MOMENTS` where that is mutable.

    Attributes:
      num_groups: how many groups there are beside all rows together.
      own_scales: whether each group has a scale and a bias of its own.
      epsilon: > 0, added to the variance.
    """

    num_groups: int = 0
    own_scales: bool = False
    epsilon: float = 1e-5

    @nn.compact
    def __call__(
        self, x: Array, visible: Array, group: Array | None, *, deterministic: bool
    ) -> Array:
        """`[..., width] -> [..., width]`; `group` int `[...]`, None for no group."""
        size, width = self.num_groups + 1, x.shape[-1]
        if group is None or not self.num_groups:
            index = jnp.full(visible.shape, self.num_groups)
        else:
            index = jnp.where(group == UNKNOWN, self.num_groups, group)
        mask = visible[..., None]
        # Half precision is too coarse for sums over rows.
        values = jnp.where(mask, x, 0.0).astype(jnp.float32)
        batch_moments = row_moments(values, visible, index, size)
        if self.is_mutable_collection(MOMENTS):
            for name, value in batch_moments.items():
                self.put_variable(MOMENTS, name, value)
        mean = self.param("mean", nn.initializers.zeros, (size, width))
        variance = self.param("variance", nn.initializers.ones, (size, width))
        if not deterministic:
            mean, variance = statistics(batch_moments)
        shape = (size, width) if self.own_scales else (1, width)
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        scale_index = index if self.own_scales else 0
        normed = (values - mean[index]) * jax.lax.rsqrt(variance[index] + self.epsilon)
        normed = normed * scale[scale_index] + bias[scale_index]
        return jnp.where(mask, normed, 0.0).astype(x.dtype)


def row_moments(
    x: Array, visible: Array, index: Array, size: int
) -> dict[str, jax.Array]:
    """Moments of the visible rows of each group; the last are those of all groups.

    Args:
      x: float32 `[..., width]`.
      visible: bool `[...]`; other rows take no part.
      index: int `[...]` in [0, size).
      size: groups, and one for all rows.

    Returns:
      `count` `[size]`, `mean` and `square` (the sum of squared deviations from it)
      `[size, width]`.

    Example:
      >>> x, index = jnp.array([[1.0], [3.0], [8.0], [99.0]]), jnp.array([0, 0, 1, 1])
      >>> moments = row_moments(x, jnp.array([True, True, True, False]), index, 3)
      >>> moments["mean"][:, 0].tolist(), moments["square"][:, 0].tolist()
      ([2.0, 8.0, 4.0], [2.0, 0.0, 26.0])
    """
    x, rows = x.reshape(-1, x.shape[-1]), visible.reshape(-1)
    ids = jnp.arange(size)[:, None]
    member = rows & ((index.reshape(-1) == ids) | (ids == size - 1))
    weight = member.astype(x.dtype)
    count = weight.sum(1)
    mean = weight @ x / jnp.maximum(count, 1.0)[:, None]
    deviation = jnp.where(member[..., None], x - mean[:, None], 0.0)
    return {"count": count, "mean": mean, "square": jnp.square(deviation).sum(1)}


def merged(one: Mapping[str, Array], other: Mapping[str, Array]) -> dict[str, Array]:
    """Moments of two sets of rows together.

    Args:
      one: `count` `[..., size]`, `mean` and `square` `[..., size, width]`, as
        `row_moments` returns them.
      other: of other rows, of the same shapes.

    Returns:
      The same keys and shapes.

    Reference: Chan, Golub and LeVeque, COMPSTAT 1982.
    """
    count = one["count"] + other["count"]
    share = (other["count"] / np.maximum(count, 1.0))[..., None]
    apart = other["mean"] - one["mean"]
    return {
        "count": count,
        "mean": one["mean"] + apart * share,
        "square": one["square"]
        + other["square"]
        + np.square(apart) * share * one["count"][..., None],
    }


def statistics(moments: Mapping[str, Array]) -> tuple[Array, Array]:
    """Mean and variance of every group, `[..., size, width]` each.

    The variance is that of the rows (over `n`, not `n - 1`).
    """
    count = moments["count"][..., None]
    variance = moments["square"] / jnp.maximum(count, 1.0)
    enough = count >= _ENOUGH
    return (
        jnp.where(enough, moments["mean"], moments["mean"][..., -1:, :]),
        jnp.where(enough, variance, variance[..., -1:, :]),
    )


def normalisations(params: PyTree) -> list[tuple[str, ...]]:
    """Paths in a parameter tree to the modules whose statistics are to be filled in."""
    return [path[:-1] for path in flatten_dict(params) if path[-1] == "variance"]


def with_statistics(params: PyTree, moments: PyTree) -> PyTree:
    """Parameters with the statistics of these moments; leading axes are mapped over.

    Scales and biases of domains that have no training rows become the mean of those
    that have some.
    """
    flat: dict[tuple[str, ...], Any] = flatten_dict(params)
    batch_moments: Mapping[tuple[str, ...], Any] = flatten_dict(moments)
    for path in normalisations(params):
        group_moments = {
            name: batch_moments[*path, name] for name in ("count", "mean", "square")
        }
        flat[*path, "mean"], flat[*path, "variance"] = statistics(group_moments)
        for name in ("scale", "bias"):
            flat[*path, name] = _for_unseen(flat[*path, name], group_moments["count"])
    return unflatten_dict(flat)


def _for_unseen(values: Array, count: Array) -> Array:
    """`[..., size, width]`, or `[..., 1, width]` where all groups share one."""
    if values.shape[-2] == 1:
        return values
    # The last index is no domain: it is all rows.
    mask = (count >= _ENOUGH) & (np.arange(count.shape[-1]) < count.shape[-1] - 1)
    mask = mask[..., None]
    total = jnp.where(mask, values, 0.0).sum(-2, keepdims=True)
    mean = total / jnp.maximum(mask.sum(-2, keepdims=True), 1)
    return jnp.where(mask, values, mean)


def as_moments(module: nn.Module) -> Callable[[PyTree, Batch], PyTree]:
    """`(params, batch) -> moments` of a network called as `Dann` is.

    What the network stores in the collection `MOMENTS`, without dropout; empty where
    it has no batch normalisation.
    """

    def moments(params: PyTree, batch: Batch) -> PyTree:
        strength = dict.fromkeys(batch.domain, 0.0)
        variables = {"params": params}
        _, batch_moments = module.apply(
            variables, batch, strength, deterministic=True, mutable=[MOMENTS]
        )
        return batch_moments.get(MOMENTS, {})

    return moments
