"""Whether probabilities mean what they say: temperature, calibration error, rejection.

Reference: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
ICML 2017.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.statistics import confusion_counts

NUM_BINS = 15
"""Of equal width, as in the reference."""

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(20))
"""Of the curves of coverage: 0 to .95."""

_LOG_RANGE = np.log([0.05, 20.0])
"""Where all fitted rows are right the best temperature would be 0."""


def negative_log_likelihood(
    logits: np.ndarray, label: np.ndarray, temperature: float = 1.0
) -> float:
    """Mean of `-log p(label)` in nats, at least 0.

    Args:
      logits: float `[n, classes]`.
      label: int `[n]`.
      temperature: that the logits are divided by, positive.

    Example:
      >>> logits = np.zeros((3, 4))
      >>> round(negative_log_likelihood(logits, np.array([0, 1, 2])), 4)
      1.3863
    """
    likelihood = log_softmax(np.asarray(logits, np.float64) / temperature, -1)
    return float(-np.take_along_axis(likelihood, label[:, None], 1).mean())


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """The temperature with the least negative log likelihood.

    Dividing logits by it moves no row to another class. Above 1 the probabilities were
    too sure, below 1 not sure enough.

    Args:
      logits: float `[n, classes]` of rows that were not trained on.
      label: int `[n]`.

    Returns:
      A number in [0.05, 20]; 1 where no other is better.

    Raises:
      ValueError: there is no row.

    Example:
      >>> label = np.array([0, 0, 0, 1])  # said .88 for class 0, right 3 times of 4
      >>> logits = np.tile([2.0, 0.0], (4, 1))
      >>> round(fit_temperature(logits, label), 2)  # 2 / log(3)
      1.82

    Reference: Guo et al., ICML 2017, section 4.2.
    """
    if not len(label):
        raise ValueError("a temperature needs a row to be fitted on, got none")

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, label, np.exp(log_temperature))

    found = minimize_scalar(
        loss, bounds=_LOG_RANGE, method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def probabilities_at(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of `logits / temperature`, float64 `[..., classes]`.

    Args:
      logits: float `[..., classes]`.
      temperature: positive.
    """
    return softmax(np.asarray(logits, np.float64) / temperature, -1)


def calibration_sums(
    probabilities: np.ndarray,
    label: np.ndarray,
    speaker: np.ndarray,
    num_speakers: int,
) -> np.ndarray:
    """What calibration scores are made of, float64 `[speakers, NUM_BINS, 5]`.

    Along the last axis, sums over the rows of a speaker whose highest probability lies
    in a bin: 1, that probability, 1 where it is that of the label, `-log p(label)`,
    and the squared distance of the probabilities from the label's.

    Args:
      probabilities: float `[n, classes]`, each row sums to 1.
      label: int `[n]`.
      speaker: int `[n]` in [0, num_speakers).
      num_speakers: how many there are.
    """
    confidence, of_label = (
        probabilities.max(-1),
        probabilities[np.arange(len(label)), label],
    )
    truth = np.eye(probabilities.shape[-1])[label]
    values = [
        np.ones(len(label)),
        confidence,
        probabilities.argmax(-1) == label,
        -np.log(np.maximum(of_label, np.finfo(np.float64).tiny)),
        ((probabilities - truth) ** 2).sum(-1),
    ]
    sums = np.zeros((num_speakers, NUM_BINS, len(values)))
    np.add.at(sums, (speaker, bins_of(confidence)), np.stack(values, -1))
    return sums


def bins_of(confidence: np.ndarray) -> np.ndarray:
    """Index of the bin `(i / NUM_BINS, (i + 1) / NUM_BINS]` of each, int `[n]`.

    Args:
      confidence: float `[n]` in [0, 1].
    """
    return np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)


def calibration_scores(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of summed tables of `calibration_sums`, each `[...]`; less is better.

    Args:
      sums: float `[..., NUM_BINS, 5]`.

    Returns:
      `ece`, the expected calibration error in [0, 1]: how far the share of right rows
      is from the mean highest probability in a bin, averaged over rows. `nll` in nats.
      `brier` in [0, 2]. NaN where there is no row.

    Reference: Guo et al., ICML 2017, equation 3; Brier, "Verification of Forecasts
    Expressed in Terms of Probability", Monthly Weather Review 78 (1950).
    """
    with np.errstate(invalid="ignore"):
        rows = sums[..., 0].sum(-1)
        gaps = np.abs(sums[..., 2] - sums[..., 1]).sum(-1)
        return {
            "ece": gaps / rows,
            "nll": sums[..., 3].sum(-1) / rows,
            "brier": sums[..., 4].sum(-1) / rows,
        }


def ece_of_calibrated(
    confidence: np.ndarray, *, draws: int = 200, seed: int = 0
) -> float:
    """The ECE that so many rows would have if every probability were true.

    Chance alone parts the right rows of a bin from its probabilities, so a calibrated
    model has no ECE of 0: one near this number shows no miscalibration.

    Args:
      confidence: float `[n]`, the highest probability of each row.
      draws: of which rows are right.
      seed: of the draws.

    Example:
      >>> round(ece_of_calibrated(np.full(100, 0.5)), 2)  # .8 of .05
      0.04

    Reference: Broecker and Smith, "Increasing the Reliability of Reliability
    Diagrams", Weather and Forecasting 22 (2007), section 3.
    """
    random, index = np.random.default_rng(seed), bins_of(confidence)
    errors = [
        np.abs(
            np.bincount(index, (random.random(len(index)) < confidence) - confidence)
        ).sum()
        for _ in range(draws)
    ]
    return float(np.mean(errors) / len(confidence))


def coverage_curve(probabilities: np.ndarray, label: np.ndarray) -> np.ndarray:
    """What is left, and how right it is, if rows below a threshold are rejected.

    Args:
      probabilities: float `[n, classes]`.
      label: int `[n]`.

    Returns:
      float `[len(THRESHOLDS), 3]`: the share of the rows whose highest probability is
      at least the threshold, and their WA and UA. UA is NaN where a class of `label`
      has no row left, both are where nothing is left.

    Reference: Geifman and El-Yaniv, "Selective Classification for Deep Neural
    Networks", NIPS 2017.
    """
    confidence, size = probabilities.max(-1), probabilities.shape[-1]
    guess, nobody = probabilities.argmax(-1), np.zeros(len(label), int)
    points = np.full((len(THRESHOLDS), 3), np.nan)
    for point, threshold in zip(points, THRESHOLDS, strict=True):
        kept = confidence >= threshold
        point[0] = kept.mean()
        if kept.any():
            counts = confusion_counts(label[kept], guess[kept], nobody[kept], size, 1)
            scores = scores_of_confusion(counts[0])
            point[1] = scores["wa"]
            if len(np.unique(label[kept])) == len(np.unique(label)):
                point[2] = scores["ua"]
    return points
