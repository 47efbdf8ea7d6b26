"""Settings are chosen by training speakers held out, and by nothing else."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pytest
from commands import Call, assert_refused
from commands import call as call
from ml_collections import ConfigDict
from runs import tiny_corpus, write_table

from dann_jax.cli import evaluate, report, train
from dann_jax.cli.config import ConfigError, change_config
from dann_jax.evaluation.choice import CHOSEN, ORACLE, Candidates, score_choice
from dann_jax.evaluation.plainest import best, chosen, inner_counts, inner_scores
from dann_jax.evaluation.summaries import replica_scores
from dann_jax.experiment.choose_settings import check_choice, settings_of
from dann_jax.experiment.config import base_config
from dann_jax.report import figures
from dann_jax.report.choice_tables import choice_tables
from dann_jax.tasks.nested import Nested, nested_protocol
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.run import Predictions

CORPUS = tiny_corpus()
PROTOCOL = make_protocol(
    CORPUS,
    split="leave_one_out",
    split_args={"column": "session"},
    labels=("anger", "happiness", "neutral", "sadness"),
    validation_folds=0,
)


def layout_of(protocol: Protocol, arms: int, seeds: int = 1) -> ReplicaLayout:
    named = {f"arm {index}": {} for index in range(arms)}
    return ReplicaLayout(protocol.folds, range(seeds), named, make_mesh(1))


def predicted(
    protocol: Protocol, layout: ReplicaLayout, rate: np.ndarray
) -> Predictions:
    """Logits that are right for a share `rate` `[folds, arms]` of tested rows."""
    rows = np.flatnonzero((protocol.roles == Role.TEST).any(0))
    rng, size = np.random.default_rng(0), len(protocol.labels)
    shape = (layout.num_groups, len(layout.arms), len(rows))
    right = rng.random(shape) < rate[layout.fold_of[: layout.num_groups], :, None]
    truth = protocol.label[rows]
    wrong = (truth + rng.integers(1, size, shape)) % size
    logits = np.eye(size, dtype=np.float32)[np.where(right, truth, wrong)]
    return Predictions(rows, label_logits=logits)


def candidates_of(rate: np.ndarray, seeds: int = 1) -> Candidates:
    layout = layout_of(PROTOCOL, rate.shape[1], seeds)
    predictions = predicted(PROTOCOL, layout, rate)
    rows, logits = predictions.rows, predictions.label_logits
    replicas = replica_scores(logits, rows, PROTOCOL, layout)
    return Candidates(layout, rows, logits, replicas)


def scored(inner: np.ndarray, rate: np.ndarray, seeds: int = 1) -> dict[str, Any]:
    speaker = CORPUS.column("speaker")
    candidates = candidates_of(rate, seeds)
    return score_choice(candidates, inner, best(inner), PROTOCOL, speaker)


def inner_ua(
    predictions: Predictions, nested: Nested, layout: ReplicaLayout, protocol: Protocol
) -> np.ndarray:
    speaker = CORPUS.column("speaker")
    return inner_scores(
        inner_counts(predictions, protocol, layout, nested.outer, speaker)
    )


def test_too_few_speakers_for_any_class_are_told_of() -> None:
    with pytest.raises(ProtocolError, match=r"fewer have anger \(5\), happiness"):
        make_protocol(
            CORPUS,
            split="leave_one_out",
            split_args={"column": "session"},
            labels=(),
            label_speakers=7,
            validation_folds=0,
        )


def test_inner_scores_pool_the_inner_folds_of_each_fold() -> None:
    nested = nested_protocol(PROTOCOL, CORPUS, folds=3)
    layout = layout_of(nested.protocol, 2, seeds=2)
    rate = np.where(np.arange(2) == nested.outer[:, None] % 2, 1.0, 0.0)
    predictions = predicted(nested.protocol, layout, rate)
    scores = inner_ua(predictions, nested, layout, nested.protocol)
    np.testing.assert_array_equal(scores, [[1, 0], [0, 1], [1, 0], [0, 1]])


def test_labels_of_tested_rows_choose_nothing() -> None:
    nested = nested_protocol(PROTOCOL, CORPUS, folds=3)
    layout = layout_of(nested.protocol, 3)
    rng = np.random.default_rng(1)
    rate = rng.random((len(nested.outer), 3))
    predictions = predicted(nested.protocol, layout, rate)
    found = inner_ua(predictions, nested, layout, nested.protocol)
    for fold in range(len(PROTOCOL.folds)):
        label, tested = PROTOCOL.label.copy(), PROTOCOL.roles[fold] == Role.TEST
        label[tested] = rng.permutation(label[tested])
        shuffled = dataclasses.replace(nested.protocol, label=label)
        again = inner_ua(predictions, nested, layout, shuffled)
        np.testing.assert_array_equal(again[fold], found[fold])


def test_of_equal_candidates_the_first_is_taken() -> None:
    assert best(np.array([0.3, 0.1 + 0.2, 0.2])) == 0


def test_the_plainest_of_candidates_that_speakers_do_not_tell_apart_is_taken() -> None:
    # Of 20 rows a class: the second is ahead by chance, the third with every speaker.
    right = np.array([[18, 12, 15, 14], [16, 16, 15, 14], [19, 20, 18, 19]])
    counts = np.zeros((1, 3, 4, 2, 2))
    counts[0, :, :, 0, 0], counts[0, :, :, 0, 1] = right, 20 - right
    assert chosen(counts, "best", [0, 1, 2]) == chosen(counts, "plainest", [0, 1, 2])
    assert chosen(counts[:, :2], "best", [0, 1]) == 1
    assert chosen(counts[:, :2], "plainest", [0, 1]) == 0
    assert chosen(counts[:, :2], "plainest", [1, 0]) == 1
    # One speaker says nothing of others: the best is taken.
    assert chosen(counts[:, :2, 1:2], "plainest", [0, 1]) == 1


def test_chosen_is_in_each_fold_the_candidate_that_was_chosen_there() -> None:
    inner = np.array([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    rate = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    results = scored(inner, rate, seeds=2)
    assert list(results["summary"]) == ["arm 0", CHOSEN, "arm 1"]
    assert results["summary"][CHOSEN]["ua"]["pooled"] == 1.0
    assert results["summary"]["arm 0"]["ua"]["pooled"] < 1.0
    folds = results["choice"]["folds"]
    assert [f["candidate"] for f in folds] == ["arm 0", "arm 1", "arm 1", "arm 0"]


def test_a_choice_that_all_folds_agree_on_is_that_candidate() -> None:
    inner = np.tile([0.1, 0.9, 0.2], (4, 1))
    results = scored(inner, np.tile([0.4, 0.6, 0.9], (4, 1)))
    assert results["summary"][CHOSEN] == results["summary"]["arm 1"]
    against = {entry["against"]: entry for entry in results["choice"]["against"]}
    assert against["arm 1"]["difference"] == 0.0
    assert against["arm 2"]["difference"] < 0.0
    assert results["choice"]["best_fixed"] == "arm 2"


def test_no_choice_is_better_than_that_of_hindsight() -> None:
    rng = np.random.default_rng(0)
    rate = rng.random((4, 3))
    for inner in (rate, *rng.random((3, 4, 3))):
        results = scored(inner, rate)
        (bound,) = results["choice"]["oracle"].values()
        for of_arm in results["summary"].values():
            assert of_arm["ua"]["mean"] <= bound["ua"]["mean"]


def test_tables_have_every_fold_and_every_candidate() -> None:
    results = scored(np.tile([0.1, 0.9], (4, 1)), np.tile([0.9, 0.1], (4, 1)))
    results["choice"]["candidates"] = dict.fromkeys(["arm 0", "arm 1"])
    chosen, candidates = choice_tables(results)
    assert [row[:2] for row in chosen.rows] == [[f, "arm 1"] for f in PROTOCOL.folds]
    assert [row[6] for row in chosen.rows] == ["arm 0"] * 4
    assert [row[0] for row in candidates.rows] == ["arm 0", "arm 1", ORACLE]
    assert [row[4] for row in candidates.rows] == [0, 4, ""]
    assert str(candidates.rows[1][5]).startswith("+0.00")
    assert str(candidates.rows[0][5]).startswith("-")


def choosing(**settings: Any) -> ConfigDict:
    config = base_config()
    config.data.source = "synthetic"
    config.choose.folds = 3
    config.choose.settings = ConfigDict(settings)
    return config


def test_settings_are_all_combinations_and_choose_nothing_themselves() -> None:
    config = choosing(encoder={"width": (32, 64)}, data={"standardise_by": ("", "sex")})
    configs = settings_of(config)
    assert [(c.encoder.width, c.data.standardise_by) for c in configs.values()] == [
        *((32, ""), (64, "")),
        *((32, "sex"), (64, "sex")),
    ]
    assert {c.choose.folds for c in configs.values()} == {0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": {"widht": (1, 2)}}, "has no key 'encoder.widht'"),
        ({"protocol": {"seed": (1, 2)}}, "must not differ in what is tested"),
        ({"data": {"source": ("a", "b")}}, "must not differ in what is tested"),
        ({"encoder": {"width": ()}}, "one or more different values"),
        ({"encoder": {"width": (8, 8)}}, "one or more different values"),
        ({"encoder": {"width": 8}}, "must be a list"),
    ],
)
def test_settings_that_cannot_be_compared_are_refused(
    settings: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_choice(choosing(**settings))


def test_settings_without_inner_folds_are_refused() -> None:
    config = choosing(encoder={"width": (8, 16)})
    config.choose.folds = 0
    with pytest.raises(ValueError, match=r"settings has no effect.*folds is 0"):
        check_choice(config)


def test_a_flag_gives_a_key_its_candidates() -> None:
    config = base_config().lock()
    flags = [
        "--config.choose.settings.encoder.width=32,64",
        "--config.choose.settings.data.standardise_by=,speaker",
        "--config.choose.settings.heads.domain_hidden=(8,);(8,8)",
        "--config.choose.folds=3",
    ]
    assert change_config(config, ["dann-train", *flags]) == ["dann-train"]
    assert config.choose.settings.to_dict() == {
        "encoder": {"width": (32, 64)},
        "data": {"standardise_by": ("", "speaker")},
        "heads": {"domain_hidden": ((8,), (8, 8))},
    }
    with pytest.raises(ConfigError, match="must be a whole number"):
        change_config(config, ["a", "--config.choose.settings.encoder.width=8,x"])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("choose"), CORPUS)


def command(source: pathlib.Path, workdir: pathlib.Path) -> list[str]:
    """Two settings with two arms, on sessions left out in turn."""
    return [
        "--config=synthetic",
        f"--workdir={workdir}",
        f"--config.data.source={source}",
        "--config.protocol.split_args.test=('3', '4')",
        "--config.seeds=1",
        "--config.batches.batch_size=2",
        "--config.batches.num_buckets=1",
        # A GRU and a second modality take long to compile and change nothing here.
        "--config.encoder.context=False",
        "--config.data.modalities=lexical",
        "--config.encoder.width=8",
        "--config.analysis.rows=0",
        "--config.timetable.epochs=2",
        "--config.timetable.gradients_every=0",
        "--config.choose.folds=2",
        "--config.choose.settings.data.standardise_by=,speaker",
    ]


@pytest.mark.slow
def test_a_choice_goes_on_where_it_stopped_and_serves_predictions(
    source: pathlib.Path,
    tmp_path: pathlib.Path,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # To save every figure once more takes seconds.
    monkeypatch.setattr(figures, "FORMATS", ("svg",))
    words = command(source, tmp_path / "w")
    whole = call(train, *words)
    assert whole.code == 0, whole.err
    assert "For a new person the bundle has" in whole.out
    results = json.loads((tmp_path / "w" / "results.json").read_text())
    assert set(results["choice"]["candidates"]) | {CHOSEN} == set(results["summary"])
    recommended = results["choice"]["recommended"]
    described = json.loads((tmp_path / "w" / "bundle" / "bundle.json").read_text())
    assert {member["arm"] for member in described["members"]} == {recommended["arm"]}
    # One fold: only inner folds hold out somebody whose label it knows.
    own = results["calibration"]["arms"][recommended["candidate"]]
    assert described["temperature"] == own["temperature_of_all"][0] != 1.0
    measured = described["measured"]["calibration"]
    after = results["calibration"]["arms"][CHOSEN]["after"]["ece"]
    assert measured["after"] == after
    assert described["measured"]["choice"]["candidate"] == recommended["candidate"]
    card = (tmp_path / "w" / "bundle" / "MODEL_CARD.md").read_text()
    assert "which a choice among 4 candidates recommends" in card
    assert "They are scores of the choice" in card
    # All settings have the same rows, which are told of once.
    assert whole.err.count(" rows: ") == 1
    assert f"model: {tmp_path / 'w'}/bundle" in whole.out

    # One part is lost, as if the command had been stopped in its middle.
    (tmp_path / "w/settings/standardise_by=speaker/inner/predictions.npz").unlink()
    again = call(train, *words)
    assert again.code == 0, again.err
    assert again.err.count("training 4 of 4") == 1 and "of 4: " in again.err
    repeated = json.loads((tmp_path / "w" / "results.json").read_text())
    repeated["timing"] = results["timing"]
    assert repeated == results

    assert call(report, f"--workdir={tmp_path / 'w'}").code == 0
    assert "Choice of settings" in (tmp_path / "w" / "report.html").read_text()
    scored_again = call(evaluate, f"--workdir={tmp_path / 'w'}")
    assert scored_again.code == 0, scored_again.err
    assert "For a new person the bundle has" in scored_again.out
    repeated = json.loads((tmp_path / "w" / "results.json").read_text())
    assert repeated == results
    inner = tmp_path / "w/settings/standardise_by=speaker/inner/predictions.npz"
    inner.rename(inner.with_suffix(".away"))
    stopped = call(evaluate, f"--workdir={tmp_path / 'w'}")
    said = stopped.err.splitlines()[-1]
    assert_refused(stopped._replace(err=f"{said}\n"), "dann-train goes on with it")
    inner.with_suffix(".away").rename(inner)
    other = call(train, *words, "--config.choose.folds=3")
    said = other.err.splitlines()[-1]
    assert_refused(other._replace(err=f"{said}\n"), "choose.folds")
