"""What the seeds of a fold are worth together: their probabilities averaged.

A bundle averages its members, while the scores of a run are those of one training; the
mean of several networks is usually better than one of them (Lakshminarayanan, Pritzel
and Blundell, "Simple and scalable predictive uncertainty estimation using deep
ensembles", NeurIPS 2017).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.summaries import (
    by_fold,
    comparisons,
    fold_counts,
    replica_scores,
    speaker_counts,
    summarise,
)
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.training.replicas import ReplicaLayout

METRICS = ("wa", "ua")


def averaged_scores(
    logits: np.ndarray,
    rows: np.ndarray,
    speaker: np.ndarray,
    protocol: Protocol,
    layout: ReplicaLayout,
    *,
    arms: Sequence[str] = (),
) -> dict[str, Any]:
    """Scores of every arm when the seeds of a fold predict together.

    Args:
      logits: float `[groups, arms, n, classes]`; it and what follows as in
        `speaker_counts`.
      rows: int `[n]`.
      speaker: `[N]`.
      protocol: of the run.
      layout: of its replicas.
      arms: their order, the baseline first; by default that of the layout.

    Returns:
      The key `averaged` of `results.json`: `seeds`, how many there are; `summary` and
      `comparisons`, as those of the run but for WA and UA alone. Nothing where there is
      one seed.
    """
    if len(layout.seeds) < 2:
        return {}
    seeds, logits = len(layout.seeds), average_seeds(logits, layout)
    layout = ReplicaLayout(layout.folds, (0,), layout.arms, layout.mesh)
    replicas = replica_scores(logits, rows, protocol, layout)
    tested = [replica for replica in replicas if replica["n_test"]]
    arms = arms or list(layout.arms)
    counts = speaker_counts(logits, rows, speaker, protocol, layout)
    ordered = {arm: counts[arm] for arm in arms}
    folds = (protocol.roles == Role.TEST).any(1)
    trainings = {
        arm: table[:, folds] for arm, table in fold_counts(replicas, layout).items()
    }
    return {
        "averaged": {
            "seeds": seeds,
            "summary": summarise(tested, ordered, metrics=METRICS),
            "comparisons": comparisons(ordered, trainings=trainings, metrics=METRICS),
        }
    }


def average_seeds(logits: np.ndarray, layout: ReplicaLayout) -> np.ndarray:
    """The mean probability over the seeds of every fold.

    Args:
      logits: float `[groups, arms, n, classes]`, as in `Predictions`.
      layout: of their replicas.

    Returns:
      Probabilities, float `[folds, arms, n, classes]`; the largest is the prediction.
    """
    from scipy.special import softmax

    arms = by_fold(softmax(logits.astype(np.float64), -1), layout)
    return np.stack([arm.mean(0) for arm in arms.values()], axis=1)
