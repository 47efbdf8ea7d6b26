"""Intervals and comparisons over speakers and seeds. scipy computes.

Everything starts from one table of confusion counts, `[seed, speaker, truth,
prediction]`: a resampled score is a score of summed counts. Another table
`[seed, speaker, ..., ...]` whose scores are those of sums over speakers does as well.
"""

from collections.abc import Callable

import numpy as np
from scipy import stats

from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.resampling import RESAMPLES, bootstrap_interval

Scores = Callable[[np.ndarray], dict[str, np.ndarray]]
"""A table summed over speakers, `[..., k, l]` -> metric -> scores `[...]`."""


def confusion_counts(
    truth: np.ndarray,
    prediction: np.ndarray,
    speaker: np.ndarray,
    num_classes: int,
    num_speakers: int,
) -> np.ndarray:
    """Counts `[speaker, truth, prediction]` of int arrays `[n]`."""
    counts = np.zeros((num_speakers, num_classes, num_classes))
    np.add.at(counts, (speaker, truth, prediction), 1)
    return counts


def pooled(
    counts: np.ndarray, metric: str, *, scores: Scores = scores_of_confusion
) -> float:
    """Score of all test utterances together, averaged over seeds.

    Args:
      counts: of test rows by seed and speaker, `[seeds, speakers, ...]`.
      metric: a key of what `scores` returns.
      scores: from counts to metrics.
    """
    return float(scores(counts.sum(1))[metric].mean())


def interval(
    counts: np.ndarray,
    metric: str,
    *,
    scores: Scores = scores_of_confusion,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % bootstrap interval of `pooled`, over speakers and over seeds.

    Whole speakers are drawn, because utterances of one speaker are not independent;
    seeds are drawn too, because another run would have had others.

    Args:
      counts: `[seeds, speakers, classes, classes]`.
      metric: `wa`, `ua` or `macro_f1`.
      scores: of summed counts; of another table, metrics are its own.
      seed: of the resampling.

    Returns:
      Its two ends; NaN where there is a single speaker.

    Example:
      >>> counts = np.zeros((1, 3, 2, 2))  # one seed, three speakers, two classes
      >>> counts[0, :, [0, 1], [0, 1]] = [[9, 7, 8], [8, 8, 6]]  # right
      >>> counts[0, :, 0, 1] = [1, 3, 2]  # wrong
      >>> low, high = interval(counts, "wa")
      >>> round(low, 2), round(high, 2)
      (0.83, 0.94)
    """

    def score(who: np.ndarray, which: np.ndarray) -> np.ndarray:
        return _resampled(counts, who, which, metric, scores)

    return bootstrap_interval(score, *counts.shape[:2], seed=seed)


def compare(
    counts: np.ndarray,
    against: np.ndarray,
    metric: str,
    *,
    trainings: tuple[np.ndarray, np.ndarray] | None = None,
    scores: Scores = scores_of_confusion,
    seed: int = 0,
) -> dict[str, float | list[float]]:
    """Paired difference of two arms: what one gains over the other.

    Args:
      counts: `[seeds, speakers, classes, classes]` of the arm.
      against: the same of the arm it is compared with, same seeds and speakers.
      metric: `wa`, `ua` or `macro_f1`.
      trainings: both arms' counts `[seeds, folds, classes, classes]`, for p; by default
        there is one fold.
      scores: of summed counts; of another table, metrics are its own.
      seed: of the resampling.

    Returns:
      `difference` of the pooled scores; `ci95`, from the same draws of speakers and
      seeds for both arms; `p_value`, see `permutation_p_value`.

    Example:
      >>> counts = np.zeros((1, 3, 2, 2))  # one seed, three speakers, two classes
      >>> counts[0, :, 0, 0], counts[0, :, 0, 1] = [9, 8, 7], [1, 2, 3]
      >>> counts[0, :, 1, 1] = [8, 8, 8]
      >>> worse = counts + [[-1, 1], [0, 0]]  # one more mistake each
      >>> found = compare(counts, worse, "wa", trainings=(counts, worse))
      >>> round(found["difference"], 3), found["p_value"]
      (0.056, 0.25)
    """

    def difference(who: np.ndarray, which: np.ndarray) -> np.ndarray:
        return _resampled(counts, who, which, metric, scores) - _resampled(
            against, who, which, metric, scores
        )

    low, high = bootstrap_interval(difference, *counts.shape[:2], seed=seed)
    one, other = trainings or (
        table.sum(1, keepdims=True) for table in (counts, against)
    )
    return {
        "difference": pooled(counts, metric, scores=scores)
        - pooled(against, metric, scores=scores),
        "ci95": [low, high],
        "p_value": permutation_p_value(one, other, metric, scores=scores, seed=seed),
    }


def permutation_p_value(
    counts: np.ndarray,
    against: np.ndarray,
    metric: str,
    *,
    scores: Scores = scores_of_confusion,
    seed: int = 0,
) -> float:
    """Two-sided p of a test that swaps the arms' names within folds.

    What shares a training is swapped together: speakers of one fold had the same luck,
    and swapping them one by one finds differences where there are none. A fold is
    swapped with all its seeds, because they test the same speakers; if there is one
    fold, its seeds are swapped one by one, and p is of those speakers alone. All swaps
    are tried where there are no more than 2000 (up to ten folds), else so many are
    drawn.

    Args:
      counts: `[seeds, folds, classes, classes]` of the arm.
      against: the same of the other arm.
      metric: `wa`, `ua` or `macro_f1`.
      scores: of summed counts; of another table, metrics are its own.
      seed: of the draws.

    Returns:
      At least 2 / 2**folds; NaN where there is a single training.

    Reference: Winkler et al., "Multi-level block permutation", NeuroImage 123 (2015),
    for exchanging whole blocks of what is not independent.
    """
    if counts.shape[1] == 1:
        counts, against = counts.swapaxes(0, 1), against.swapaxes(0, 1)
    both = np.concatenate([counts, against], axis=1)
    units = counts.shape[1]
    if units < 2:
        return float("nan")
    every = np.arange(counts.shape[0])

    def difference(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        del axis
        return _resampled(
            both, one[..., None, :], every[:, None], metric, scores
        ) - _resampled(both, other[..., None, :], every[:, None], metric, scores)

    result = stats.permutation_test(
        (np.arange(units), np.arange(units) + units),
        difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=100,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def _resampled(
    counts: np.ndarray,
    speakers: np.ndarray,
    seeds: np.ndarray,
    metric: str,
    scores: Scores,
) -> np.ndarray:
    """Scores `[...]` of the cells at indices that broadcast to `[..., seeds, n]`."""
    drawn = counts[seeds, speakers].sum(-3)
    return scores(drawn)[metric].mean(-1)
