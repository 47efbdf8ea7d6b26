"""From predicted ratings of all replicas to `results.json`.

`results` has the same for classes, and `open_set` for speakers to be verified.
"""

import functools
from typing import Any

import numpy as np

from dann_jax.evaluation.agreement import (
    names_of,
    scores_of_moments,
    value_moments,
)
from dann_jax.results import diagnosed, tested_logits
from dann_jax.roles import Role
from dann_jax.summaries import comparisons, summarise
from dann_jax.task import Task
from dann_jax.training.program import Program
from dann_jax.training.replicas import Layout
from dann_jax.training.state import TrainState


def rate_replicas(
    state: TrainState, program: Program, task: Task, layout: Layout
) -> dict[str, Any]:
    """Test, probe, summarise and compare the parameters that were kept.

    Returns:
      The keys `labels` (none), `targets`, `replicas`, `summary` and `comparisons` of
      `results.json`. The metrics are those of `names_of`.
    """
    predicted, rows = tested_logits(state, program, task, layout)
    targets = task.protocol.targets
    score = functools.partial(scores_of_moments, targets=targets)
    moments = replica_moments(predicted, rows, task, layout)
    replicas = replica_scores(moments, task, layout)
    tables = speaker_moments(moments, layout)
    names = names_of(targets)
    return {
        "labels": [],
        "targets": list(targets),
        "replicas": diagnosed(replicas, state, program, task, layout),
        "summary": summarise(replicas, tables, metrics=names, scores=score),
        "comparisons": comparisons(
            tables,
            trainings=fold_moments(moments, layout),
            metrics=names,
            scores=score,
        ),
    }


def replica_moments(
    predicted: np.ndarray, rows: np.ndarray, task: Task, layout: Layout
) -> np.ndarray:
    """Moments `[groups, arms, speakers, targets, 6]` of what each replica tests.

    Args:
      predicted: `[groups, arms, n, targets]` for corpus rows `rows` `[n]`.
      rows: int `[n]`.
      task: their true values, and who speaks.
      layout: of the replicas.
    """
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
                    own[tested],
                    speaker[tested],
                    len(names),
                    origin=origin,
                )
                for own in predicted[group]
            ]
        )
    return np.array(moments)


def replica_scores(
    moments: np.ndarray, task: Task, layout: Layout
) -> list[dict[str, Any]]:
    """Test scores of every replica, from moments `[groups, arms, speakers, ...]`."""
    found = scores_of_moments(moments.sum(2), task.protocol.targets)
    tested = (task.protocol.roles == Role.TEST).sum(1)
    return [
        {
            "fold": layout.folds[layout.fold_of[group]],
            "seed": int(layout.seed_of[group]),
            "arm": arm,
            "n_test": int(tested[layout.fold_of[group]]),
            **{name: float(values[group, index]) for name, values in found.items()},
        }
        for group in range(layout.num_groups)
        for index, arm in enumerate(layout.arms)
    ]


def speaker_moments(moments: np.ndarray, layout: Layout) -> dict[str, np.ndarray]:
    """Arm -> moments `[seeds, speakers, targets, 6]`, all folds together."""
    seed_of = layout.seed_of[: layout.num_groups]
    by_seed = np.stack([moments[seed_of == seed].sum(0) for seed in layout.seeds])
    return {arm: by_seed[:, index] for index, arm in enumerate(layout.arms)}


def fold_moments(moments: np.ndarray, layout: Layout) -> dict[str, np.ndarray]:
    """Arm -> moments `[seeds, folds, targets, 6]`: one for each training."""
    tested = moments.sum(2)
    shape = (len(layout.folds), len(layout.seeds))
    table = tested.reshape(*shape, *tested.shape[1:]).swapaxes(0, 1)
    return {arm: table[:, :, index] for index, arm in enumerate(layout.arms)}
