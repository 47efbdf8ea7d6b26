"""Scored trials of speakers not trained on: error rates, and how sure they are.

A speaker is in many trials, so that trials are not independent. Speakers are drawn, and
a trial counts as often as they were: a target trial as often as its speaker, a
nontarget trial as often as both of its speakers together.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dann_jax.evaluation.detection import weighted_errors
from dann_jax.evaluation.plda import fit_plda, plda_scores
from dann_jax.evaluation.resampling import RESAMPLES, bootstrap_draws
from dann_jax.evaluation.verdicts import ERRORS
from dann_jax.evaluation.verification import cosine_scores

BACK_ENDS = ("cosine", "plda")
"""Ways to score a trial, as `back_end_scores` has them."""

METRICS = tuple(f"{error}_{back_end}" for back_end in BACK_ENDS for error in ERRORS)

DRAWN = tuple(f"eer_{back_end}" for back_end in BACK_ENDS)
"""Those with intervals. minDCF hangs on the few highest nontarget scores, which most
draws of a few dozen speakers leave out: their minDCF lies below the one measured."""


class ScoredTrials(NamedTuple):
    """The trials of one fold, and what the network of every arm and seed says.

    Attributes:
      first: int `[n]`, index of the speaker on one side.
      second: int `[n]`, index of the speaker on the other.
      target: bool `[n]`, whether they are the same.
      scores: back-end -> float `[arms, seeds, n]`.
    """

    first: np.ndarray
    second: np.ndarray
    target: np.ndarray
    scores: Mapping[str, np.ndarray]


def back_end_scores(
    trained: np.ndarray, speaker: np.ndarray, first: np.ndarray, second: np.ndarray
) -> dict[str, np.ndarray]:
    """Scores of pairs by every back-end, which learns from training speakers alone.

    Features are centred on the mean of the training rows and brought to unit length.

    Args:
      trained: float `[rows, width]`, features of training rows.
      speaker: `[rows]`, whose they are.
      first: float `[n, width]`.
      second: float `[n, width]`.

    Returns:
      Back-end -> float `[n]`, higher for the same speaker.

    Reference:
      Garcia-Romero and Espy-Wilson, "Analysis of i-vector Length Normalization in
      Speaker Recognition Systems", Interspeech 2011.
    """
    mean = trained.mean(0, dtype=np.float64)
    trained, first, second = (_unit(x - mean) for x in (trained, first, second))
    return {
        "cosine": cosine_scores(first, second),
        "plda": plda_scores(fit_plda(trained, speaker), first, second),
    }


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)


def error_rates(
    folds: Sequence[ScoredTrials], times: np.ndarray
) -> dict[str, np.ndarray]:
    """The errors of every arm and seed, each fold with a threshold of its own.

    Args:
      folds: their trials.
      times: float `[..., speakers]`, how often each tested speaker counts.

    Returns:
      Metric of `METRICS` -> float `[arms, seeds, ...]`, the mean over folds; a fold in
      which fewer than two speakers count is left out.
    """
    by_fold = [_of_fold(fold, times) for fold in folds]
    return {
        name: _mean_of_known(np.stack([rates[name] for rates in by_fold]))
        for name in METRICS
    }


def _of_fold(fold: ScoredTrials, times: np.ndarray) -> dict[str, np.ndarray]:
    other = np.where(fold.target, 1.0, times[..., fold.second])
    weight = times[..., fold.first] * other
    errors = {}
    for back_end, scores in fold.scores.items():
        arms, seeds, n = scores.shape
        several = [
            weighted_errors(network_scores, fold.target, weight)
            for network_scores in scores.reshape(-1, n)
        ]
        for error in ERRORS:
            values = np.stack([one[error] for one in several])
            errors[f"{error}_{back_end}"] = values.reshape(
                arms, seeds, *values.shape[1:]
            )
    return errors


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(0) / known.sum(0)


def error_draws(
    folds: Sequence[ScoredTrials], speakers: int, *, seed: int = 0
) -> dict[str, np.ndarray]:
    """The errors in `DRAWN` of every arm in a bootstrap over speakers and seeds.

    All arms see the same draws, so that their differences are paired.

    Args:
      folds: their trials.
      speakers: how many are tested, over all folds.
      seed: of the draws.

    Returns:
      Metric of `DRAWN` -> float `[arms, RESAMPLES]`; NaN where no fold has two
      speakers.
    """
    seeds = next(iter(folds[0].scores.values())).shape[1]

    def score(who: np.ndarray, which: np.ndarray) -> np.ndarray:
        times = np.eye(speakers)[who[..., 0, :]].sum(-2)
        errors = error_rates(folds, times)
        rates = np.stack([errors[name] for name in DRAWN])
        # [metrics, arms, seeds, draws]; the last axis must be the draws'.
        chosen = np.moveaxis(which[..., 0], -1, 0)
        return np.take_along_axis(rates, chosen[None, None], 2).mean(2)

    draws = bootstrap_draws(score, seeds, speakers, seed=seed)
    return dict(zip(DRAWN, draws, strict=True))


def spread(draws: np.ndarray) -> list[float]:
    """The 2.5 and 97.5 percentiles of draws `[RESAMPLES]`."""
    return [float(end) for end in np.nanpercentile(draws, [2.5, 97.5])]


def compare_draws(draws: np.ndarray, against: np.ndarray) -> dict[str, Any]:
    """Interval and p of the paired difference of two arms.

    Scores of two networks have different scales, so that no permutation of their trials
    makes sense; `p_value` comes from the same draws as the interval.

    Args:
      draws: float `[RESAMPLES]`, of the arm.
      against: float `[RESAMPLES]`, of the other arm, the same draws.

    Returns:
      `ci95` of `draws - against`, and `p_value`, twice the smaller share of draws that
      are on one side of 0, at least `2 / (RESAMPLES + 1)`.
    """
    gaps = draws - against
    sides = min(np.sum(gaps <= 0.0), np.sum(gaps >= 0.0))
    p_value = min(2.0 * (1.0 + sides) / (1.0 + RESAMPLES), 1.0)
    return {"ci95": spread(gaps), "p_value": float(p_value)}
