"""The bootstrap over speakers and seeds. scipy draws."""

import warnings
from collections.abc import Callable

import numpy as np
from scipy import stats

RESAMPLES = 2000

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Indices of speakers and of seeds, which broadcast to `[..., seeds, speakers]` ->
scores `[...]`."""


def bootstrap_interval(
    score: Score, seeds: int, speakers: int, *, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a score over drawn speakers and drawn seeds.

    It is the percentile interval, widened as the t distribution widens that of a mean:
    a percentile interval is too short for few speakers.

    Args:
      score: of cells (seed, speaker), for many draws at once.
      seeds: how many there are.
      speakers: how many there are.
      seed: of the draws.

    Returns:
      Its two ends; NaN where there is a single speaker.

    Example:
      >>> gain = np.array([0.01, 0.03, 0.02, 0.04, 0.02])
      >>> mean = lambda who, which: (gain[who] + 0.0 * which).mean((-1, -2))
      >>> low, high = bootstrap_interval(mean, seeds=2, speakers=5)
      >>> round(low, 3), round(high, 3)
      (0.012, 0.038)

    Reference: Hesterberg, "What Teachers Should Know About the Bootstrap", The American
    Statistician 69 (2015), for widening; docs/decisions.md has how often it holds.
    """
    if speakers < 2:
        return float("nan"), float("nan")
    draws = bootstrap_draws(score, seeds, speakers, seed=seed)
    # The level at which a percentile interval is as wide as one by the t table.
    wide = stats.t.ppf(0.975, speakers - 1) * np.sqrt(speakers / (speakers - 1))
    level = float(2.0 * stats.norm.cdf(wide) - 1.0)
    low, high = np.quantile(draws, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def bootstrap_draws(
    score: Score, seeds: int, speakers: int, *, seed: int = 0
) -> np.ndarray:
    """The score of every draw, float `[..., RESAMPLES]`.

    Every draw takes as many speakers and seeds as there are, with replacement; all
    speakers of a draw have the same seeds.

    Args:
      score: as in `bootstrap_interval`; it may return several scores of the same draws,
        `[several, ...]`.
      seeds: how many there are.
      speakers: how many there are, two or more.
      seed: of the draws.

    Reference: Davison and Hinkley, "Bootstrap Methods and their Application", 1997,
    section 3.8, for data in groups.
    """
    # Two values where there is one seed: scipy resamples no sample of size 1.
    samples = (np.arange(speakers), np.arange(max(seeds, 2)) % seeds)
    with warnings.catch_warnings():
        # A draw may have no score, such as one of a single speaker: it is NaN.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        return stats.bootstrap(
            samples,
            lambda who, which, axis: score(who[..., None, :], which[..., None]),
            n_resamples=RESAMPLES,
            batch=100,
            method="percentile",
            vectorized=True,
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
