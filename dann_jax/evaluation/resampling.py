"""The bootstrap over speakers and seeds: what is drawn, and how. scipy draws."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

RESAMPLES = 2000

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Indices of speakers and of seeds, which broadcast to `[..., seeds, speakers]` ->
scores `[...]`."""


def _crossed(score: Score, seeds: int, speakers: int, rng: Any) -> tuple:
    del rng
    # Two values where there is one seed: scipy resamples no sample of size 1.
    samples = (np.arange(speakers), np.arange(max(seeds, 2)) % seeds)
    return samples, lambda who, which, axis: score(who[..., None, :], which[..., None])


def _nested(score: Score, seeds: int, speakers: int, rng: Any) -> tuple:
    def statistic(who: np.ndarray, axis: int) -> np.ndarray:
        del axis
        # The second stage: scipy draws the speakers, and each gets seeds of its own.
        which = rng.integers(0, seeds, (*who.shape[:-1], seeds, speakers))
        return score(who[..., None, :], which)

    return (np.arange(speakers),), statistic


RESAMPLING = {"crossed": _crossed, "nested": _nested}
"""How seeds are drawn. `crossed`: one draw for all speakers, where one training serves
them all (a fixed split). `nested`: speakers first, then seeds for each of them, where
each speaker has a training of its own (leave one speaker out)."""


def bootstrap_interval(
    score: Score,
    seeds: int,
    speakers: int,
    *,
    resampling: str = "crossed",
    expanded: bool = False,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % percentile interval of a score over drawn speakers and drawn seeds.

    Args:
      score: of cells (seed, speaker), for many draws at once.
      seeds: how many there are.
      speakers: how many there are.
      resampling: a word of `RESAMPLING`.
      expanded: widen the interval as the t distribution widens that of a mean. A
        percentile interval is too short for few speakers.
      seed: of the draws.

    Returns:
      Its two ends; NaN where there is a single speaker.

    Raises:
      ValueError: `resampling` is no word of `RESAMPLING`.

    Example:
      >>> gain = np.array([0.01, 0.03, 0.02, 0.04, 0.02])
      >>> mean = lambda who, which: (gain[who] + 0.0 * which).mean((-1, -2))
      >>> low, high = bootstrap_interval(mean, seeds=2, speakers=5)
      >>> round(low, 3), round(high, 3)
      (0.014, 0.032)

    Reference: Davison and Hinkley, "Bootstrap Methods and their Application", 1997,
    section 3.8, for data in groups; for `expanded` Hesterberg, "What Teachers Should
    Know About the Bootstrap", The American Statistician 69 (2015).
    """
    if speakers < 2:
        _require_word(resampling)
        return float("nan"), float("nan")
    draws = bootstrap_draws(score, seeds, speakers, resampling=resampling, seed=seed)
    level = _expanded_level(speakers) if expanded else 0.95
    low, high = np.quantile(draws, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def bootstrap_draws(
    score: Score,
    seeds: int,
    speakers: int,
    *,
    resampling: str = "crossed",
    seed: int = 0,
) -> np.ndarray:
    """The score of every draw, float `[..., RESAMPLES]`.

    Args:
      score: as in `bootstrap_interval`; it may return several scores of the same draws,
        `[several, ...]`.
      seeds: how many there are.
      speakers: how many there are, two or more.
      resampling: a word of `RESAMPLING`.
      seed: of the draws.

    Raises:
      ValueError: `resampling` is no word of `RESAMPLING`.
    """
    _require_word(resampling)
    rng = np.random.default_rng(seed)
    samples, statistic = RESAMPLING[resampling](score, seeds, speakers, rng)
    with warnings.catch_warnings():
        # A draw may have no score, such as one of a single speaker: it is NaN.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        return stats.bootstrap(
            samples,
            statistic,
            n_resamples=RESAMPLES,
            batch=100,
            method="percentile",
            vectorized=True,
            rng=rng,
        ).bootstrap_distribution


def _require_word(resampling: str) -> None:
    if resampling not in RESAMPLING:
        raise ValueError(
            f"unknown resampling {resampling!r}; choose from {', '.join(RESAMPLING)}"
        )


def _expanded_level(speakers: int) -> float:
    """The level at which a percentile interval is as wide as one by the t table."""
    wide = stats.t.ppf(0.975, speakers - 1) * np.sqrt(speakers / (speakers - 1))
    return float(2.0 * stats.norm.cdf(wide) - 1.0)
