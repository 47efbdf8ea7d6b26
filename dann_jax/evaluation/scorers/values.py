"""From predicted ratings of all replicas to `results.json`."""

import functools
from typing import Any

import numpy as np

from dann_jax.evaluation.agreement import names_of, scores_of_moments, value_moments
from dann_jax.evaluation.scorers.classes import diagnosed
from dann_jax.evaluation.summaries import (
    by_fold,
    by_seed,
    comparisons,
    replica_records,
    summarise,
)
from dann_jax.tasks.roles import Role
from dann_jax.training.run import Predictions, Run
from dann_jax.training.state import TrainState


def score_values(
    predictions: Predictions, state: TrainState, run: Run
) -> dict[str, Any]:
    """Test, probe, summarise and compare the parameters that were kept.

    Args:
      predictions: `label_logits` of the tested rows: their values.
      state: of all replicas.
      run: that was trained.

    Returns:
      The keys `labels` (none), `targets`, `replicas`, `summary` and `comparisons` of
      `results.json`. The metrics are those of `names_of`.
    """
    protocol, layout = run.task.protocol, run.layout
    targets = protocol.targets
    score = functools.partial(scores_of_moments, targets=targets)
    moments = replica_moments(predictions.label_logits, predictions.rows, run)
    replicas = replica_records(protocol, layout)
    for index, replica in enumerate(replicas):
        total = moments[divmod(index, len(layout.arms))].sum(0)
        replica |= {name: float(value) for name, value in score(total).items()}
    tables = by_seed(moments, layout)
    names = names_of(targets)
    return {
        "labels": [],
        "targets": list(targets),
        "replicas": diagnosed(replicas, state, run),
        "summary": summarise(replicas, tables, metrics=names, scores=score),
        "comparisons": comparisons(
            tables,
            trainings=by_fold(moments.sum(2), layout),
            metrics=names,
            scores=score,
        ),
    }


def replica_moments(predicted: np.ndarray, rows: np.ndarray, run: Run) -> np.ndarray:
    """Moments `[groups, arms, speakers, targets, 6]` of what each replica tests.

    Args:
      predicted: `[groups, arms, n, targets]` for corpus rows `rows` `[n]`.
      rows: int `[n]`.
      run: the true values, and who speaks.
    """
    task, layout = run.task, run.layout
    protocol = task.protocol
    names, speaker = np.unique(task.corpus.column("speaker")[rows], return_inverse=True)
    origin = np.nanmean(protocol.value, axis=0)
    moments = []
    for group, fold in enumerate(layout.fold_of[: layout.num_groups]):
        tested = protocol.roles[fold, rows] == Role.TEST
        moments.append(
            [
                value_moments(
                    protocol.value[rows[tested]],
                    values[tested],
                    speaker[tested],
                    len(names),
                    origin=origin,
                )
                for values in predicted[group]
            ]
        )
    return np.array(moments)
