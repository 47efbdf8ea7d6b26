"""How large a difference is, and what may be said of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from dann_jax.evaluation.metrics import scores_of_confusion


def speaker_scores(counts: np.ndarray, metric: str) -> np.ndarray:
    """Score of every speaker in every seed, float `[seeds, speakers]`.

    Args:
      counts: `[seeds, speakers, classes, classes]`, no speaker without a row.
      metric: `wa`, `ua` (over the classes that the speaker has) or `macro_f1`.
    """
    return scores_of_confusion(counts)[metric]


def effect_size(
    counts: np.ndarray, against: np.ndarray, metric: str
) -> dict[str, float]:
    """How large the gain of an arm is beside the spread of it over speakers.

    Args:
      counts: `[seeds, speakers, classes, classes]` of the arm.
      against: the same of the arm it is compared with.
      metric: `wa`, `ua` or `macro_f1`, of each speaker, averaged over seeds.

    Returns:
      `d_z`, mean over standard deviation of the speakers' gains (NaN where all gain
      the same, or there is one speaker), and `superiority`, the share of speakers who
      gain, those who gain nothing counted half.

    Reference: Cohen, "Statistical Power Analysis", 1988, section 2.3.5; Grissom and
    Kim, "Effect Sizes for Research", 2012, for the probability of superiority in
    paired data.
    """
    gain = (speaker_scores(counts, metric) - speaker_scores(against, metric)).mean(0)
    # Equal gains differ by rounding.
    spread = np.std(gain, ddof=1) if len(gain) > 1 else 0.0
    flat = spread <= 1e-12
    sign = np.sign(np.where(np.abs(gain) <= 1e-12, 0.0, gain))
    return {
        "d_z": float("nan") if flat else float(gain.mean() / spread),
        "superiority": float((sign + 1.0).mean() / 2.0),
    }


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjusted p that keep the chance of any false finding at the level.

    Args:
      p_values: float `[k]` in [0, 1].

    Example:
      >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
      [0.03, 0.06, 0.06]

    Reference: Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
    Scandinavian Journal of Statistics 6 (1979).
    """
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Adjusted p that keep the expected share of false findings at the level.

    Args:
      p_values: float `[k]` in [0, 1].

    Reference: Benjamini and Hochberg, Journal of the Royal Statistical Society B 57
    (1995).
    """
    return stats.false_discovery_control(p_values, method="bh")


CORRECTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "holm": holm,
    "benjamini_hochberg": benjamini_hochberg,
}
"""The word in a result -> p-values `[k]` to adjusted p-values `[k]`."""


def corrected(comparisons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The comparisons with adjusted p-values for having compared several arms.

    The arms of one metric are a family. A p that is NaN stays so and is not counted.

    Args:
      comparisons: as in `results.json`, with `metric` and `p_value`.

    Returns:
      Copies, with `p_holm` and `p_benjamini_hochberg`.
    """
    found = [dict(entry) for entry in comparisons]
    for metric in {entry["metric"] for entry in found}:
        family = [e for e in found if e["metric"] == metric]
        tested = [e for e in family if not np.isnan(e["p_value"])]
        p_values = np.array([entry["p_value"] for entry in tested])
        for word, correct in CORRECTIONS.items():
            for entry in family:
                entry[f"p_{word}"] = float("nan")
            for entry, p in zip(tested, correct(p_values), strict=True):
                entry[f"p_{word}"] = float(p)
    return found


ERRORS = ("eer", "min_dcf")
"""Errors of verification, as the names of their metrics begin."""


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


def verdict(ci95: Sequence[float], metric: str = "") -> str:
    """`better`, `worse`, or `no difference shown` if the interval does not exclude 0.

    Args:
      ci95: low and high end; NaN, of a single speaker, excludes nothing.
      metric: what the difference is of; more is better unless `is_error`.

    Example:
      >>> verdict([0.1, 2.0]), verdict([-0.1, 2.0]), verdict([-2.0, -0.1])
      ('better', 'no difference shown', 'worse')
    """
    low, high = ci95
    more, less = "better", "worse"
    if is_error(metric):
        more, less = less, more
    if low > 0.0:
        return more
    return less if high < 0.0 else "no difference shown"


def sentence(comparison: Mapping[str, Any]) -> str:
    """What may be said of a comparison, in one sentence.

    Args:
      comparison: an entry of `comparisons` in `results.json`, corrected or not.

    Example:
      >>> entry = {"arm": "dann", "against": "plain", "metric": "ua"}
      >>> sentence({**entry, "difference": 0.004, "ci95": [-0.003, 0.011]})
      'dann and plain: no difference shown in UA (+0.4 points, 95 % -0.3 to +1.1).'
    """
    arm, against = comparison["arm"], comparison["against"]
    metric = comparison["metric"].replace("_", " ").upper()
    found = verdict(comparison["ci95"], comparison["metric"])
    scale = scale_of(comparison["metric"])
    digits = 1 if scale == 100.0 else 3
    low, high = (scale * end for end in comparison["ci95"])
    numbers = f"{scale * comparison['difference']:+.{digits}f} points"
    if np.isnan(low):
        numbers += ", no interval from a single speaker"
    else:
        numbers += f", 95 % {low:+.{digits}f} to {high:+.{digits}f}"
    if found == "no difference shown":
        return f"{arm} and {against}: {found} in {metric} ({numbers})."
    said = f"{arm} is {found} than {against} in {metric} ({numbers})"
    if comparison.get("p_holm", 0.0) > 0.05:
        said += ", but not after correction for the number of arms compared"
    return f"{said}."
