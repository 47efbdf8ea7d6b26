"""From the predictions of all replicas to `results.json`."""

from typing import Any

import numpy as np

from dann_jax.evaluation.probe import domain_probe
from dann_jax.evaluation.scorers.calibrated import calibration_of
from dann_jax.evaluation.summaries import (
    comparisons,
    fold_counts,
    replica_scores,
    speaker_counts,
    summarise,
)
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
      The keys `labels`, `replicas`, `summary`, `comparisons` and `calibration` of
      `results.json`.
    """
    protocol, tested = run.task.protocol, (predictions.label_logits, predictions.rows)
    replicas = replica_scores(*tested, protocol, run.layout)
    speaker = run.task.corpus.column("speaker")
    counts = speaker_counts(*tested, speaker, protocol, run.layout)
    trainings = fold_counts(replicas, run.layout)
    return {
        "labels": list(protocol.labels),
        "replicas": diagnosed(replicas, state, run),
        "summary": summarise(replicas, counts),
        "comparisons": comparisons(counts, trainings=trainings),
        "calibration": calibration_of(predictions, state, run),
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
    flat = features.reshape(-1, *features.shape[2:])
    return [domain_probe(replica, value) for replica in flat]
