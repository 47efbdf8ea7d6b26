"""Intervals and comparisons over speakers and seeds. scipy computes.

Everything starts from one table of confusion counts, `[seed, speaker, truth,
prediction]`: a resampled score is a score of summed counts.
"""

import numpy as np
from scipy import stats

from dann_jax.evaluation.metrics import scores_of_confusion

_RESAMPLES = 2000


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


def pooled(counts: np.ndarray, metric: str) -> float:
    """Score of all test utterances together, averaged over seeds."""
    return float(scores_of_confusion(counts.sum(1))[metric].mean())


def interval(counts: np.ndarray, metric: str, *, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of `pooled`, over speakers and over seeds.

    Whole speakers are drawn, because utterances of one speaker are not independent;
    seeds are drawn too, because another run would have had others.

    Args:
      counts: `[seeds, speakers, classes, classes]`.
      metric: `wa`, `ua` or `macro_f1`.
      seed: of the resampling.

    Returns:
      The 2.5 and 97.5 percentiles; NaN where there is a single speaker.
    """
    return _bootstrap(lambda sample: _resampled(counts, *sample, metric), counts, seed)


def compare(
    counts: np.ndarray, against: np.ndarray, metric: str, *, seed: int = 0
) -> dict[str, float | list[float]]:
    """Paired difference of two arms: what one gains over the other.

    Args:
      counts: `[seeds, speakers, classes, classes]` of the arm.
      against: the same of the arm it is compared with, same seeds and speakers.
      metric: `wa`, `ua` or `macro_f1`.
      seed: of the resampling.

    Returns:
      `difference` of the pooled scores; `ci95`, from the same draws of speakers and
      seeds for both arms; `p_value`, two-sided, of a permutation test that swaps
      the arms' names within speakers.
    """

    def difference(sample: tuple) -> np.ndarray:
        return _resampled(counts, *sample, metric) - _resampled(
            against, *sample, metric
        )

    low, high = _bootstrap(difference, counts, seed)
    return {
        "difference": pooled(counts, metric) - pooled(against, metric),
        "ci95": [low, high],
        "p_value": _permutation_p(counts, against, metric, seed),
    }


def _resampled(
    counts: np.ndarray, speakers: np.ndarray, seeds: np.ndarray, metric: str
) -> np.ndarray:
    """Scores for draws of speakers `[..., n]` and seeds `[..., m]`, `[...]`."""
    drawn = counts[seeds[..., :, None], speakers[..., None, :]].sum(-3)
    return scores_of_confusion(drawn)[metric].mean(-1)


def _bootstrap(statistic, counts: np.ndarray, seed: int) -> tuple[float, float]:
    seeds, speakers = counts.shape[:2]
    if speakers < 2:
        return float("nan"), float("nan")
    # Two values where there is one seed: scipy resamples no sample of size 1.
    samples = (np.arange(speakers), np.arange(max(seeds, 2)) % seeds)
    result = stats.bootstrap(
        samples,
        lambda who, which, axis: statistic((who, which)),
        n_resamples=_RESAMPLES,
        batch=100,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(result.low), float(result.high)


def _permutation_p(
    counts: np.ndarray, against: np.ndarray, metric: str, seed: int
) -> float:
    both = np.concatenate([counts, against], axis=1)
    speakers = counts.shape[1]
    if speakers < 2:
        return float("nan")

    def difference(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        every = np.arange(counts.shape[0])
        return _resampled(both, one, every, metric) - _resampled(
            both, other, every, metric
        )

    result = stats.permutation_test(
        (np.arange(speakers), np.arange(speakers) + speakers),
        difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=100,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)
