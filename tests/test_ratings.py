"""Ratings in the place of classes: from the columns of a manifest to a bundle."""

import csv
import dataclasses
import io
import json
import pathlib

import jax
import numpy as np
import pytest
from bundles import hearing_bundle, write_tones
from corpora_and_batches import LABELS, network_params, toy_batch, toy_corpus
from ml_collections import ConfigDict
from runs import tiny_config, tiny_corpus, write_table
from test_configs import load

from dann_jax.bundle import BundleError, Rating, load_bundle
from dann_jax.bundle.description import from_json
from dann_jax.bundle.export import prediction_function
from dann_jax.bundle.prediction_files import write_csv
from dann_jax.bundle.predictions import predict_clips
from dann_jax.bundle.recordings import Clip
from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.features.audio import read_audio
from dann_jax.data.open import open_corpus
from dann_jax.evaluation.selection import validation_scores
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.experiment.checks import check_config
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.models.heads import with_units
from dann_jax.models.network import Dann, DialogueEncoder, as_apply
from dann_jax.objectives.adversarial import ccc_regression
from dann_jax.report.run import read_run
from dann_jax.report.tables import result_table
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError, leave_one_out
from dann_jax.tasks.standardise import fit_units
from dann_jax.training.batch_loader import BatchLoader

TARGETS = ("valence", "activation")


def rated(corpus: Corpus) -> Corpus:
    """The corpus with ratings by emotion, 1 to 5; some have one rating or none."""
    rng = np.random.default_rng(3)
    emotion = np.unique(corpus.columns["emotion"], return_inverse=True)[1]
    columns = dict(corpus.columns)
    for shift, name in enumerate(TARGETS):
        height = np.array([2.0, 4.0, 3.0, 1.5, 3.5])[(emotion + shift) % 5]
        value = np.clip(height + rng.normal(0.0, 0.3, len(corpus)), 1.0, 5.0)
        column = value.round(2).astype(str)
        column[rng.random(len(corpus)) < 0.1] = ""
        column[::20] = ""
        columns[name] = column
    return dataclasses.replace(corpus, columns=columns)


CORPUS = rated(toy_corpus())


def protocol_of(corpus: Corpus = CORPUS, **options: object) -> Protocol:
    options = {"name": "toy", "labels": (), "validation_folds": 0, **options}
    splits = leave_one_out(corpus, "session")
    return assign_roles(corpus, splits, **{"targets": TARGETS, **options})


def with_ratings(name: str, column: np.ndarray, corpus: Corpus = CORPUS) -> Corpus:
    return dataclasses.replace(corpus, columns={**corpus.columns, name: column})


# The protocol.


def test_rows_with_any_rating_are_known_whatever_their_emotion() -> None:
    protocol = protocol_of()
    rated_rows = np.any([CORPUS.columns[name] != "" for name in TARGETS], axis=0)
    tested = (protocol.roles == Role.TEST).any(0)
    np.testing.assert_array_equal(tested, rated_rows)
    assert not rated_rows.all()
    for place, name in enumerate(TARGETS):
        missing = CORPUS.columns[name] == ""
        np.testing.assert_array_equal(np.isnan(protocol.value[:, place]), missing)
    assert (protocol.kind, protocol.outputs, protocol.labels) == (
        "regression",
        TARGETS,
        (),
    )


def test_values_are_erased_unless_the_row_is_labelled() -> None:
    protocol = protocol_of(unlabelled=("test",), validation_folds=2)
    erased = protocol.erased_values()
    labelled = protocol.roles == Role.LABELLED
    assert np.isnan(erased[~labelled]).all()
    assert {Role.VALIDATION, Role.TEST} <= set(protocol.roles[~labelled])
    for fold, own in enumerate(labelled):
        np.testing.assert_array_equal(erased[fold, own], protocol.value[own])


REFUSED = {
    "labels": ({"labels": LABELS}, "leave them empty"),
    "open set": ({"open_set": True}, "leave them empty"),
    "labelled target": ({"labelled_target": 1}, "leave them empty"),
    "no such column": ({"targets": ("happiness",)}, "no column 'happiness'"),
    "words": ({"targets": ("emotion",)}, "'emotion' must hold numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(name: str) -> None:
    options, message = REFUSED[name]
    with pytest.raises((ProtocolError, CorpusError), match=message):
        protocol_of(**options)


def test_infinite_ratings_are_refused() -> None:
    column = CORPUS.columns["valence"].astype("<U8")
    column[0] = "inf"
    with pytest.raises(ProtocolError, match="valence is not"):
        protocol_of(with_ratings("valence", column))


@pytest.mark.parametrize("role", [Role.LABELLED, Role.TEST])
def test_a_target_that_does_not_vary_is_refused(role: Role) -> None:
    here = CORPUS.columns["session"] == "s0"
    where = here if role == Role.TEST else ~here
    column = np.where(where, "3.0", CORPUS.columns["valence"])
    message = f"'session s0' has no two {role.name.lower()} .* 'valence'"
    with pytest.raises(ProtocolError, match=message):
        protocol_of(with_ratings("valence", column))


def test_units_are_moments_of_the_labelled_ratings() -> None:
    protocol = protocol_of()
    units = fit_units(protocol)
    for fold, own in enumerate(protocol.roles == Role.LABELLED):
        known = protocol.value[own]
        np.testing.assert_allclose(units.mean[fold], np.nanmean(known, 0), rtol=1e-6)
        np.testing.assert_allclose(units.scale[fold], np.nanstd(known, 0), rtol=1e-6)


# The network.


def test_with_units_the_label_head_says_mean_and_scale_times_what_it_said() -> None:
    batch = toy_batch()
    module = Dann(DialogueEncoder(width=4, context=False), 2, {"speaker": 3})
    params, strength = network_params(module, batch), {"speaker": 0.0}
    mean, scale = np.float32([3.0, 2.5]), np.float32([0.5, 1.5])
    apply = as_apply(module)
    before = apply(params, batch, strength, None)
    after = apply(with_units(params, mean, scale), batch, strength, None)
    np.testing.assert_allclose(
        after.label_logits, mean + scale * before.label_logits, rtol=1e-5, atol=1e-5
    )
    np.testing.assert_array_equal(after.features, before.features)


# A run.

CHANGES = {
    "protocol.labels": (),
    "protocol.targets": TARGETS,
    "batches.num_buckets": 1,
    "timetable.epochs": 12,
    "encoder.context": False,
}


def config_of(table: pathlib.Path, **changes: object) -> ConfigDict:
    config = tiny_config(table, {**CHANGES, **changes})
    with config.unlocked():
        config.objective = ConfigDict({"name": "ccc_regression"})
    return config


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return rated(tiny_corpus())


@pytest.fixture(scope="module")
def table(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("rated"), corpus)


@pytest.fixture(scope="module")
def workdir(
    table: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("runs") / "rated"
    train_and_evaluate(config_of(table), folder)
    return folder


def batches_of(config: ConfigDict) -> list:
    """Every training batch of an epoch, and what it is standardised by."""
    task, layout = build_task_and_layout(config)
    plan = task.plan(task.protocol.visible())
    steps = range(plan.steps_per_epoch)
    loader = BatchLoader(task.training, plan, layout, shuffle=True)
    made = [loader.batch(step) for step in steps]
    return [made, task.units, task.training.standardiser]


def other_test_ratings(corpus: Corpus) -> Corpus:
    """The same, but for the ratings of the tested sessions."""
    tested = np.isin(corpus.columns["session"], ["3", "4"])
    rng = np.random.default_rng(9)
    for name in TARGETS:
        drawn = rng.uniform(1.0, 5.0, len(corpus)).round(3).astype(str)
        known = tested & (corpus.columns[name] != "")
        corpus = with_ratings(
            name, np.where(known, drawn, corpus.columns[name]), corpus
        )
    return corpus


def test_batches_hold_standardised_values_of_labelled_rows_and_nan(
    table: pathlib.Path,
) -> None:
    task, layout = build_task_and_layout(config_of(table))
    protocol = task.protocol
    plan = task.plan(protocol.visible())
    batch = BatchLoader(task.training, plan, layout, shuffle=True).index_batch(0)
    real = batch.row >= 0
    labelled = real & (protocol.roles[0, batch.row] == Role.LABELLED)
    assert batch.value.dtype == np.float32
    assert np.isnan(batch.value[~labelled]).all() and (real & ~labelled).any()
    rating = task.units.mean[0] + task.units.scale[0] * batch.value[labelled]
    expected = protocol.value[batch.row[labelled]]
    np.testing.assert_allclose(rating, expected, rtol=1e-5)
    heard = BatchLoader(task.evaluation, plan, layout, shuffle=False).index_batch(0)
    assert heard.value is None and (heard.label == -1).all()


def test_ratings_of_rows_that_are_not_labelled_reach_no_batch(
    corpus: Corpus, table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    other = write_table(tmp_path, other_test_ratings(corpus))
    one, two = batches_of(config_of(table)), batches_of(config_of(other))
    jax.tree.map(np.testing.assert_array_equal, one, two)


def test_ratings_of_tested_rows_have_no_influence_on_a_run_but_for_its_scores(
    workdir: pathlib.Path, corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    other = write_table(tmp_path, other_test_ratings(corpus))
    found = train_and_evaluate(config_of(other), tmp_path / "other")
    here = json.loads((workdir / "results.json").read_text())
    assert found["replicas"][0]["ccc"] != here["replicas"][0]["ccc"]
    for name in ("metrics.jsonl", "bundle/parameters.npz"):
        texts = [(run / name).read_bytes() for run in (workdir, tmp_path / "other")]
        assert texts[0] == texts[1]


def test_results_have_every_measure_of_every_target(workdir: pathlib.Path) -> None:
    results = json.loads((workdir / "results.json").read_text())
    assert (results["labels"], results["targets"]) == ([], list(TARGETS))
    names = {
        f"{measure}{target}"
        for measure in ("ccc", "pearson", "rmse")
        for target in ("", "_valence", "_activation")
    }
    for arm in ("source_only", "dann"):
        assert set(results["summary"][arm]) == names
        for score in results["summary"][arm].values():
            assert score["ci95"][0] <= score["pooled"] <= score["ci95"][1]
    compared = {entry["metric"] for entry in results["comparisons"]}
    assert compared == names
    for replica in results["replicas"]:
        assert names < set(replica) and np.isfinite([replica[n] for n in names]).all()
    shown = result_table(read_run(workdir).results)
    for part in ("CCC pooled", "RMSE valence", "| activation |", "unit of the ratings"):
        assert part in shown


def test_something_is_learned_and_predicted_in_the_unit_of_the_ratings(
    workdir: pathlib.Path, table: pathlib.Path
) -> None:
    results = json.loads((workdir / "results.json").read_text())
    corpus = open_corpus(str(table))
    bundle = load_bundle(workdir)
    predicted = bundle.predict_corpus(corpus)
    tested = np.isin(corpus.columns["session"], ["3", "4"])
    truth = np.stack([corpus.numbers(name) for name in TARGETS], axis=1)[tested]
    error = np.sqrt(np.nanmean((predicted[tested] - truth) ** 2, axis=0))
    (replica,) = [r for r in results["replicas"] if r["arm"] == "dann"]
    expected = [replica[f"rmse_{name}"] for name in TARGETS]
    np.testing.assert_allclose(error, expected, rtol=1e-4)
    assert replica["ccc"] > 0.1


def test_a_bundle_names_its_values(workdir: pathlib.Path) -> None:
    bundle = load_bundle(workdir)
    assert bundle.columns == list(TARGETS)
    row = np.float32([2.5, 3.25])
    rating = bundle.named(row)
    assert rating == Rating({"valence": 2.5, "activation": 3.25})
    assert rating.cells() == {"valence": 2.5, "activation": 3.25}
    card = (workdir / "bundle" / "MODEL_CARD.md").read_text()
    assert "Values, in the unit of their ratings: valence, activation." in card
    assert "probabilities" not in card


def test_the_function_that_is_exported_says_the_same_values(
    workdir: pathlib.Path, table: pathlib.Path
) -> None:
    bundle, corpus = load_bundle(workdir), open_corpus(str(table))
    turns = corpus.dialogues()[0]
    everywhere = np.ones((1, len(turns)), bool)
    heard = {
        "inputs": {name: array[None, turns] for name, array in corpus.features.items()},
        "present": dict.fromkeys(corpus.features, everywhere),
        "visible": everywhere,
        "party": corpus.parties()[None, turns],
    }
    said = prediction_function(bundle)(heard)
    assert list(said) == list(TARGETS)
    expected = bundle.predict_corpus(corpus)[turns]
    for place, name in enumerate(TARGETS):
        np.testing.assert_allclose(said[name][0], expected[:, place], rtol=1e-4)


def test_recordings_get_a_column_for_every_value(tmp_path: pathlib.Path) -> None:
    targets = ("valence", "activation", "dominance")
    bundle = hearing_bundle(tmp_path / "bundle", labels=targets, answer="values")
    write_tones(tmp_path / "sound", {"a.wav": 0.4})
    clip = Clip(str(tmp_path / "sound" / "a.wav"), "a.wav")
    file = io.StringIO()
    heard = predict_clips(bundle, iter([clip]), report=pytest.fail)
    write_csv(file, heard, bundle.columns, timed=False)
    (row,) = csv.DictReader(io.StringIO(file.getvalue()))
    assert list(row) == ["file", "duration", *targets]
    rating = bundle.predict(read_audio(clip.file, sample_rate=16000).samples, 16000)
    assert {name: float(row[name]) for name in targets} == rating.cells()


def test_a_bundle_that_answers_otherwise_is_refused(workdir: pathlib.Path) -> None:
    found = json.loads((workdir / "bundle" / "bundle.json").read_text())
    with pytest.raises(BundleError, match="unknown answer 'colours'.*classes, values"):
        from_json({**found, "answer": "colours"}, "bundle.json")
    del found["answer"]
    assert from_json(found, "bundle.json").answer == "classes"


def test_validation_concordance_keeps_the_step_with_the_most_of_it(
    workdir: pathlib.Path,
) -> None:
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    results = json.loads((workdir / "results.json").read_text())
    for replica in results["replicas"]:
        name = f"{replica['arm']}/validation/ccc"
        best = max(metrics, key=lambda line: (line[name], line["step"]))
        assert replica["selected_step"] == best["step"]


def test_validation_scores_of_values() -> None:
    protocol = protocol_of(validation_folds=2)
    rows = np.flatnonzero((protocol.roles == Role.VALIDATION).any(0))
    layout = dataclasses.make_dataclass("Layout", ["fold_of"])(np.arange(3))
    truth = np.nan_to_num(protocol.value[rows])[None, None]
    found = validation_scores(np.repeat(truth, 3, 0), rows, protocol, layout)
    np.testing.assert_allclose(found["ccc"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(found["negative_loss"], 0.0, atol=1e-6)
    wrong = validation_scores(np.repeat(truth + 1.0, 3, 0), rows, protocol, layout)
    np.testing.assert_allclose(wrong["rmse"], 1.0, rtol=1e-6)
    assert (wrong["ccc"] < 1.0).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol.targets": TARGETS, "protocol.labels": ()},
        {"objective.name": "ccc_regression"},
    ],
    ids=["values, but classes learned", "classes, but values learned"],
)
def test_objective_and_protocol_must_ask_the_same(changes: dict) -> None:
    with pytest.raises(ValueError, match="it must be ccc_regression where"):
        check_config(tiny_config("synthetic", changes))


def test_no_adversary_is_given_a_class_where_there_is_none() -> None:
    config = config_of(pathlib.Path("rated"), **{"heads.conditional": ("speaker",)})
    with pytest.raises(ValueError, match="heads.conditional gives an adversary"):
        check_config(config)


def test_penalties_that_look_at_classes_are_refused() -> None:
    ccc_regression(penalties={"mmd": {}, "other": {"name": "coral"}})
    with pytest.raises(ValueError, match="mcc: values have no classes"):
        ccc_regression(penalties={"coral": {}, "mcc": {}})


def test_the_config_reads_the_ratings_of_real_iemocap(
    shared_data: pathlib.Path,
) -> None:
    config = load("dimensions").get_config()
    config.data.source = str(shared_data / "iemocap")
    config.seeds = 1
    task, layout = build_task_and_layout(config)
    assert layout.num_groups == 5
    tested = (task.protocol.roles == Role.TEST).sum(1)
    assert tested.sum() == len(task.corpus) == 10039
    assert not np.isnan(task.protocol.value).any()
    np.testing.assert_allclose(
        task.protocol.value[0], [2.5, 2.5, 2.5], err_msg="Ses01F_impro01_F000"
    )
    assert ((task.units.mean > 2.0) & (task.units.mean < 4.0)).all()
    assert ((task.units.scale > 0.5) & (task.units.scale < 1.2)).all()
