"""How large a difference is, how many seeds show it, and what several of them show."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm

from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.statistics import Scores
from dann_jax.evaluation.verdicts import sentence, verdict


def gain_size(
    counts: np.ndarray,
    against: np.ndarray,
    metric: str,
    *,
    scores: Scores = scores_of_confusion,
) -> dict[str, float | int | None]:
    """How large the gain of an arm is, beside its spread over speakers.

    Args:
      counts: `[seeds, speakers, classes, classes]` of the arm, no speaker without rows.
      against: the same of the arm it is compared with.
      metric: `wa`, `ua` (over the classes that the speaker has) or `macro_f1`.
      scores: of counts; of another table, metrics are its own.

    Returns:
      `effect_size`, Cohen's d_z: mean over standard deviation of the speakers' gains,
      averaged over seeds; NaN where all gain the same, or there is one speaker.
      `seeds_needed` to show the mean gain with a power of 80 %; None where no number is
      enough, or where there are too few seeds or speakers to tell.

    Reference: Cohen, "Statistical Power Analysis", 1988, section 2.3.5.
    """
    gain = scores(counts)[metric] - scores(against)[metric]
    speakers, effect = gain.shape[1], float(gain.mean())
    needed = None
    if min(gain.shape) > 1 and np.isfinite(gain).all() and abs(effect) > 1e-12:
        needed = seeds_needed(variance_components(gain), effect, speakers=speakers)
    spread = np.std(gain.mean(0), ddof=1) if speakers > 1 else 0.0
    # Equal gains differ by rounding.
    d_z = float("nan") if spread <= 1e-12 else float(gain.mean(0).mean() / spread)
    return {"effect_size": d_z, "seeds_needed": needed}


class Components(NamedTuple):
    """Where the variance of a paired difference comes from.

    Attributes:
      speaker: variance of what a speaker adds in every seed.
      seed: variance of what a seed adds for every speaker; 0 where each speaker has a
        training of its own.
      residual: variance of what is left.
    """

    speaker: float
    seed: float
    residual: float


def variance_components(differences: np.ndarray) -> Components:
    """Estimate them by the mean squares of a table without replication.

    Args:
      differences: float `[seeds, speakers]`, two at least of each: what one arm gains
        over another.

    Returns:
      Components, none below 0.

    Raises:
      ValueError: one seed or one speaker cannot be told from the residual.

    Reference: Searle, Casella and McCulloch, "Variance Components", 1992, chapter 4.
    """
    seeds, speakers = differences.shape
    if min(seeds, speakers) < 2:
        raise ValueError(
            f"variance components need two seeds and two speakers at least, got "
            f"{seeds} and {speakers}"
        )
    by_speaker, by_seed = differences.mean(0), differences.mean(1)
    left = differences - by_speaker - by_seed[:, None] + differences.mean()
    residual = (left**2).sum() / ((seeds - 1) * (speakers - 1))
    return Components(
        speaker=float(max(by_speaker.var(ddof=1) - residual / seeds, 0.0)),
        seed=float(max(by_seed.var(ddof=1) - residual / speakers, 0.0)),
        residual=float(residual),
    )


def seeds_needed(
    components: Components,
    effect: float,
    *,
    speakers: int,
    wanted: float = 0.8,
    level: float = 0.05,
) -> int | None:
    """The fewest seeds that show a difference with the power wanted.

    Args:
      components: of the paired difference.
      effect: the true difference that should not be missed, not 0.
      speakers: as many as there are.
      wanted: power in (0, 1).
      level: of a two-sided test.

    Returns:
      At least 1; None if no number of seeds is enough, because the speakers differ too
      much: then only more speakers help.

    Example:
      >>> seeds_needed(Components(0.0, 1.0, 0.0), 1.0, speakers=10)
      8
      >>> seeds_needed(Components(1.0, 1.0, 0.0), 0.1, speakers=10) is None
      True
    """
    fixed = components.speaker / speakers
    per_seed = components.seed + components.residual / speakers
    allowed = (effect / (norm.ppf(1.0 - level / 2.0) + norm.ppf(wanted))) ** 2
    if allowed <= fixed:
        return None
    return max(1, int(np.ceil(per_seed / (allowed - fixed))))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjusted p-values that keep the chance of any false finding at the level.

    Args:
      p_values: float `[k]` in [0, 1].

    Returns:
      float `[k]` in [0, 1].

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


def corrected(comparisons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The comparisons with p-values adjusted for having compared several arms.

    The arms of one metric are a family. A p that is NaN stays so and is not counted.

    Args:
      comparisons: as in `results.json`, with `metric` and `p_value`.

    Returns:
      Copies, with `p_corrected`.
    """
    entries = [{**entry, "p_corrected": float("nan")} for entry in comparisons]
    for metric in {entry["metric"] for entry in entries}:
        tested = [
            entry
            for entry in entries
            if entry["metric"] == metric and not np.isnan(entry["p_value"])
        ]
        adjusted = holm(np.array([entry["p_value"] for entry in tested]))
        for entry, p in zip(tested, adjusted, strict=True):
            entry["p_corrected"] = float(p)
    return entries


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
