"""Scores of people who are not enrolled, of a run that standardises by person.

Its other scores are of people whose own recordings, all of them, standardise their
features. Of whom a bundle knows nothing, the training speakers' statistics stand in.
"""

import dataclasses
from typing import Any

import numpy as np

from dann_jax.evaluation.seed_averages import METRICS
from dann_jax.evaluation.summaries import replica_scores, speaker_counts, summarise
from dann_jax.tasks.roles import Role
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState


def unenrolled_scores(state: TrainState, run: Run) -> dict[str, Any]:
    """The key `unenrolled` of `results.json`: a `summary` of WA and UA.

    Nothing of a run that standardises everybody alike, or that tests no row.

    Args:
      state: of all replicas.
      run: that was trained.
    """
    tested = run.task.protocol.roles == Role.TEST
    if run.task.standardisation is None or not tested.any():
        return {}
    run = as_strangers(run)
    rows, _, logits = run.predict(state.best, Role.TEST, ("label_logits",))
    assert logits is not None
    protocol, layout = run.task.protocol, run.layout
    replicas = replica_scores(logits, rows, protocol, layout)
    speaker = run.task.corpus.column("speaker")
    counts = speaker_counts(logits, rows, speaker, protocol, layout)
    tested_replicas = [replica for replica in replicas if replica["n_test"]]
    return {"unenrolled": summarise(tested_replicas, counts, metrics=METRICS)}


def as_strangers(run: Run) -> Run:
    """A run whose evaluation knows nobody: the last statistics are of no person."""
    view = run.task.evaluation
    ((mean, *_), *_) = view.standardiser.values()
    nobody = np.full_like(view.feature_domain, mean.shape[1] - 1)
    view = dataclasses.replace(view, feature_domain=nobody)
    return dataclasses.replace(run, task=dataclasses.replace(run.task, evaluation=view))
