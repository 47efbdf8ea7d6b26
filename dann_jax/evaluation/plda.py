"""Two-covariance PLDA: a speaker is a point, an utterance that point and noise."""

from typing import NamedTuple

import numpy as np
import scipy.linalg


class Plda(NamedTuple):
    """`x = mean + y + e` with `y ~ N(0, between)` a speaker, `e ~ N(0, within)`.

    Attributes:
      mean: float64 `[width]`.
      between: float64 `[width, width]`, covariance of the speakers.
      within: float64 `[width, width]`, covariance of a speaker's utterances.
    """

    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray


def fit_plda(
    features: np.ndarray,
    speaker: np.ndarray,
    *,
    iterations: int = 20,
    shrinkage: float = 1e-3,
) -> Plda:
    """Maximum likelihood by expectation and maximisation.

    Args:
      features: float `[rows, width]`.
      speaker: `[rows]`, of the rows to learn from.
      iterations: of EM, from the moments; with equally many rows for every speaker
        those are nearly there already.
      shrinkage: share of its mean variance that is added to the diagonal of `within`
        in every iteration, for widths that the rows do not fill.

    Returns:
      The model.

    Raises:
      ValueError: fewer than two speakers, or none with two rows.

    Reference:
      Ioffe, "Probabilistic Linear Discriminant Analysis", ECCV 2006; Brummer and de
      Villiers, "The Speaker Partitioning Problem", Odyssey 2010, for this form.
    """
    features = np.asarray(features, np.float64)
    _, ids = np.unique(speaker, return_inverse=True)
    counts = np.bincount(ids).astype(np.float64)
    if len(counts) < 2 or counts.max() < 2:
        raise ValueError(
            f"PLDA needs two speakers, and one of them with two rows; got "
            f"{len(counts)} speakers with at most {int(counts.max(initial=0))} rows"
        )
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, ids, features)
    means = sums / counts[:, None]
    residuals = features - means[ids]
    scatter = residuals.T @ residuals
    floor = shrinkage * np.trace(scatter) / scatter.size**0.5 / len(features)
    ridge = (floor + np.finfo(np.float64).eps) * np.eye(len(scatter))
    mean = means.mean(0)
    model = Plda(
        mean,
        np.cov(means.T).reshape(scatter.shape) + ridge,
        scatter / (counts - 1.0).sum() + ridge,
    )
    for _ in range(iterations):
        model = _em_step(model, means, counts, scatter, ridge)
    return model


def _em_step(
    model: Plda,
    means: np.ndarray,
    counts: np.ndarray,
    scatter: np.ndarray,
    ridge: np.ndarray,
) -> Plda:
    """One iteration; speakers with equally many rows share their covariance."""
    points = np.empty_like(means)
    second = np.zeros_like(scatter)
    noise = scatter.copy()
    for count in np.unique(counts):
        who = counts == count
        # y given n rows: gain G = B (B + W / n)^-1, covariance B - G B.
        gain = scipy.linalg.solve(
            model.between + model.within / count, model.between, assume_a="pos"
        ).T
        left = model.between - gain @ model.between
        points[who] = (means[who] - model.mean) @ gain.T
        second += who.sum() * left + points[who].T @ points[who]
        error = means[who] - model.mean - points[who]
        noise += count * (who.sum() * left + error.T @ error)
    mean = np.average(means - points, axis=0, weights=counts)
    # The mean moves, and the errors about it with it.
    shift = mean - model.mean
    noise -= counts.sum() * np.outer(shift, shift)
    between = _symmetric(second / len(counts))
    return Plda(mean, between, _symmetric(noise / counts.sum()) + ridge)


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return 0.5 * (matrix + matrix.T)


def plda_scores(model: Plda, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Log-likelihood ratio of one speaker against two, for each pair of rows.

    Args:
      model: as from `fit_plda`.
      first: float `[n, width]`.
      second: float `[n, width]`.

    Returns:
      `[n]` in nats.

    Example:
      >>> model = Plda(np.zeros(1), np.eye(1), np.eye(1))
      >>> plda_scores(model, np.array([[1.0]]), np.array([[1.0]])).round(4)
      array([0.3105])
    """
    # The sum and the difference of a pair are independent, in both cases.
    both, noise = 2.0 * model.between + model.within, model.within
    total = model.between + model.within
    first, second = first - model.mean, second - model.mean
    half_sum, half_difference = (first + second) / 2**0.5, (first - second) / 2**0.5
    return (
        _log_density(half_sum, both)
        + _log_density(half_difference, noise)
        - _log_density(first, total)
        - _log_density(second, total)
    )


def _log_density(points: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Log of the normal density of mean zero but for the constant of its width."""
    root = scipy.linalg.cholesky(covariance, lower=True)
    white = scipy.linalg.solve_triangular(root, points.T, lower=True)
    return -0.5 * np.sum(white**2, 0) - np.sum(np.log(np.diag(root)))
