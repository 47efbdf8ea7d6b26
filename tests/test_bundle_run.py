"""Which of a run's models go into its bundle, and that they are the same models."""

import pathlib
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import tiny_config, tiny_corpus, write_table
from scipy.special import softmax

from dann_jax.bundle import BundleError, bundle_run, load_bundle
from dann_jax.bundle.export import prediction_function
from dann_jax.bundle.run import default_arm, measured_of
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState
from dann_jax.training.timetable import Timetable

pytestmark = pytest.mark.slow

CHANGES = {
    "data.modalities": ("lexical",),
    "protocol.split": "leave_one_out",
    "protocol.unlabelled": ("test",),
    "selection": "last",
    "protocol.validation_folds": 0,
    "seeds": 2,
    "batches.num_buckets": 1,
    "encoder.context": False,
}
ENCODER = {"width": 8, "context": False, "heads": 2, "dropout": 0.2}
HEADS = {"domain_hidden": (8,), "head_dropout": 0.2}
RESULTS = {
    "corpora": ["toy"],
    "protocol": {
        "name": "leave-one-session-out",
        "transductive": True,
        "selection": "last",
        "allowed_leaks": [],
    },
    "summary": {"source_only": {}, "dann": {}},
    "comparisons": [
        {
            "arm": "dann",
            "against": "source_only",
            "metric": "ua",
            "difference": 0.1,
            "ci95": [0.0, 0.2],
        }
    ],
}


class Untrained:
    """A run of four folds, two seeds and two arms whose replicas all differ."""

    def __init__(self, folder: pathlib.Path, changes: Mapping[str, str] = {}) -> None:
        table = write_table(folder, tiny_corpus())
        config = tiny_config(table, {**CHANGES, **changes})
        with config.unlocked():
            config.protocol.split_args = {"column": "session"}
        self.task, self.layout = build_task_and_layout(config)
        self.plan = self.task.plan(self.task.protocol.visible())
        timetable = Timetable(self.plan.steps_per_epoch, **config.timetable)
        self.program = compiled(config, self.task, self.layout, timetable)
        view = self.task.training
        loader = BatchLoader(view, self.plan, self.layout, shuffle=False)
        state = self.program.initial_state(loader.batch(0))
        rng = np.random.default_rng(0)
        best = jax.tree.map(
            lambda leaf: np.float32(rng.normal(0.0, 0.5, leaf.shape)), state.params
        )
        self.state: TrainState = state.replace(
            best=self.layout.put(best),
            best_step=self.layout.put(np.arange(16).reshape(8, 2)),
        )

    def probabilities(self) -> np.ndarray:
        """`[groups, arms, N, labels]`, as an evaluation of the run has them."""
        run = Run(self.task, self.layout, self.program)
        everything = np.ones(self.task.protocol.roles.shape, bool)
        found = run.predict(self.state.best, everything, ("label_logits",))
        return softmax(found.label_logits, axis=-1)

    def bundle(self, folder: pathlib.Path, **options: str):
        bundle_run(
            folder,
            self.state,
            self.task,
            self.layout,
            system="toy",
            encoder=ENCODER,
            heads=HEADS,
            results=RESULTS,
            **options,
        )
        return load_bundle(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Untrained:
    return Untrained(tmp_path_factory.mktemp("run"))


def test_a_bundle_predicts_as_the_folds_of_the_first_seed_did(
    run: Untrained, tmp_path: pathlib.Path
) -> None:
    expected = run.probabilities()
    dann = [group for group, seed in enumerate(run.layout.seed_of) if seed == 0]
    assert len(dann) == 4
    np.testing.assert_allclose(
        run.bundle(tmp_path / "bundle").predict_corpus(run.task.corpus),
        expected[dann, 1].mean(0),
        atol=1e-6,
    )
    one = run.bundle(tmp_path / "one", arm="source_only", members="first")
    np.testing.assert_allclose(
        one.predict_corpus(run.task.corpus), expected[0, 0], atol=1e-6
    )


@pytest.mark.parametrize("kind", ["shrunk", "label_aware"])
def test_who_is_enrolled_by_all_rows_has_the_statistics_of_the_run(
    kind: str, tmp_path: pathlib.Path
) -> None:
    by_speaker = {"data.standardise_by": "speaker", "data.standardise_kind": kind}
    run = Untrained(tmp_path, by_speaker)
    bundle, corpus = run.bundle(tmp_path / "bundle"), run.task.corpus
    said = {"column": "speaker", "kind": kind, "k": 5.0}
    assert bundle.description.speaker_statistics == said
    first = run.layout.seed_of == 0
    expected = run.probabilities()[first, 1].mean(0)
    found = bundle.enrol_corpus(corpus).predict_corpus(corpus)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(bundle.predict_corpus(corpus) - expected).max() > 1e-3


def test_a_bundle_removes_the_directions_of_its_folds(tmp_path: pathlib.Path) -> None:
    run = Untrained(tmp_path, {"data.nuisance_directions": 2})
    bundle, corpus = run.bundle(tmp_path / "bundle"), run.task.corpus
    assert bundle.description.nuisance_directions == 2
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert "2 directions in which training speakers differ" in card
    expected = run.probabilities()[run.layout.seed_of == 0, 1].mean(0)
    np.testing.assert_allclose(bundle.predict_corpus(corpus), expected, atol=1e-5)
    row, there = 3, np.ones((1, 1), bool)
    (name,) = corpus.features
    answer = prediction_function(bundle)(
        {
            "inputs": {name: jnp.asarray(corpus.features[name][[[row]]], jnp.float32)},
            "present": {name: there},
            "visible": there,
            "party": np.zeros((1, 1), np.int32),
        }
    )
    found = [float(answer[label][0, 0]) for label in bundle.labels]
    np.testing.assert_allclose(found, expected[row], atol=1e-5)


def test_a_bundle_says_which_models_it_holds_and_what_was_measured_of_their_arm(
    run: Untrained, tmp_path: pathlib.Path
) -> None:
    description = run.bundle(tmp_path / "bundle").description
    assert [
        (member["fold"], member["seed"], member["arm"], member["step"])
        for member in description.members
    ] == [(f"session {n + 1}", 0, "dann", 4 * n + 1) for n in range(4)]
    assert description.adversaries == {"speaker": 8}
    assert description.labels == run.task.protocol.labels
    assert description.measured["comparisons"] == RESULTS["comparisons"]
    baseline = run.bundle(tmp_path / "baseline", arm="source_only").description
    assert baseline.measured["comparisons"] == []


def test_an_arm_that_was_kept_unasked_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert default_arm(["source_only", "weak"]) == "weak"
    assert default_arm(["source_only", "weak", "dann", "strong"]) == "dann"
    assert not caplog.records
    assert default_arm(["source_only", "weak", "strong"]) == "strong"
    assert "the bundle keeps the last, 'strong'" in caplog.text


@pytest.mark.parametrize("options", [{"arm": "cdan"}, {"members": "best"}], ids=str)
def test_an_unknown_word_is_told_with_the_known_ones(
    options: dict, run: Untrained, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(BundleError, match="is none of (source_only, dann|all, first)"):
        run.bundle(tmp_path / "bundle", **options)
    assert not (tmp_path / "bundle").exists()


def test_a_card_gets_the_groups_and_the_spread_of_speakers_of_its_arm() -> None:
    def scored(ua: float | None, other: float) -> dict[str, object]:
        return {"dann": {"wa": 0.5, "ua": ua}, "source_only": {"wa": other}}

    analysis = {
        "groups": [
            {
                "column": "gender",
                "value": "female",
                "rows": 30,
                "speakers": 2,
                "scores": scored(0.75, 0.1),
            }
        ],
        "speakers": [
            {"speaker": str(i), "scores": scored(ua, 0.1)}
            for i, ua in enumerate((0.25, 1.0, None, 0.5))
        ],
    }
    results = {"summary": {"dann": {"ua": {}}}, "comparisons": []}
    found = measured_of(results, analysis, "dann")
    own = {"rows": 30, "speakers": 2, "wa": 0.5, "ua": 0.75}
    assert found["groups"] == {"gender": {"female": own}}
    # The third speaker has no UA.
    spread = {"speakers": 3, "min": 0.25, "median": 0.5, "max": 1.0}
    assert found["speakers"]["ua"] == spread
    assert measured_of(results, {}, "dann")["speakers"] == {}
