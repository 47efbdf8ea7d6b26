"""Selection by label-free criteria: the right rows, no label of the target."""

import dataclasses
import pathlib

import numpy as np
import pytest
from runs import tiny_config, tiny_corpus, write_table
from scipy.special import softmax
from sklearn.metrics import recall_score

from dann_jax.evaluation.criteria import criterion_scores, few_of_each, view_of
from dann_jax.evaluation.selection import Selector
from dann_jax.evaluation.unsupervised import CRITERIA, ORACLE, View, described_choice
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.report.headings import heading
from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.program import Program
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState
from dann_jax.training.timetable import Timetable

WORDS = (*CRITERIA, ORACLE)


@dataclasses.dataclass(frozen=True)
class Setting:
    """Networks before their first step; all arms of them are alike."""

    task: Task
    layout: ReplicaLayout
    program: Program
    state: TrainState

    @property
    def run(self) -> Run:
        return Run(self.task, self.layout, self.program)

    def output(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Of the first replica, for every row of the corpus."""
        everything = np.ones(self.task.protocol.roles.shape, bool)
        found = self.run.predict(self.state.average, everything, (name,))
        return getattr(found, name)[0, 0]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    table = write_table(tmp_path_factory.mktemp("table"), tiny_corpus())
    changes = {"encoder.context": False, "batches.num_buckets": 1}
    config = tiny_config(table, changes)
    task, layout = build_task_and_layout(config)
    plan = task.plan(task.protocol.visible())
    timetable = Timetable(plan.steps_per_epoch, **config.timetable)
    program = compiled(config, task, layout, timetable)
    batch = BatchLoader(task.training, plan, layout, shuffle=True).batch(0)
    return Setting(task, layout, program, program.initial_state(batch))


@pytest.fixture(scope="module")
def scores(built: Setting) -> dict[str, np.ndarray]:
    return criterion_scores(WORDS, built.state.average, built.run)


def test_every_criterion_scores_every_replica(
    built: Setting, scores: dict[str, np.ndarray]
) -> None:
    shape = (built.layout.num_groups, len(built.layout.arms))
    assert set(scores) == set(WORDS)
    for found in scores.values():
        assert found.shape == shape and np.isfinite(found).all()
        # The arms have not taken a step.
        assert (found == found[:, :1]).all()


def test_scores_are_those_of_an_independent_computation(
    built: Setting, scores: dict[str, np.ndarray]
) -> None:
    protocol = built.task.protocol
    tested = protocol.roles[0] == Role.TEST
    logits = np.float64(built.output("label_logits"))[tested]
    chance = softmax(logits, -1)
    entropies = -(chance * np.log(chance)).sum(-1)
    mean = chance.mean(0)
    assert scores["entropy"][0, 0] == pytest.approx(-entropies.mean(), rel=1e-5)
    gain = -(mean * np.log(mean)).sum() - entropies.mean()
    assert scores["information-maximisation"][0, 0] == pytest.approx(gain, rel=1e-3)
    unit = chance / np.linalg.norm(chance, axis=1, keepdims=True)
    near = unit @ unit.T / 0.05
    density = []
    for row in range(len(near)):
        own = softmax(np.delete(near[row], row))
        density.append(-(own * np.log(np.maximum(own, 1e-300))).sum())
    assert scores["snd"][0, 0] == pytest.approx(np.mean(density), rel=1e-4)
    truth, guess = protocol.label[tested], logits.argmax(-1)
    ua = recall_score(truth, guess, average="macro", zero_division=0)
    assert scores[ORACLE][0, 0] == pytest.approx(ua)


@pytest.mark.parametrize("word", ["dev", "reverse-validation"])
def test_criteria_of_features_see_the_rows_of_their_roles(
    word: str, built: Setting, scores: dict[str, np.ndarray]
) -> None:
    # Few enough rows that none is left out.
    protocol, rows = built.task.protocol, built.task.protocol.roles[0]
    features, logits = built.output("features"), built.output("label_logits")
    view = View(
        features[rows == Role.LABELLED],
        features[rows == Role.VALIDATION],
        logits[rows == Role.VALIDATION],
        protocol.label[rows == Role.VALIDATION],
        features[rows == Role.TEST],
        logits[rows == Role.TEST],
    )
    assert scores[word][0, 0] == pytest.approx(CRITERIA[word](view), rel=1e-3)


def test_only_the_oracle_looks_at_a_label_of_a_tested_row(
    built: Setting, scores: dict[str, np.ndarray]
) -> None:
    protocol = built.task.protocol
    tested = (protocol.roles == Role.TEST).any(0)
    label = protocol.label.copy()
    label[tested] = (label[tested] + 1) % len(protocol.labels)
    other = dataclasses.replace(
        built.task, protocol=dataclasses.replace(protocol, label=label)
    )
    run = Run(other, built.layout, built.program)
    found = criterion_scores(WORDS, built.state.average, run)
    for word in CRITERIA:
        np.testing.assert_array_equal(found[word], scores[word])
    assert (found[ORACLE] != scores[ORACLE]).any()


def test_what_a_selection_prefers_is_kept_and_logged(built: Setting) -> None:
    selector = Selector("entropy", built.run)
    task = built.task
    plan = task.plan(task.protocol.visible())
    loader = BatchLoader(task.training, plan, built.layout, shuffle=True)
    state = built.program.initial_state(loader.batch(0))
    state, logged = selector.validate(state)
    kept = np.asarray(state.best_score)[: built.layout.num_groups]
    assert logged["dann/validation/entropy"] == pytest.approx(kept[:, 1].mean())
    assert logged["dann/validation/ua"] >= 0.0


def test_at_most_so_many_rows_of_each_role_are_drawn_whatever_their_labels(
    built: Setting,
) -> None:
    protocol = built.task.protocol
    few = few_of_each(protocol, most=7)
    for role in (Role.LABELLED, Role.VALIDATION, Role.TEST):
        assert (few & (protocol.roles == role)).sum() == 7
    assert not (few & np.isin(protocol.roles, [Role.HELD_OUT, Role.UNLABELLED])).any()
    blind = dataclasses.replace(protocol, label=np.zeros_like(protocol.label))
    np.testing.assert_array_equal(few_of_each(blind, most=7), few)


def test_a_view_holds_no_label_of_a_tested_row() -> None:
    roles = np.array([Role.LABELLED, Role.VALIDATION, Role.TEST, Role.TEST])
    values = np.arange(4.0)[:, None]
    view = view_of(values, values, np.array([5, 6, 7, 8]), roles)
    assert view.validation_label.tolist() == [6]
    assert view.target_features.tolist() == [[2.0], [3.0]]


def test_criteria_that_need_validation_rows_say_so(
    built: Setting, tmp_path: pathlib.Path
) -> None:
    protocol = built.task.protocol
    roles = np.where(protocol.roles == Role.VALIDATION, Role.LABELLED, protocol.roles)
    task = dataclasses.replace(
        built.task, protocol=dataclasses.replace(protocol, roles=roles)
    )
    run = Run(task, built.layout, built.program)
    for word in ("dev", "reverse-validation", "source-validation"):
        with pytest.raises(ValueError, match="validation_folds"):
            Selector(word, run)
    for word in ("entropy", "information-maximisation", "snd", ORACLE, "last"):
        Selector(word, run)


def test_unheard_speakers_who_validate_have_no_class_to_be_scored_by(
    built: Setting,
) -> None:
    protocol = dataclasses.replace(built.task.protocol, open_set=True)
    task = dataclasses.replace(built.task, protocol=protocol)
    run = Run(task, built.layout, built.program)
    for word in ("source-validation", "entropy"):
        with pytest.raises(ValueError, match=f"'{word}'.*verification; .* last"):
            Selector(word, run)
    assert Selector("last", run).scores(built.state) == {}


def test_every_table_says_what_a_selection_looks_at() -> None:
    results = {
        "system": "toy",
        "corpora": ["toy"],
        "summary": {"one": {"wa": {}, "ua": {}}},
        "replicas": [{"fold": "a", "seed": 0}],
        "protocol": {"name": "p", "transductive": False, "allowed_leaks": []},
    }
    for word, said in (
        ("snd", "tested rows without their labels"),
        (ORACLE, "A LEAK: it looks at THE LABELS OF TESTED ROWS"),
    ):
        results["protocol"]["selection"] = word
        assert said in heading(results)
    assert described_choice("source-validation") == "source-validation"
