"""Distances between groups of features: CORAL, MMD and the proxy A-distance.

A group is a row of weights over all features, so a mask, a posterior and the product of
both are groups alike. Of several groups the mean over all pairs is taken, which for
two is the distance between them; a group without rows takes no part.
"""

import functools
import operator

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Shaped

from dann_jax.objectives.losses import masked_mean
from dann_jax.types import Array, Scalar

MULTIPLES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Widths of the Gaussian kernels of `mmd`, as multiples of the data's own scale."""


def coral(
    features: Float[Array, "*rows d"], groups: Shaped[Array, " groups ..."]
) -> Float[Array, ""]:
    """Distance of covariances, `||C_s - C_t||_F^2 / (4 d^2)`, mean over pairs.

    Args:
      features: float `[..., d]`.
      groups: bool or float >= 0 `[groups, ...]`, the weight of each row in each
        group. Covariances are those of `numpy.cov(aweights=...)`; a group needs two
        rows to have one.

    Returns:
      Scalar >= 0; 0 with fewer than two groups.

    Example:
      >>> x = jnp.array([[0.0], [2.0], [0.0], [4.0]])  # variances 2 and 8
      >>> sides = jnp.array([[1, 1, 0, 0], [0, 0, 1, 1]])
      >>> float(coral(x, sides))
      9.0

    Reference:
      Sun and Saenko, "Deep CORAL", ECCV workshops 2016, equations 1 to 3.
    """
    features, groups = _flat(features, groups)
    shares, present = _shares(groups)
    means = shares @ features
    spread = 1.0 - jnp.sum(shares**2, -1)
    # One row leaves nothing, and rounding must not turn nothing into something.
    present &= spread > 1e-6
    shares = shares / jnp.where(present, spread, 1.0)[:, None]

    def covariance(share: Array, mean: Array) -> Array:
        centred = features - mean[None]
        return (share[:, None] * centred).T @ centred

    covariances = jax.vmap(covariance)(shares, means)
    centred = covariances - _mean_of(covariances, present)[None]
    squares = jnp.sum(centred**2, (1, 2)) / (4.0 * features.shape[-1] ** 2)
    return _mean_over_pairs(squares, present)


def mmd(
    features: Float[Array, "*rows d"],
    groups: Shaped[Array, " groups ..."],
    *,
    multiples: tuple[float, ...] = MULTIPLES,
    scale: float | str = "mean",
) -> Float[Array, ""]:
    """Squared maximum mean discrepancy (biased estimate, >= 0), mean over pairs.

    The kernel is a sum of Gaussians, `k(x, y) = sum_m exp(-||x - y||^2 / (m scale))`.

    Args:
      features: float `[..., d]`.
      groups: bool or float >= 0 `[groups, ...]`, the weight of each row in each group.
      multiples: widths of the Gaussians in units of the scale.
      scale: a squared distance; or `mean` or `median`, that of all pairs of rows that
        are in any group (a constant to the gradient).

    Returns:
      Scalar >= 0; 0 with fewer than two groups.

    Example:
      >>> x = jnp.array([[0.0], [1.0], [0.0], [1.0]])
      >>> alike = jnp.array([[1, 1, 0, 0], [0, 0, 1, 1]])
      >>> apart = jnp.array([[1, 0, 1, 0], [0, 1, 0, 1]])
      >>> float(mmd(x, alike)), round(float(mmd(x, apart, multiples=(1,), scale=1)), 4)
      (0.0, 1.2642)

    Reference:
      Gretton et al., JMLR 13 (2012), equation 5; Long et al., "Learning Transferable
      Features with Deep Adaptation Networks", ICML 2015, for the sum of kernels.
    """
    features, groups = _flat(features, groups)
    kernel = _gaussians(features, jnp.any(groups > 0, 0), multiples, scale)
    return _mmd(kernel, groups)


def conditional_mmd(
    features: Float[Array, "*rows d"],
    groups: Shaped[Array, " groups ..."],
    posterior: Float[Array, "*rows classes"],
    *,
    multiples: tuple[float, ...] = MULTIPLES,
    scale: float | str = "mean",
) -> Float[Array, ""]:
    """`mmd` of each class with itself across the groups, mean over the classes.

    Args:
      features: float `[..., d]`.
      groups: bool or float >= 0 `[groups, ...]`.
      posterior: float `[..., classes]`: weight of a row for each class; the
        one-hot label where it is known. A constant to the gradient.
      multiples: as in `mmd`.
      scale: as in `mmd`.

    Returns:
      Scalar >= 0. A group with less than half a row of a class is left out of that
      class, and a class that fewer than two groups have is left out of the mean.

    Reference:
      Long et al., "Transfer Feature Learning with Joint Distribution Adaptation", ICCV
      2013, section 3.3: pseudo-labels stand in for the labels of the target.
    """
    features, groups = _flat(features, groups)
    posterior = jax.lax.stop_gradient(posterior).reshape(-1, posterior.shape[-1])
    posterior = jnp.where(jnp.any(groups > 0, 0)[:, None], posterior, 0.0)
    kernel = _gaussians(features, jnp.any(groups > 0, 0), multiples, scale)
    groups = posterior.T[:, None] * groups[None]
    groups = jnp.where(groups.sum(-1, keepdims=True) >= 0.5, groups, 0.0)
    comparable = jnp.sum(groups.sum(-1) > 0, -1) >= 2
    return masked_mean(jax.vmap(_mmd, (None, 0))(kernel, groups), comparable)


def proxy_a_distance(error: Scalar) -> Scalar:
    """Proxy A-distance `2 (1 - 2 error)` of a classifier of two domains on new rows.

    0 when they cannot be told apart, 2 when they always can; negative for a classifier
    that is worse than chance.

    Args:
      error: error rates in [0, 1], float `[...]`.

    Returns:
      Float `[...]`.

    Example:
      >>> proxy_a_distance(0.25)
      1.0

    Reference:
      Ben-David et al., "Analysis of Representations for Domain Adaptation", NeurIPS
      2006.
    """
    return 2.0 * (1.0 - 2.0 * error)


def _flat(features: Array, groups: Array) -> tuple[Array, Array]:
    """`[rows, d]` and float `[groups, rows]`; what is in no group is 0."""
    if groups.shape[1:] != features.shape[:-1]:
        raise ValueError(
            f"groups have shape {groups.shape}, "
            f"the rows of the features {features.shape[:-1]}"
        )
    features = features.reshape(-1, features.shape[-1])
    groups = jnp.asarray(groups, features.dtype).reshape(len(groups), -1)
    return jnp.where(jnp.any(groups > 0, 0)[:, None], features, 0.0), groups


def _shares(groups: Array) -> tuple[Array, Array]:
    """Weights that sum to 1 in every group that has any, and which have."""
    total = groups.sum(-1)
    present = total > 0
    return groups / jnp.where(present, total, 1.0)[:, None], present


def _mean_of(
    values: Float[Array, " groups *axes"], present: Bool[Array, " groups"]
) -> Float[Array, "*axes"]:
    weight = present / jnp.maximum(present.sum(), 1)
    return jnp.tensordot(weight, values, axes=1)


def _mean_over_pairs(
    squares: Float[Array, " groups"], present: Bool[Array, " groups"]
) -> Float[Array, ""]:
    """Mean squared distance of pairs from the squared distances to the centre.

    `sum_{i<j} |x_i - x_j|^2 = n sum_i |x_i - mean|^2`: as many terms as groups instead
    of as many as pairs, and no difference of large numbers.
    """
    pairs_of_one = jnp.maximum(present.sum() - 1, 1)
    return 2.0 * jnp.sum(jnp.where(present, squares, 0.0)) / pairs_of_one


def _mmd(
    kernel: Float[Array, "n n"], groups: Float[Array, "groups n"]
) -> Float[Array, ""]:
    shares, present = _shares(groups)
    mean = _mean_of(shares, present)
    centred = jnp.where(present[:, None], shares - mean[None], 0.0)
    squares = jnp.einsum("gn,nm,gm->g", centred, kernel, centred)
    # Rounding can push the 0 of equal groups below it.
    return jnp.maximum(_mean_over_pairs(squares, present), 0.0)


def _gaussians(
    features: Float[Array, "n d"],
    rows: Bool[Array, " n"],
    multiples: tuple[float, ...],
    scale: float | str,
) -> Float[Array, "n n"]:
    """Sum of Gaussian kernels between all rows, `[rows, rows]`."""
    # Distances do not change, their rounding does.
    mean = jnp.sum(features, 0) / jnp.maximum(rows.sum(), 1)
    mean = jax.lax.stop_gradient(mean)[None]
    centred = jnp.where(rows[:, None], features - mean, 0.0)
    norms = jnp.sum(centred**2, -1)
    squares = norms[:, None] + norms[None] - 2.0 * centred @ centred.T
    squares = jnp.maximum(squares, 0.0)
    if isinstance(scale, str):
        pairs = rows[:, None] & rows[None] & ~jnp.eye(len(rows), dtype=bool)
        # Below the floor distances are rounding, and their inverse would be noise.
        floor = 1e-6 * masked_mean(jnp.sum(features**2, -1), rows)
        width = jnp.maximum(_SCALES[scale](squares, pairs), floor)
        width = jax.lax.stop_gradient(jnp.where(width > 0, width, 1.0))
    else:
        width = scale
    kernels = [jnp.exp(-(squares / width) / multiple) for multiple in multiples]
    return functools.reduce(operator.add, kernels)


def _median(squares: Array, pairs: Array) -> Array:
    return jnp.where(
        pairs.any(), jnp.nanmedian(jnp.where(pairs, squares, jnp.nan)), 0.0
    )


_SCALES = {"mean": masked_mean, "median": _median}
