"""How large a difference is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.correction import corrected
from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.power import seeds_needed, variance_components
from dann_jax.evaluation.statistics import Scores
from dann_jax.evaluation.verdicts import sentence, verdict


def speaker_scores(
    counts: np.ndarray, metric: str, *, scores: Scores = scores_of_confusion
) -> np.ndarray:
    """Score of every speaker in every seed, float `[seeds, speakers]`.

    Args:
      counts: `[seeds, speakers, classes, classes]`, no speaker without a row.
      metric: `wa`, `ua` (over the classes that the speaker has) or `macro_f1`.
      scores: of counts; of another table, metrics are its own.
    """
    return scores(counts)[metric]


def gain_size(
    counts: np.ndarray,
    against: np.ndarray,
    metric: str,
    *,
    scores: Scores = scores_of_confusion,
) -> dict[str, float | int | None]:
    """What a comparison says of the size of a gain.

    Args:
      counts: `[seeds, speakers, classes, classes]` of the arm.
      against: the same of the arm it is compared with.
      metric: as in `speaker_scores`.
      scores: as in `speaker_scores`.

    Returns:
      `effect_size`, the `d_z` of `effect_size`; `seeds_needed` to show the mean gain of
      the speakers with a power of 80 %, None where no number is enough, or where there
      are too few seeds or speakers to tell.
    """
    gain = speaker_scores(counts, metric, scores=scores) - speaker_scores(
        against, metric, scores=scores
    )
    needed = None
    if min(gain.shape) > 1 and np.isfinite(gain).all() and abs(gain.mean()) > 1e-12:
        components = variance_components(gain)
        needed = seeds_needed(components, float(gain.mean()), speakers=gain.shape[1])
    size = effect_size(counts, against, metric, scores=scores)
    return {"effect_size": size["d_z"], "seeds_needed": needed}


def effect_size(
    counts: np.ndarray,
    against: np.ndarray,
    metric: str,
    *,
    scores: Scores = scores_of_confusion,
) -> dict[str, float]:
    """How large the gain of an arm is beside the spread of it over speakers.

    Args:
      counts: `[seeds, speakers, classes, classes]` of the arm.
      against: the same of the arm it is compared with.
      metric: `wa`, `ua` or `macro_f1`, of each speaker, averaged over seeds.
      scores: as in `speaker_scores`.

    Returns:
      `d_z`, mean over standard deviation of the speakers' gains (NaN where all gain
      the same, or there is one speaker), and `superiority`, the share of speakers who
      gain, those who gain nothing counted half.

    Reference: Cohen, "Statistical Power Analysis", 1988, section 2.3.5; Grissom and
    Kim, "Effect Sizes for Research", 2012, for the probability of superiority in
    paired data.
    """
    gain = speaker_scores(counts, metric, scores=scores) - speaker_scores(
        against, metric, scores=scores
    )
    gain = gain.mean(0)
    # Equal gains differ by rounding.
    spread = np.std(gain, ddof=1) if len(gain) > 1 else 0.0
    flat = spread <= 1e-12
    sign = np.sign(np.where(np.abs(gain) <= 1e-12, 0.0, gain))
    return {
        "d_z": float("nan") if flat else float(gain.mean() / spread),
        "superiority": float((sign + 1.0).mean() / 2.0),
    }


def concluded(comparisons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The comparisons, corrected, each with its `verdict` and its `sentence`."""
    return [
        {
            **entry,
            "verdict": verdict(entry["ci95"], entry["metric"]),
            "sentence": sentence(entry),
        }
        for entry in corrected(comparisons)
    ]
