"""From predictions to scores, summaries and comparisons, as plain numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.effects import concluded, gain_size
from dann_jax.evaluation.metrics import classification_scores, scores_of_confusion
from dann_jax.evaluation.statistics import (
    Scores,
    compare,
    confusion_counts,
    interval,
    pooled,
)
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.training.replicas import ReplicaLayout

METRICS = ("wa", "ua", "macro_f1")


def replica_records(protocol: Protocol, layout: ReplicaLayout) -> list[dict[str, Any]]:
    """Who every replica is, and how many rows it tests; groups, then arms."""
    tested = (protocol.roles == Role.TEST).sum(1)
    return [
        {
            "fold": layout.folds[fold],
            "seed": int(layout.seed_of[group]),
            "arm": arm,
            "n_test": int(tested[fold]),
        }
        for group, fold in enumerate(layout.fold_of[: layout.num_groups])
        for arm in layout.arms
    ]


def replica_scores(
    logits: np.ndarray, rows: np.ndarray, protocol: Protocol, layout: ReplicaLayout
) -> list[dict[str, Any]]:
    """Test scores of every replica, in the order of `replica_records`.

    Args:
      logits: float `[groups, arms, n, classes]` for corpus rows `rows`.
      rows: int `[n]`.
      protocol: which of them each fold tests.
      layout: of the replicas.
    """
    guesses = logits[: layout.num_groups].argmax(-1).reshape(-1, len(rows))
    fold_of = np.repeat(layout.fold_of[: layout.num_groups], len(layout.arms))
    replicas = replica_records(protocol, layout)
    for replica, fold, guess in zip(replicas, fold_of, guesses, strict=True):
        tested = protocol.roles[fold, rows] == Role.TEST
        truth = protocol.label[rows[tested]]
        size = len(protocol.labels)
        replica |= classification_scores(truth, guess[tested], size)
    return replicas


def speaker_counts(
    logits: np.ndarray,
    rows: np.ndarray,
    speaker: np.ndarray,
    protocol: Protocol,
    layout: ReplicaLayout,
) -> dict[str, np.ndarray]:
    """Arm -> confusion counts `[seeds, tested speakers, classes, classes]`, all folds.

    Args:
      logits: float `[groups, arms, n, classes]` for corpus rows `rows`.
      rows: int `[n]`.
      speaker: `[N]`, of every row of the corpus.
      protocol: which rows each fold tests.
      layout: of the replicas.
    """
    return by_seed(group_counts(logits, rows, speaker, protocol, layout), layout)


def group_counts(
    logits: np.ndarray,
    rows: np.ndarray,
    speaker: np.ndarray,
    protocol: Protocol,
    layout: ReplicaLayout,
) -> np.ndarray:
    """Confusion counts of every replica by tested speaker, as in `speaker_counts`.

    Returns:
      Float `[groups, arms, tested speakers, classes, classes]`.
    """
    names, ids = np.unique(speaker[rows], return_inverse=True)
    guesses, size = logits.argmax(-1), len(protocol.labels)
    counts = np.zeros((*logits.shape[:2], len(names), size, size))
    for group, arm in np.ndindex(layout.num_groups, len(layout.arms)):
        tested = protocol.roles[layout.fold_of[group], rows] == Role.TEST
        counts[group, arm] = confusion_counts(
            protocol.label[rows[tested]],
            guesses[group, arm, tested],
            ids[tested],
            size,
            len(names),
        )
    return counts


def by_seed(table: np.ndarray, layout: ReplicaLayout) -> dict[str, np.ndarray]:
    """Sum `[groups, arms, ...]` over folds: arm -> `[seeds, ...]`."""
    return {arm: trainings.sum(1) for arm, trainings in by_fold(table, layout).items()}


def by_fold(table: np.ndarray, layout: ReplicaLayout) -> dict[str, np.ndarray]:
    """Bring `[groups, arms, ...]` into order: arm -> `[seeds, folds, ...]`."""
    shape = (len(layout.folds), len(layout.seeds))
    table = table[: layout.num_groups]
    ordered = table.reshape(*shape, *table.shape[1:]).swapaxes(0, 1)
    return {arm: ordered[:, :, index] for index, arm in enumerate(layout.arms)}


def summarise(
    replicas: list[dict[str, Any]],
    counts: Mapping[str, np.ndarray],
    *,
    metrics: Sequence[str] = METRICS,
    scores: Scores = scores_of_confusion,
) -> dict[str, Any]:
    """Each arm's scores over folds and seeds.

    `mean` is the mean over folds, then over seeds; `std` its standard deviation over
    seeds; `pooled` scores all test utterances together, and `ci95` is its interval.

    Args:
      replicas: with their scores.
      counts: arm -> table `[seeds, speakers, ...]`, such as that of `speaker_counts`.
      metrics: which scores.
      scores: of sums of such tables.
    """
    summary: dict[str, Any] = {}
    for arm, table in counts.items():
        summary[arm] = {
            metric: {
                **over_seeds(replicas, arm, metric),
                "pooled": pooled(table, metric, scores=scores),
                "ci95": list(interval(table, metric, scores=scores)),
            }
            for metric in metrics
        }
    return summary


def not_measured(arms: Iterable[str]) -> dict[str, Any]:
    """The summary of arms that tested no row: every number is NaN."""
    nan = float("nan")
    scores = {"mean": nan, "std": nan, "pooled": nan, "ci95": [nan, nan]}
    return {arm: {metric: dict(scores) for metric in METRICS} for arm in arms}


def over_seeds(
    replicas: list[dict[str, Any]], arm: str, metric: str
) -> dict[str, float]:
    """`mean` over folds, then seeds; `std` over seeds, 0 where there is one."""
    of_arm = [replica for replica in replicas if replica["arm"] == arm]
    seeds = sorted({replica["seed"] for replica in of_arm})
    means = [
        np.mean([r[metric] for r in of_arm if r["seed"] == seed]) for seed in seeds
    ]
    return {
        "mean": float(np.mean(means)),
        "std": float(np.std(means, ddof=1)) if len(seeds) > 1 else 0.0,
    }


def fold_counts(
    replicas: Sequence[Mapping[str, Any]], layout: ReplicaLayout
) -> dict[str, np.ndarray]:
    """Arm -> confusion counts `[seeds, folds, classes, classes]`, one a training.

    Args:
      replicas: scores, in the order of groups, then arms.
      layout: of the replicas.
    """
    counts = np.array([replica["confusion"] for replica in replicas], np.float64)
    shape = (layout.num_groups, len(layout.arms))
    return by_fold(counts.reshape(*shape, *counts.shape[1:]), layout)


def comparisons(
    counts: Mapping[str, np.ndarray],
    *,
    trainings: Mapping[str, np.ndarray],
    metrics: Sequence[str] = ("wa", "ua"),
    scores: Scores = scores_of_confusion,
) -> list[dict[str, Any]]:
    """Every arm against the first one: how much, how surely, and what to say of it.

    Args:
      counts: arm -> table `[seeds, speakers, ...]`, as in `summarise`.
      trainings: arm -> table `[seeds, folds, ...]`.
      metrics: which scores.
      scores: of sums of such tables.
    """
    baseline, *others = counts
    return concluded(
        [
            {
                "arm": arm,
                "against": baseline,
                "metric": metric,
                **compare(
                    counts[arm],
                    counts[baseline],
                    metric,
                    trainings=(trainings[arm], trainings[baseline]),
                    scores=scores,
                ),
                **gain_size(counts[arm], counts[baseline], metric, scores=scores),
            }
            for arm in others
            for metric in metrics
        ]
    )
