"""Scores of an adaptation: rehearsals and target are never mixed."""

import dataclasses
import types

import numpy as np
import pytest
from corpora_and_batches import LABELS, toy_corpus

from dann_jax.data.corpus import Corpus
from dann_jax.evaluation.scorers.classes import score_classes
from dann_jax.evaluation.scorers.table import SCORERS
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.task import make_task
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.run import Predictions, Run

ARMS = {"source_only": {"speaker": 0.0}, "dann": {"speaker": 1.0}}
CORPUS = toy_corpus(4)
TRUTH = CORPUS.columns["emotion"] == "joy"
TARGET = np.isin(CORPUS.columns["session"], ("s2", "s3"))


class SaysTheTruth(Run):
    """A run whose second arm is always right, and whose first says anger."""

    def predict(self, params: None, rows: np.ndarray, outputs: tuple) -> Predictions:
        chosen = np.flatnonzero(rows.any(0))
        joy = np.stack([np.zeros(len(chosen)), TRUTH[chosen]]).astype(float)
        logits = np.stack([1.0 - joy, joy], -1)
        groups = self.layout.num_groups
        features = np.random.default_rng(0).normal(size=(groups, 2, len(chosen), 3))
        asked = rows[self.layout.fold_of[:groups]][:, None, chosen, None]
        shown = {
            "features": np.where(asked, features, np.nan),
            "label_logits": np.where(asked, logits, np.nan),
        }
        return Predictions(chosen, **{name: shown[name] for name in outputs})


def scored(
    folds: int = 2, *, score_target: bool = False, corpus: Corpus = CORPUS
) -> dict:
    protocol = make_protocol(
        corpus,
        split="adapt",
        split_args={
            **{"column": "session", "source": ("s0", "s1"), "target": ("s2", "s3")},
            **{"folds": folds, "score_target": score_target},
        },
        labels=LABELS,
        unlabelled=("test", "adapt"),
        validation_folds=0,
    )
    task = make_task(
        corpus.select(("audio",)), protocol, {}, batch_size=4, num_buckets=1
    )
    layout = ReplicaLayout(protocol.folds, (0, 1), ARMS, make_mesh(1))
    run = SaysTheTruth(task, layout, None)
    best_step = np.zeros((len(layout.fold_of), 2), int)
    state = types.SimpleNamespace(best=None, best_step=best_step)
    predictions = SCORERS["classification"].predict(run, None)
    return score_classes(predictions, state, run)


@pytest.fixture(scope="module")
def unscored() -> dict:
    return scored()


def test_what_is_tested_is_scored_and_the_target_is_not(unscored: dict) -> None:
    summary = unscored["summary"]
    assert summary["dann"]["ua"]["mean"] == summary["dann"]["ua"]["pooled"] == 1.0
    assert summary["source_only"]["ua"]["pooled"] == 0.5
    target = [r for r in unscored["replicas"] if r["fold"] == "target"]
    assert all(np.isnan(replica["ua"]) for replica in target)
    assert "summary" not in unscored["target"]
    by_metric = {entry["metric"]: entry for entry in unscored["comparisons"]}
    # Two rehearsals, not three folds.
    assert by_metric["ua"]["p_value"] == 0.5


def test_the_balance_is_that_of_predictions_for_the_target(unscored: dict) -> None:
    balance = unscored["target"]["balance"]
    assert balance["source_only"] == {"anger": 1.0, "joy": 0.0}
    assert balance["dann"]["joy"] == pytest.approx(TRUTH[TARGET].mean())
    assert unscored["target"]["rows"] == TARGET.sum()
    assert unscored["target"]["arms"]["dann"]["agreement"] == 1.0
    (warning,) = unscored["target"]["warnings"]
    assert warning.startswith("source_only: every recording of the target")


def test_labels_of_the_target_score_it_apart() -> None:
    found = scored(score_target=True)
    assert found["target"]["summary"]["dann"]["ua"]["pooled"] == 1.0
    known = np.isin(CORPUS.columns["emotion"], LABELS) & TARGET
    (n_test,) = {r["n_test"] for r in found["replicas"] if r["fold"] == "target"}
    assert n_test == known.sum()
    assert found["summary"]["source_only"]["ua"]["pooled"] == 0.5


def test_a_class_that_no_label_of_the_target_names_is_told_of() -> None:
    first, *_ = scored(score_target=True)["target"]["warnings"]
    assert "labels of the target" not in first
    emotion = np.where(TARGET & TRUTH, "other", CORPUS.columns["emotion"])
    corpus = dataclasses.replace(CORPUS, columns={**CORPUS.columns, "emotion": emotion})
    first, *_ = scored(corpus=corpus, score_target=True)["target"]["warnings"]
    said = "The labels of the target name no joy: its UA is the mean recall of the"
    assert first.startswith(said)


def test_without_rehearsals_nothing_is_scored() -> None:
    found = scored(0)
    assert found["comparisons"] == []
    assert np.isnan(found["summary"]["dann"]["ua"]["pooled"])
    assert np.isnan(found["target"]["arms"]["dann"]["rehearsed_agreement"])
