"""From the predictions of all replicas to `results.json`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.chosen_folds import tested_by
from dann_jax.evaluation.probe import domain_probes
from dann_jax.evaluation.scorers.calibrated import calibration_of
from dann_jax.evaluation.seed_averages import averaged_scores
from dann_jax.evaluation.strangers import unenrolled_scores
from dann_jax.evaluation.summaries import (
    comparisons,
    fold_counts,
    not_measured,
    replica_scores,
    speaker_counts,
    summarise,
)
from dann_jax.evaluation.target import describe_target
from dann_jax.tasks.roles import Role
from dann_jax.training.run import Predictions, Run
from dann_jax.training.state import TrainState


def score_classes(
    predictions: Predictions, state: TrainState, run: Run
) -> dict[str, Any]:
    """Test, probe, summarise and compare the parameters that were kept.

    Args:
      predictions: `label_logits` of the tested rows.
      state: of all replicas.
      run: that was trained.

    Returns:
      The keys `labels`, `replicas`, `summary`, `comparisons`, `calibration`, of
      several seeds `averaged`, and where features are standardised by person
      `unenrolled` of `results.json`; and, where a fold adapts to a
      target, `target`: see `describe_target`, and where that fold is scored, a
      `summary` and `comparisons` of its own.
    """
    protocol = run.task.protocol
    replicas = replica_scores(
        predictions.label_logits, predictions.rows, protocol, run.layout
    )
    rehearsed, rehearsals = tested_by(protocol.rehearsals, predictions, run)
    results = {
        "labels": list(protocol.labels),
        "replicas": diagnosed(replicas, state, run),
        **_scores_of(protocol.rehearsals, predictions, replicas, run),
        "calibration": calibration_of(rehearsed, state, rehearsals),
        **unenrolled_scores(state, rehearsals),
    }
    if protocol.target_fold is None:
        return results
    target = describe_target(predictions, state, run, results["comparisons"])
    if (protocol.roles[protocol.target_fold] == Role.TEST).any():
        target |= _scores_of([protocol.target_fold], predictions, replicas, run)
    return {**results, "target": target}


def _scores_of(
    folds: Sequence[int],
    predictions: Predictions,
    replicas: Sequence[dict[str, Any]],
    run: Run,
) -> dict[str, Any]:
    """The keys `summary`, `comparisons` and `averaged` of what some folds test."""
    names = [run.layout.folds[fold] for fold in folds]
    tested = [replica for replica in replicas if replica["fold"] in names]
    if not tested:
        return {"summary": not_measured(run.layout.arms), "comparisons": []}
    trainings = {
        arm: table[:, folds] for arm, table in fold_counts(replicas, run.layout).items()
    }
    predictions, run = tested_by(folds, predictions, run)
    scored = (
        predictions.label_logits,
        predictions.rows,
        run.task.corpus.column("speaker"),
        run.task.protocol,
        run.layout,
    )
    counts = speaker_counts(*scored)
    return {
        "summary": summarise(tested, counts),
        "comparisons": comparisons(counts, trainings=trainings),
        **averaged_scores(*scored),
    }


def diagnosed(
    replicas: list[dict[str, Any]],
    state: TrainState,
    run: Run,
    *,
    column: str = "speaker",
) -> list[dict[str, Any]]:
    """Add which step was kept, and what a probe finds, to the scores of replicas.

    Args:
      replicas: in the order of groups, then arms.
      state: of all replicas.
      run: that was trained.
      column: what the probe looks for.
    """
    kept = run.layout.get(state.best_step)[: run.layout.num_groups].ravel()
    probes = probe_replicas(state, run, column=column)
    return [
        replica | {"selected_step": int(step), "domain_probe": probe}
        for replica, step, probe in zip(replicas, kept, probes, strict=True)
    ]


def probe_replicas(
    state: TrainState, run: Run, *, column: str = "speaker", num_rows: int = 1000
) -> list[dict[str, float]]:
    """Whether a fresh classifier finds a column in each replica's frozen features.

    All replicas are probed on the same `num_rows` rows, drawn from the whole corpus.
    """
    corpus, protocol = run.task.corpus, run.task.protocol
    drawn = np.random.default_rng(0).permutation(len(corpus))[:num_rows]
    holds = np.zeros(protocol.roles.shape, bool)
    holds[:, drawn] = True
    rows, features, _ = run.predict(state.best, holds, ("features",))
    # In the order in which they were drawn.
    features = features[:, :, np.searchsorted(rows, drawn)]
    value = np.unique(corpus.column(column), return_inverse=True)[1][drawn]
    return domain_probes(features.reshape(-1, *features.shape[2:]), value)
