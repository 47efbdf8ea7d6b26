"""How many seeds it takes to show a difference, by a normal approximation."""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm


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
