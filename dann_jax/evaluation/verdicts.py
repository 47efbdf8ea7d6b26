"""How a metric is read, and what a difference in it shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

ERRORS = ("eer", "min_dcf")
"""Errors of verification, as the names of their metrics begin."""

CHOSEN = "chosen"
"""The arm of a choice that is in each fold the candidate that was chosen there."""

NOT_SHOWN = "no difference shown"


def is_error(metric: str) -> bool:
    """Whether less of a metric is better.

    Example:
      >>> is_error("eer_plda"), is_error("rmse_valence"), is_error("ua")
      (True, True, False)
    """
    return metric.startswith((*ERRORS, "rmse"))


def scale_of(metric: str) -> float:
    """What a metric is multiplied by to be read: an RMSE has a unit, others are shares.

    Example:
      >>> scale_of("ccc_valence"), scale_of("rmse_valence")
      (100.0, 1.0)
    """
    return 1.0 if metric.startswith("rmse") else 100.0


def verdict(ci95: Sequence[float], metric: str = "", p_value: float = 0.0) -> str:
    """`better`, `worse`, or `no difference shown` if the interval does not exclude 0.

    Args:
      ci95: low and high end; NaN, of a single speaker, excludes nothing.
      metric: what the difference is of; more is better unless `is_error`.
      p_value: a `better` or `worse` whose p is above .05 is a `(hint only)`.

    Example:
      >>> verdict([0.1, 2.0]), verdict([-0.1, 2.0]), verdict([-2.0, -0.1])
      ('better', 'no difference shown', 'worse')
      >>> verdict([0.1, 2.0], "ua", p_value=0.06)
      'better (hint only)'
    """
    low, high = ci95
    if not (low > 0.0 or high < 0.0):
        return NOT_SHOWN
    hint = " (hint only)" if p_value > 0.05 else ""
    return ("better" if (low > 0.0) != is_error(metric) else "worse") + hint


def verdict_of(comparison: Mapping[str, Any]) -> str:
    """The verdict on a comparison, a hint where its p or its corrected p is above .05.

    Args:
      comparison: an entry of `comparisons` in `results.json`, corrected or not.

    Example:
      >>> entry = {"metric": "ua", "ci95": [0.1, 2.0], "p_value": 0.03}
      >>> verdict_of(entry), verdict_of({**entry, "p_corrected": 0.09})
      ('better', 'better (hint only)')
    """
    # A p that was not computed is NaN, which is above nothing.
    p_values = [comparison.get(name, 0.0) for name in ("p_value", "p_corrected")]
    highest = max(np.nan_to_num(p_values).tolist())
    return verdict(comparison["ci95"], comparison["metric"], highest)


def sentence(comparison: Mapping[str, Any]) -> str:
    """A comparison in one sentence.

    Args:
      comparison: an entry of `comparisons` in `results.json`, corrected or not.

    Example:
      >>> entry = {"arm": "dann", "against": "plain", "metric": "ua"}
      >>> sentence({**entry, "difference": 0.004, "ci95": [-0.003, 0.011]})
      'dann and plain: no difference shown in UA (+0.40 points, 95 % -0.30 to +1.10).'
    """
    arm, against = comparison["arm"], comparison["against"]
    metric = comparison["metric"].replace("_", " ").upper()
    word = verdict(comparison["ci95"], comparison["metric"])
    scale = scale_of(comparison["metric"])
    digits = 2 if scale == 100.0 else 3
    low, high = (scale * end for end in comparison["ci95"])
    numbers = f"{scale * comparison['difference']:+z.{digits}f} points"
    if np.isnan(low):
        numbers += ", no interval from a single speaker"
    else:
        numbers += f", 95 % {low:+z.{digits}f} to {high:+z.{digits}f}"
    if word == NOT_SHOWN:
        return f"{arm} and {against}: {word} in {metric} ({numbers})."
    text = f"{arm} is {word} than {against} in {metric} ({numbers})"
    p_value, p_corrected = (
        comparison.get(name, 0.0) for name in ("p_value", "p_corrected")
    )
    if p_value > 0.05:
        text += f"; its p is {p_value:.3f}, so take it for a hint"
    elif p_corrected > 0.05:
        text += ", a hint only: not after correction for the number of arms compared"
    return f"{text}."
