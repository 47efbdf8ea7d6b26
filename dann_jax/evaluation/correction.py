"""p-values of several comparisons at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats


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
"""The name of a correction -> p-values `[k]` to adjusted p-values `[k]`."""


def corrected(
    comparisons: Sequence[Mapping[str, Any]], *, by: str = "holm"
) -> list[dict[str, Any]]:
    """The comparisons with adjusted p-values for having compared several arms.

    The arms of one metric are a family. A p that is NaN stays so and is not counted.

    Args:
      comparisons: as in `results.json`, with `metric` and `p_value`.
      by: a word of `CORRECTIONS`.

    Returns:
      Copies, with `p_corrected`.
    """
    found = [{**entry, "p_corrected": float("nan")} for entry in comparisons]
    for metric in {entry["metric"] for entry in found}:
        tested = [
            entry
            for entry in found
            if entry["metric"] == metric and not np.isnan(entry["p_value"])
        ]
        p_values = np.array([entry["p_value"] for entry in tested])
        for entry, p in zip(tested, CORRECTIONS[by](p_values), strict=True):
            entry["p_corrected"] = float(p)
    return found
