"""Sums and differences of several pooled scores, with one interval.

`statistics.compare` has the difference of two. Whether a gain differs between two
settings is a difference of two differences.
"""

from collections.abc import Sequence

import numpy as np

from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.resampling import bootstrap_interval


def contrast(
    terms: Sequence[tuple[float, np.ndarray]], metric: str, *, seed: int = 0
) -> dict[str, float | list[float]]:
    """A weighted sum of pooled scores; every draw takes the same speakers and seeds.

    Args:
      terms: weights, and confusion counts `[seeds, speakers, classes, classes]` of the
        same seeds and speakers.
      metric: `wa`, `ua` or `macro_f1`.
      seed: of the resampling.

    Returns:
      `difference`, the sum; `ci95`, its expanded bootstrap interval over speakers and
      seeds, NaN where there is a single speaker.

    Example:
      >>> counts = np.array([[[[3, 1], [1, 3]], [[4, 0], [2, 2]]]])
      >>> more, less = contrast([(1.0, counts), (-1.0, counts)], "wa").values()
      >>> more, less
      (0.0, [0.0, 0.0])
    """

    def score(who: np.ndarray, which: np.ndarray) -> np.ndarray:
        return sum(
            weight * scores_of_confusion(counts[which, who].sum(-3))[metric].mean(-1)
            for weight, counts in terms
        )

    seeds, speakers = terms[0][1].shape[:2]
    everybody = score(np.arange(speakers), np.arange(seeds)[:, None])
    ends = bootstrap_interval(score, seeds, speakers, seed=seed)
    return {"difference": float(everybody), "ci95": list(ends)}
