"""Speakers that training never saw: open-set roles, their trials, errors, and a run."""

import importlib.util
import json
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest
from ml_collections import ConfigDict
from sklearn.metrics import roc_curve

from dann_jax.data.corpus import Corpus
from dann_jax.evaluation.detection import weighted_errors
from dann_jax.evaluation.scorers.trials import fold_trials, replica_errors, score_trials
from dann_jax.evaluation.trials import (
    DRAWN,
    METRICS,
    ScoredTrials,
    back_end_scores,
    compare_draws,
    error_draws,
    error_rates,
    spread,
)
from dann_jax.evaluation.verdicts import verdict
from dann_jax.evaluation.verification import make_trials
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.report.comparison import run_table
from dann_jax.report.figures import forest_plot
from dann_jax.report.tables import result_table
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.timetable import Timetable
from dann_jax.types import UNKNOWN
from tests.runs import write_table

CONFIG = pathlib.Path(__file__).parents[1] / "configs" / "wang2020.py"
CORPORA = ("ased", "emodb", "emovo", "ravdess", "urdu")
SPEAKERS, ROWS, WIDTH = 3, 6, 8


def voices(seed: int = 0, noise: float = 0.3) -> Corpus:
    """Three speakers in each of five corpora; a corpus moves all of its rows."""
    rng = np.random.default_rng(seed)
    corpus = np.repeat(CORPORA, SPEAKERS * ROWS)
    speaker = np.repeat([f"{c}-{s}" for c in CORPORA for s in range(SPEAKERS)], ROWS)
    people = 2.0 * rng.normal(size=(len(CORPORA) * SPEAKERS, WIDTH))
    rooms = 5.0 * rng.normal(size=(len(CORPORA), WIDTH))
    features = people.repeat(ROWS, 0) + rooms.repeat(SPEAKERS * ROWS, 0)
    features += noise * rng.normal(size=features.shape)
    names = np.arange(len(speaker)).astype(str)
    return Corpus(
        name="voices",
        columns={
            "utt_id": names,
            "speaker": speaker,
            "emotion": np.full(len(speaker), "neutral"),
            "corpus": corpus,
            "audio_hash": np.char.add("hash", names),
        },
        features={"functionals": features.astype(np.float32)},
        present={"functionals": np.ones(len(speaker), bool)},
    )


def open_set(corpus: Corpus, **changes: object) -> Protocol:
    arguments = {
        "split": "leave_one_out",
        "split_args": {"column": "corpus"},
        "labels": (),
        "label_column": "speaker",
        "unlabelled": ("test",),
        "validation_folds": 0,
        "open_set": True,
        **changes,
    }
    return make_protocol(corpus, **arguments)


def config_of(variant: str = "") -> ConfigDict:
    spec = importlib.util.spec_from_file_location("wang2020", CONFIG)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(variant)


# Who is trained on and who is tested.


def test_every_tested_speaker_is_unheard_and_no_label_of_theirs_is_left() -> None:
    corpus = voices()
    protocol = open_set(corpus)
    assert protocol.open_set and len(protocol.labels) == len(CORPORA) * SPEAKERS
    for fold, target in enumerate(CORPORA):
        roles = protocol.roles[fold]
        tested = corpus.column("corpus") == target
        np.testing.assert_array_equal(roles == Role.TEST, tested)
        np.testing.assert_array_equal(roles == Role.LABELLED, ~tested)
        assert (protocol.erased_labels()[fold, tested] == UNKNOWN).all()


def test_speakers_that_no_fold_trains_on_are_tested_and_are_no_class() -> None:
    corpus = voices()
    split = {"column": "corpus", "train": CORPORA[:2], "test": CORPORA[2:]}
    protocol = open_set(corpus, split="fixed_split", split_args=split)
    heard = np.isin(corpus.column("corpus"), CORPORA[:2])
    assert protocol.labels == tuple(np.unique(corpus.column("speaker")[heard]))
    np.testing.assert_array_equal(protocol.roles[0] == Role.TEST, ~heard)
    assert (protocol.label[~heard] == UNKNOWN).all()


def test_a_row_without_a_speaker_is_not_tested() -> None:
    corpus = voices()
    corpus.columns["speaker"][0] = ""
    protocol = open_set(corpus)
    assert protocol.roles[0, 0] == Role.UNLABELLED
    assert "" not in protocol.labels


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_folds": 2}, "validation_folds to 0"),
        ({"split_args": {"column": "speaker"}}, "two others to test"),
        (
            {"split": "group_k_fold", "split_args": {"column": "utt_id", "k": 2}},
            "both labelled and tested",
        ),
    ],
)
def test_a_protocol_that_verifies_nobody_new_is_refused(
    changes: dict, message: str
) -> None:
    with pytest.raises(ProtocolError, match=message):
        open_set(voices(), disjoint=(), **changes)


# Trials.


def test_nontarget_trials_stay_within_a_corpus() -> None:
    corpus = voices()
    speaker, room = corpus.column("speaker"), corpus.column("corpus")
    trials = make_trials(speaker, within=room, trained={"ased-0"})
    assert (room[trials.first] == room[trials.second]).all()
    apart = make_trials(speaker, trained={"ased-0"})
    assert (room[apart.first] != room[apart.second]).any()


def test_speakers_each_alone_in_a_corpus_make_no_trials() -> None:
    with pytest.raises(ValueError, match="alone"):
        make_trials(np.repeat(["a", "b"], 3), within=np.repeat(["x", "y"], 3))


def test_the_trials_of_a_fold_are_of_its_target_and_hold_no_recording_twice() -> None:
    corpus = voices()
    corpus.columns["audio_hash"][:3] = "copy"
    task = SimpleNamespace(corpus=corpus, protocol=open_set(corpus))
    for fold, target in enumerate(CORPORA):
        trials = fold_trials(task, fold)
        rows = np.unique([trials.first, trials.second])
        assert set(corpus.column("corpus")[rows]) == {target}
        assert not {1, 2} & set(rows)
        assert fold or 0 in rows


# Errors, and how sure they are.


def equal_error_rate(scores: np.ndarray, target: np.ndarray) -> float:
    return weighted_errors(scores, target, np.ones(len(scores)))["eer"]


def scored(n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = rng.random(n) > 0.4
    # Rounded, so that there are ties.
    return (rng.normal(size=n) + 1.5 * target).round(1), target


def test_a_trial_that_counts_several_times_is_as_many_trials() -> None:
    scores, target = scored()
    times = np.random.default_rng(1).integers(0, 4, (5, len(scores)))
    found = weighted_errors(scores, target, times.astype(float))
    for row, own in enumerate(times):
        repeated = np.repeat(scores, own), np.repeat(target, own)
        alone = weighted_errors(*repeated, np.ones(own.sum()))
        for name in ("eer", "min_dcf"):
            np.testing.assert_allclose(found[name][row], alone[name])


def test_least_costs_are_those_of_scikit_learns_curve() -> None:
    scores, target = scored()
    weight = np.random.default_rng(1).random(len(scores))
    false_alarm, hit, _ = roc_curve(target, scores, sample_weight=weight)
    expected = np.min((1.0 - hit) + 99.0 * false_alarm)
    found = weighted_errors(scores, target, weight)["min_dcf"]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_errors_of_trials_of_one_kind_only_are_unknown() -> None:
    scores, target = scored()
    weight = np.stack([target, ~target]).astype(float)
    for values in weighted_errors(scores, target, weight).values():
        assert np.isnan(values).all()


def folds_of(arms: int = 2, seeds: int = 2) -> list[ScoredTrials]:
    """Two folds of three speakers each; the second arm scores better."""
    rng = np.random.default_rng(0)
    folds = []
    for start in (0, 3):
        speaker = np.repeat(np.arange(start, start + 3), 5)
        first, second, target = make_trials(speaker)
        gain = np.linspace(0.5, 3.0, arms)[:, None, None]
        scores = rng.normal(size=(arms, seeds, len(target))) + gain * target
        both = {"cosine": scores, "plda": 2.0 * scores}
        folds.append(ScoredTrials(speaker[first], speaker[second], target, both))
    return folds


def test_a_fold_counts_as_much_as_another_and_each_has_its_own_threshold() -> None:
    folds, everybody = folds_of(), np.ones(6)
    both = error_rates(folds, everybody)["eer_cosine"]
    alone = [error_rates([fold], everybody)["eer_cosine"] for fold in folds]
    np.testing.assert_allclose(both, np.mean(alone, 0))
    expected = equal_error_rate(folds[0].scores["cosine"][1, 0], folds[0].target)
    np.testing.assert_allclose(alone[0][1, 0], expected)


def test_a_speaker_drawn_twice_brings_the_trials_of_two() -> None:
    (fold, _) = folds_of()
    times = np.array([2.0, 1.0, 0.0])
    copies = times[fold.first] * np.where(fold.target, 1.0, times[fold.second])
    scores = np.repeat(fold.scores["cosine"][0, 0], copies.astype(int))
    expected = equal_error_rate(scores, np.repeat(fold.target, copies.astype(int)))
    found = error_rates([fold], times)["eer_cosine"][0, 0]
    np.testing.assert_allclose(found, expected)


def test_a_draw_without_two_speakers_of_a_fold_leaves_the_fold_out() -> None:
    folds = folds_of()
    times = np.array([3.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    found, left = error_rates(folds, times), error_rates(folds[1:], times)
    for name in METRICS:
        np.testing.assert_array_equal(found[name], left[name])


def test_draws_are_paired_and_surround_the_error() -> None:
    folds = folds_of()
    draws = error_draws(folds, 6)
    again = error_draws(folds, 6)
    rates = error_rates(folds, np.ones(6))
    for name in DRAWN:
        np.testing.assert_array_equal(draws[name], again[name])
        for arm in range(2):
            low, high = spread(draws[name][arm])
            assert low <= rates[name][arm].mean() <= high
    same = compare_draws(draws["eer_plda"][0], draws["eer_plda"][0])
    assert same == {"ci95": [0.0, 0.0], "p_value": 1.0}
    better = compare_draws(draws["eer_plda"][1], draws["eer_plda"][0])
    assert better["ci95"][1] < 0.0 and better["p_value"] < 0.05


def test_of_errors_less_is_better() -> None:
    assert verdict([-0.2, -0.1], "eer_plda") == "better" == verdict([0.1, 0.2], "ua")
    assert verdict([0.1, 0.2], "min_dcf_cosine") == "worse"
    assert verdict([-0.1, 0.2], "eer_plda") == "no difference shown"


def test_back_ends_ignore_where_the_training_speakers_are_and_the_scale() -> None:
    rng = np.random.default_rng(0)
    speaker = np.arange(40) // 4
    heard = rng.normal(size=(10, 5))[speaker] + 0.3 * rng.normal(size=(40, 5))
    first, second = rng.normal(size=(2, 7, 5))
    found = back_end_scores(heard, speaker, first, second)
    moved = back_end_scores(*(3.0 * heard + 2.0, speaker), *(3.0 * first + 2.0,) * 2)
    np.testing.assert_allclose(moved["cosine"], 1.0)
    moved = back_end_scores(
        3.0 * heard + 2.0, speaker, 3.0 * first + 2.0, 3.0 * second + 2.0
    )
    for word in found:
        np.testing.assert_allclose(moved[word], found[word], rtol=1e-6)


def test_every_replica_is_scored_by_its_own_features_on_the_trials_of_its_fold() -> (
    None
):
    corpus = voices(noise=0.01)
    task = SimpleNamespace(corpus=corpus, protocol=open_set(corpus))
    arms = {"telling": {"corpus": 0.0}, "noise": {"corpus": 1.0}}
    layout = ReplicaLayout(task.protocol.folds, [3, 4], arms, make_mesh(8))
    rows = np.arange(len(corpus))
    telling = np.broadcast_to(
        corpus.features["functionals"], (layout.num_groups, len(rows), WIDTH)
    )
    noise = np.random.default_rng(0).normal(size=telling.shape)
    trials = [fold_trials(task, fold) for fold in range(len(CORPORA))]
    features = np.stack([telling, noise], 1)
    replicas = replica_errors(
        score_trials(features, rows, trials, task, layout), task, layout
    )
    assert [(r["fold"], r["seed"], r["arm"]) for r in replicas[:4]] == [
        ("corpus ased", seed, arm) for seed in (3, 4) for arm in arms
    ]
    for replica in replicas:
        assert replica["n_test"] == SPEAKERS * ROWS
        assert replica["n_trials"] == 2 * SPEAKERS * ROWS * (ROWS - 1) // 2
        telling = replica["arm"] == "telling"
        for metric in ("eer_cosine", "eer_plda"):
            assert (replica[metric] == 0.0) if telling else (replica[metric] > 0.2)


# The system.


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("voices"), voices(noise=2.0))


def tiny(table: pathlib.Path, variant: str = "") -> ConfigDict:
    config = config_of(variant)
    config.update_from_flattened_dict(
        {
            "data.source": str(table),
            "seeds": 1,
            "batches.batch_size": 32,
            "encoder.width": 8,
            "heads.domain_hidden": (8,),
            "timetable.epochs": 6,
            "timetable.gradients_every": 0,
            "analysis.rows": 40,
            "analysis.replicas": 1,
            "analysis.maps": ("pca",),
        }
    )
    return config


@pytest.mark.parametrize("variant", ["", "coral", "mmd", "several"])
def test_every_variant_builds(table: pathlib.Path, variant: str) -> None:
    config = tiny(table, variant)
    task, layout = build_task_and_layout(config)
    compiled(config, task, layout, Timetable(1, **config.timetable))
    assert task.num_domains == {"corpus": 5} and task.protocol.open_set
    assert len(layout.folds) == (1 if variant == "several" else 5)
    # The adversary sees every corpus of the source and of the target.
    assert (task.training.domain["corpus"] >= 0).all()


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="several"):
        config_of("nonsense")


@pytest.fixture(scope="module")
def finished(
    table: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pathlib.Path, dict]:
    workdir = tmp_path_factory.mktemp("runs") / "wang"
    config = tiny(table)
    # Strong enough for the order of a few dozen scores to change.
    config.arms.dann.corpus = 10.0
    return workdir, train_and_evaluate(config, workdir)


@pytest.mark.slow
def test_a_run_verifies_speakers_and_the_adversary_changes_them(
    finished: tuple[pathlib.Path, dict],
) -> None:
    workdir, results = finished
    assert len(results["replicas"]) == 2 * len(CORPORA)
    plain, other = (
        [r for r in results["replicas"] if r["arm"] == arm]
        for arm in ("source_only", "dann")
    )
    assert any(
        a[metric] != b[metric]
        for a, b in zip(plain, other, strict=True)
        for metric in METRICS
    )
    for scores in results["summary"].values():
        assert tuple(scores) == METRICS
        for name, score in scores.items():
            assert set(score) == {"mean", "std", "pooled", "ci95"}
            known = 0.0 <= score["ci95"][0] <= score["ci95"][1] <= 1.0
            assert known == (name in DRAWN)
    entries = results["comparisons"]
    assert [entry["metric"] for entry in entries] == list(DRAWN)
    assert set(entries[0]) >= {"arm", "against", "difference", "ci95", "p_value"}
    assert (workdir / "results.json").exists()
    assert (workdir / "bundle").exists()


@pytest.mark.slow
def test_the_analysis_leaves_out_what_needs_classes_and_says_so(
    finished: tuple[pathlib.Path, dict],
) -> None:
    found = json.loads((finished[0] / "analysis.json").read_text())
    assert not {"speakers", "confusion", "selection"} & set(found)
    assert any("no classes are tested" in words for words in found["left_out"])
    assert {record["column"] for record in found["probes"]} >= {"corpus"}
    assert set(found["maps"]["points"]) == {"source_only", "dann"}


@pytest.mark.slow
def test_the_tables_name_the_errors_and_say_that_less_is_better(
    finished: tuple[pathlib.Path, dict], tmp_path: pathlib.Path
) -> None:
    results = finished[1]
    text = result_table(results)
    assert "lower is better" in text and "corpus probe" in text
    for title in ("EER, cosine", "EER, PLDA", "minDCF, PLDA", "corpus emodb"):
        assert title in text
    assert "difference [95 %]" in run_table({"one": results, "two": results}).header
    forest_plot(results, tmp_path / "figure.svg")
    assert "EER, PLDA" in (tmp_path / "figure.svg").read_text()


@pytest.mark.slow
def test_runs_that_classify_share_no_table_with_runs_that_verify(
    finished: tuple[pathlib.Path, dict],
) -> None:
    classified = {"summary": {"dann": {"wa": {}, "ua": {}}}}
    with pytest.raises(ValueError, match="share no table"):
        run_table({"one": finished[1], "two": classified})
