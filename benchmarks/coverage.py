"""How often intervals hold the truth, and tests find what is not there, by simulation.

    python -m benchmarks.coverage

Gains of speakers, of trainings and of the rest are drawn from normal distributions with
mean 0: an interval should hold 0 in 95 % of the trials, and p should be .05 or less in
5 %. In one fold, one training of each seed serves all speakers; with as many folds as
speakers each has one of its own.
"""

import argparse
import itertools

import numpy as np
from scipy import stats

DESIGNS = (
    # (folds, speakers, seeds)
    (1, 4, 3), (1, 10, 3), (1, 10, 5), (1, 24, 5), (5, 10, 1), (5, 10, 5), (6, 6, 3),
    (10, 10, 3), (24, 24, 3),
)  # fmt: skip
SPREADS = {"speakers": (1.0, 0.3, 0.5), "trainings": (0.5, 1.0, 0.5)}
"""What differs most -> deviations of speakers, of trainings, and of the rest."""

RESAMPLES = 1000


def gains(
    folds: int,
    speakers: int,
    seeds: int,
    spread: tuple[float, ...],
    rng: np.random.Generator,
) -> np.ndarray:
    """What an arm gains in every seed for every speaker, float `[seeds, speakers]`."""
    of_speaker, of_training, of_rest = spread
    fold = np.arange(speakers) * folds // speakers
    return (
        rng.normal(0.0, of_speaker, speakers)
        + rng.normal(0.0, of_training, (seeds, folds))[:, fold]
        + rng.normal(0.0, of_rest, (seeds, speakers))
    )


def interval_draws(table: np.ndarray, way: str, rng: np.random.Generator) -> np.ndarray:
    """Means of bootstrap samples; `evaluation.resampling` draws crossed ones."""
    seeds, speakers = table.shape
    if way == "crossed":
        who = rng.multinomial(speakers, np.full(speakers, 1 / speakers), RESAMPLES)
        which = rng.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES)
        return ((which @ table) * who).sum(-1) / (seeds * speakers)
    who = rng.integers(0, speakers, (RESAMPLES, 1, speakers))
    which = rng.integers(0, seeds, (RESAMPLES, seeds, speakers))
    return table[which, who].mean((-1, -2))


def held(draws: np.ndarray, units: int, expanded: bool) -> bool:
    """Whether the percentile interval of the draws holds 0."""
    tail = 0.025
    if expanded:
        wide = stats.t.ppf(0.975, units - 1) * np.sqrt(units / (units - 1))
        tail = stats.norm.sf(wide)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return bool(low <= 0.0 <= high)


def swaps_p(parts: np.ndarray) -> float:
    """Two-sided p of flipping the signs of parts that sum to the gain."""
    if len(parts) < 2:
        return float("nan")
    signs = np.array(list(itertools.product([1, -1], repeat=min(len(parts), 10))))
    if len(parts) > 10:
        signs = np.random.default_rng(0).choice([1, -1], (1024, len(parts)))
        signs[0] = 1
    totals = np.abs(signs @ parts)
    return float(np.mean(totals >= totals[0] - 1e-12))


def shares(
    folds: int, speakers: int, seeds: int, spread: tuple[float, ...], trials: int
) -> dict[str, float]:
    """The share of trials with an interval that holds, or with p of .05 or less."""
    rng = np.random.default_rng(0)
    fold = np.arange(speakers) * folds // speakers
    found: dict[str, list[bool]] = {}
    for _ in range(trials):
        table = gains(folds, speakers, seeds, spread, rng)
        units = (
            min(speakers, seeds) if folds == 1 and seeds > 1 else min(speakers, folds)
        )
        for way in ("crossed", "nested"):
            draws = interval_draws(table, way, rng)
            for word, count in (("", 0), ("+t", speakers), ("+t units", units)):
                holds = held(draws, count, count > 1)
                found.setdefault(f"{way}{word}", []).append(holds)
        by_fold = np.array([table[:, fold == k].sum() for k in range(folds)])
        swapped = by_fold if folds > 1 else table.sum(1)
        found.setdefault("p speakers", []).append(swaps_p(table.sum(0)) <= 0.05)
        found.setdefault("p trainings", []).append(swaps_p(swapped) <= 0.05)
    return {word: float(np.mean(values)) for word, values in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    options = parser.parse_args()
    first = True
    for (folds, speakers, seeds), (name, spread) in itertools.product(
        DESIGNS, SPREADS.items()
    ):
        found = shares(folds, speakers, seeds, spread, options.trials)
        if first:
            print("| folds | speakers | seeds | differ most |", " | ".join(found), "|")
            print("|---" * (4 + len(found)) + "|")
            first = False
        cells = " | ".join(f"{share:.3f}".lstrip("0") for share in found.values())
        print(f"| {folds} | {speakers} | {seeds} | {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
