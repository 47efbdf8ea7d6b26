"""How well predicted values agree with true ones, from sums that add up.

A resampled score is a score of summed moments, as that of classes is one of summed
confusion counts.
"""

from collections.abc import Sequence

import numpy as np

MEASURES = ("ccc", "pearson", "rmse")


def value_moments(
    truth: np.ndarray,
    prediction: np.ndarray,
    speaker: np.ndarray,
    num_speakers: int,
    *,
    origin: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Number of rows, and sums of x, y, x^2, y^2 and x y, of every speaker.

    Args:
      truth: float `[n, targets]`; NaN where a row has no such value.
      prediction: float `[n, targets]`.
      speaker: int `[n]`, whose row it is.
      num_speakers: how many there are.
      origin: float `[targets]`, taken off both. It changes no measure; near their
        means, little is lost to rounding.

    Returns:
      float64 `[speakers, targets, 6]`; x is the prediction, y the truth.
    """
    known = ~np.isnan(truth)
    x, y = (
        np.where(known, np.float64(values) - origin, 0.0)
        for values in (prediction, truth)
    )
    terms = np.stack([known, x, y, x * x, y * y, x * y], axis=-1)
    sums = np.zeros((num_speakers, *terms.shape[1:]))
    np.add.at(sums, speaker, terms)
    return sums


def scores_of_moments(
    moments: np.ndarray, targets: Sequence[str]
) -> dict[str, np.ndarray]:
    """Concordance, Pearson correlation and root mean squared error.

    `ccc = 2 cov / (var_x + var_y + (mean_x - mean_y)^2)` with population moments. A
    prediction that is the same for all rows has concordance and correlation 0.

    Args:
      moments: float `[..., targets, 6]`, sums of those of `value_moments`.
      targets: their names.

    Returns:
      `MEASURE_TARGET` for every measure and target, and `MEASURE`, its mean over the
      targets; each float `[...]`. The error is in the unit of the values. A target
      without a row is NaN and enters no mean.

    Example:
      >>> truth = np.array([[1.0], [2.0], [3.0]])
      >>> moments = value_moments(truth, truth + 1.0, np.zeros(3, int), 1)
      >>> found = scores_of_moments(moments.sum(0), ["valence"])
      >>> {name: round(float(found[name]), 4) for name in ("ccc", "pearson", "rmse")}
      {'ccc': 0.5714, 'pearson': 1.0, 'rmse': 1.0}

    Reference:
      Lin, "A Concordance Correlation Coefficient to Evaluate Reproducibility",
      Biometrics 45 (1989), equation 2 (with its estimate from population moments).
    """
    count, *sums = np.moveaxis(moments, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y, xx, yy, xy = (total / count for total in sums)
        var_x, var_y = _variance(xx, x), _variance(yy, y)
        covariance = np.where((var_x > 0) & (var_y > 0), xy - x * y, 0.0)
        apart = var_x + var_y + (x - y) ** 2
        deviations = np.sqrt(var_x * var_y)
        measures = {
            "ccc": _ratio(2.0 * covariance, apart),
            "pearson": _ratio(covariance, deviations),
            "rmse": np.sqrt(np.maximum(xx + yy - 2.0 * xy, 0.0)),
        }
    known = count > 0
    scores = {}
    for measure, values in measures.items():
        values = np.where(known, values, np.nan)
        scores[measure] = _mean_of_known(values, known)
        for place, target in enumerate(targets):
            scores[f"{measure}_{target}"] = values[..., place]
    return scores


def names_of(targets: Sequence[str]) -> list[str]:
    """The scores of `scores_of_moments`: means of the targets, then each of them."""
    each = ("", *(f"_{target}" for target in targets))
    return [f"{measure}{target}" for target in each for measure in MEASURES]


def _variance(square: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """0 where all values are the same but for rounding."""
    variance = square - mean**2
    return np.where(variance > 1e-12 * square, variance, 0.0)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 0.0)


def _mean_of_known(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(-1) / known.sum(-1)
