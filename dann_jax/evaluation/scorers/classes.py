"""From the predictions of all replicas to `results.json`."""

from typing import Any

import numpy as np

from dann_jax.evaluation.probe import domain_probe
from dann_jax.evaluation.summaries import (
    comparisons,
    fold_counts,
    replica_scores,
    speaker_counts,
    summarise,
)
from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.training.predict import predict
from dann_jax.training.program import Program
from dann_jax.training.replicas import Layout
from dann_jax.training.state import TrainState


def score_replicas(
    state: TrainState, program: Program, task: Task, layout: Layout
) -> dict[str, Any]:
    """Test, probe, summarise and compare the parameters that were kept.

    Returns:
      The keys `labels`, `replicas`, `summary` and `comparisons` of `results.json`.
    """
    logits, rows = tested_logits(state, program, task, layout)
    replicas = replica_scores(logits, rows, task.protocol, layout)
    speaker = task.corpus.column("speaker")
    counts = speaker_counts(logits, rows, speaker, task.protocol, layout)
    return {
        "labels": list(task.protocol.labels),
        "replicas": diagnosed(replicas, state, program, task, layout),
        "summary": summarise(replicas, counts),
        "comparisons": comparisons(counts, trainings=fold_counts(replicas, layout)),
    }


def tested_logits(
    state: TrainState, program: Program, task: Task, layout: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """What the parameters that were kept say of the tested rows.

    Returns:
      float32 `[groups, arms, n, labels]`, NaN for a row that a group's fold does not
      test, and the `n` rows of the corpus that some fold tests.
    """
    rows = task.rows_with(Role.TEST)
    logits = predict(
        program.evaluate,
        state.best,
        output="label_logits",
        plan=task.plan(task.protocol.roles == Role.TEST),
        assemble=task.evaluation,
        layout=layout,
        rows=rows,
    )
    return logits, rows


def diagnosed(
    replicas: list[dict[str, Any]],
    state: TrainState,
    program: Program,
    task: Task,
    layout: Layout,
    *,
    column: str = "speaker",
) -> list[dict[str, Any]]:
    """Add which step was kept, and what a probe finds, to the scores of replicas.

    Args:
      replicas: in the order of groups, then arms.
      state: of all replicas.
      program: what they run.
      task: what they learned from.
      layout: of the replicas.
      column: what the probe looks for.
    """
    best_step = layout.get(state.best_step)[: layout.num_groups].ravel()
    probes = probe_replicas(state, program, task, layout, column=column)
    return [
        replica | {"selected_step": int(step), "domain_probe": probe}
        for replica, step, probe in zip(replicas, best_step, probes, strict=True)
    ]


def probe_replicas(
    state: TrainState,
    program: Program,
    task: Task,
    layout: Layout,
    *,
    column: str = "speaker",
    num_rows: int = 1000,
) -> list[dict[str, float]]:
    """Whether a fresh classifier finds a column in each replica's frozen features.

    All replicas are probed on the same `num_rows` rows, drawn from the whole corpus.
    """
    drawn = np.random.default_rng(0).permutation(len(task.corpus))[:num_rows]
    holds = np.zeros(task.protocol.roles.shape, bool)
    holds[:, drawn] = True
    features = predict(
        program.evaluate,
        state.best,
        output="features",
        plan=task.plan(holds),
        assemble=task.evaluation,
        layout=layout,
        rows=drawn,
    )
    value = np.unique(task.corpus.column(column), return_inverse=True)[1][drawn]
    flat = features.reshape(-1, *features.shape[2:])
    return [domain_probe(replica, value) for replica in flat]
