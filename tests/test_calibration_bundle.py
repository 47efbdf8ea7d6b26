"""What becomes of a temperature and of a threshold in bundles, commands and pages."""

import copy
import dataclasses
import json
import pathlib

import numpy as np
import pytest
from bundles import LABELS, hearing_bundle, tiny_bundle, tone, write_tones
from commands import Call, assert_refused
from commands import call as call
from corpora_and_batches import toy_corpus
from reports import made_up_results
from scipy.special import softmax

from dann_jax.bundle import Bundle, BundleError
from dann_jax.bundle.calibration import calibration_errors, temperature_of
from dann_jax.bundle.export import prediction_function
from dann_jax.cli import predict
from dann_jax.report.exports import write_everything
from dann_jax.report.page import report_page
from dann_jax.report.run import RunFiles
from dann_jax.utils.once import warn_once


def at(bundle: Bundle, temperature: float) -> Bundle:
    return dataclasses.replace(
        bundle,
        description=dataclasses.replace(bundle.description, temperature=temperature),
    )


def test_every_members_logits_are_divided_and_then_averaged(
    tmp_path: pathlib.Path,
) -> None:
    corpus = toy_corpus(1)
    bundle = tiny_bundle(tmp_path / "bundle", corpus)
    assert bundle.description.temperature == 1.0
    expected = [
        softmax(np.log(bundle.member(place).predict_corpus(corpus)) / 2.5, -1)
        for place in range(2)
    ]
    found = at(bundle, 2.5).predict_corpus(corpus)
    np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=1e-6)


def test_an_exported_model_has_the_same_temperature(tmp_path: pathlib.Path) -> None:
    corpus = toy_corpus(1)
    bundle = at(tiny_bundle(tmp_path / "bundle", corpus), 3.0)
    dims = {name: part.dim for name, part in bundle.description.modalities.items()}
    turns = np.flatnonzero(corpus.column("dialogue") == corpus.column("dialogue")[0])
    first = dataclasses.replace(
        corpus,
        columns={name: column[turns[:1]] for name, column in corpus.columns.items()},
        features={name: array[turns[:1]] for name, array in corpus.features.items()},
        present={name: array[turns[:1]] for name, array in corpus.present.items()},
    )
    answer = prediction_function(bundle)(
        {
            "inputs": {name: first.features[name][None] for name in dims},
            "present": {name: first.present[name][None] for name in dims},
            "visible": np.ones((1, 1), bool),
            "party": np.zeros((1, 1), np.int32),
        }
    )
    found = [float(answer[label][0, 0]) for label in LABELS]
    np.testing.assert_allclose(found, bundle.predict_corpus(first)[0], rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), "1", True])
def test_a_temperature_that_is_none_is_refused(
    temperature: object, tmp_path: pathlib.Path
) -> None:
    from dann_jax.bundle.description import from_json, to_json

    bundle = tiny_bundle(tmp_path / "bundle", toy_corpus(1))
    found = json.loads(json.dumps(to_json(bundle.description)))
    assert from_json(found, "here").temperature == 1.0
    with pytest.raises(BundleError, match="here: .*temperature"):
        from_json({**found, "temperature": temperature}, "here")
    del found["temperature"]  # an older bundle
    assert from_json(found, "here").temperature == 1.0


def test_a_bundle_gets_the_temperature_of_its_members() -> None:
    results = {**made_up_results(), "calibration": made_up_calibration()}
    assert temperature_of(results, "dann", "all") == 1.9
    # That of the first fold knows no label of what the fold tests.
    assert temperature_of(results, "dann", "first") == 1.5
    assert temperature_of(made_up_results(), "dann", "all") == 1.0
    assert calibration_errors(made_up_results(), "dann") == {}
    assert calibration_errors(results, "dann")["after"] == 0.04


def test_the_card_says_how_true_the_probabilities_are(tmp_path: pathlib.Path) -> None:
    results = {**made_up_results(), "calibration": made_up_calibration()}

    def card(**changes: object) -> str:
        tiny_bundle(tmp_path / "bundle", toy_corpus(1), **changes)
        return " ".join((tmp_path / "bundle" / "MODEL_CARD.md").read_text().split())

    assert "Its probabilities are not calibrated." in card()
    score = {"mean": 0.5, "std": 0.01, "pooled": 0.5, "ci95": [0.4, 0.6]}
    measured = {"arm": "dann", "scores": {"ua": score}, "comparisons": [], "groups": {}}
    measured["calibration"] = calibration_errors(results, "dann")
    told = card(measured=measured, temperature=1.9)
    assert (
        "temperature 1.90, as fitted on tested rows of the other folds, for every"
        in told
    )
    assert "from 12.0 to 4.0 points" in told


# Rejection.


def test_below_the_threshold_the_label_is_unknown_and_probabilities_stay(
    tmp_path: pathlib.Path,
) -> None:
    bundle = hearing_bundle(tmp_path / "bundle")
    sure = bundle.predict(tone(1, 0.5, 16000), 16000)
    highest = max(sure.probabilities.values())
    kept = bundle.predict(tone(1, 0.5, 16000), 16000, reject=highest - 1e-3)
    assert kept == sure
    gone = bundle.predict(tone(1, 0.5, 16000), 16000, reject=highest + 1e-3)
    assert gone.label == "unknown"
    assert gone.probabilities == sure.probabilities


@pytest.mark.parametrize("threshold", [-0.1, 1.5, 50.0, float("nan")])
def test_a_threshold_is_a_probability(threshold: float, tmp_path: pathlib.Path) -> None:
    bundle = tiny_bundle(tmp_path / "bundle", toy_corpus(1))
    with pytest.raises(BundleError, match="a probability from 0 to 1, got"):
        bundle.predict(tone(1, 0.5, 16000), 16000, reject=threshold)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer": "values"}, "without probabilities: there is nothing to reject by"),
        ({"labels": ("anger", "unknown", "neutral")}, "has a class 'unknown'"),
    ],
    ids=["values", "class unknown"],
)
def test_what_cannot_be_rejected_is_told_in_a_line(
    changes: dict, reason: str, tmp_path: pathlib.Path, call: Call
) -> None:
    hearing_bundle(tmp_path / "bundle", **changes)
    ended = call(predict, f"--model={tmp_path}/bundle", "--reject=.5", "x.wav")
    assert_refused(ended, reason)


@pytest.mark.parametrize("threshold", ["0", "-1", "1.01", "nan", "50"])
def test_the_flag_is_checked_before_the_model_is_read(
    threshold: str, call: Call
) -> None:
    ended = call(predict, "--model=nowhere", f"--reject={threshold}", "x.wav")
    assert ended.code == 2 or "--reject" in ended.err
    assert "such as .5" in ended.err + ended.out


def test_the_command_rejects_and_prints_the_probabilities(
    tmp_path: pathlib.Path, call: Call
) -> None:
    hearing_bundle(tmp_path / "bundle")
    write_tones(tmp_path / "sounds", {"one.wav": 0.5})
    words = (f"--model={tmp_path}/bundle", tmp_path / "sounds")
    plain, rejecting = call(predict, *words), call(predict, "--reject=1", *words)
    assert (plain.code, rejecting.code) == (0, 0)
    header, line = rejecting.out.splitlines()
    assert header == plain.out.splitlines()[0]
    assert ",unknown," in line
    assert line.replace(",unknown,", ",") in plain.out.replace(",anger,", ",").replace(
        ",joy,", ","
    ).replace(",neutral,", ",")


def test_a_threshold_that_rejects_nothing_is_told(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = hearing_bundle(tmp_path / "bundle")
    warn_once.cache_clear()
    for _ in range(2):
        bundle.predict(tone(1, 0.5, 16000), 16000, reject=0.2)
    assert caplog.text.count("of 3 classes one has at least 0.333") == 1


def test_rejecting_by_probabilities_that_are_not_calibrated_is_told_once(
    tmp_path: pathlib.Path, call: Call
) -> None:
    results = {**made_up_results(), "calibration": made_up_calibration()}
    score = {"mean": 0.5, "std": 0.01, "pooled": 0.5, "ci95": [0.4, 0.6]}
    measured = {"arm": "dann", "scores": {"ua": score}, "comparisons": [], "groups": {}}
    calibrated = {**measured, "calibration": calibration_errors(results, "dann")}
    hearing_bundle(tmp_path / "plain", measured=measured)
    hearing_bundle(tmp_path / "fitted", measured=calibrated, temperature=1.9)
    write_tones(tmp_path / "sounds", {"one.wav": 0.5})
    for name, words, count in (
        ("plain", ["--reject=.5"], 1),
        ("plain", [], 0),
        ("fitted", ["--reject=.5"], 0),
    ):
        warn_once.cache_clear()
        ended = call(predict, f"--model={tmp_path / name}", *words, tmp_path / "sounds")
        assert ended.code == 0
        assert ended.err.count("probabilities are not calibrated") == count


# The page.


def made_up_calibration() -> dict:
    """Of two arms, two seeds and two folds."""

    def score(ece: float) -> dict:
        return {
            "ece": ece,
            "ece_ci95": [ece - 0.01, ece + 0.02],
            "ece_of_calibrated": 0.03,
            "nll": 0.9,
            "brier": 0.4,
            "bins": [
                {"rows": 40, "confidence": 0.45, "right": 0.4},
                {"rows": 120, "confidence": 0.95, "right": 0.8},
            ],
        }

    record = {
        "before": score(0.12),
        "temperature": [[1.5, 2.1], [1.6, 2.2]],
        "temperature_of_all": [1.9, 2.0],
        "after": score(0.04),
        "coverage": [
            {"threshold": 0.0, "coverage": 1.0, "wa": 0.6, "ua": 0.6},
            {"threshold": 0.5, "coverage": 0.8, "wa": 0.7, "ua": 0.7},
            {"threshold": 0.9, "coverage": 0.2, "wa": 0.9, "ua": float("nan")},
        ],
    }
    return {
        "bins": 15,
        "fitted_on": "tested rows of the other folds",
        "arms": {"source_only": record, "dann": copy.deepcopy(record)},
    }


def test_the_page_shows_the_error_before_and_after_and_what_a_threshold_keeps() -> None:
    results = {**made_up_results(), "calibration": made_up_calibration()}
    page = report_page(RunFiles("run", results))
    section = page.partition('<section id="calibration"')[2].partition("</section>")[0]
    assert section.count("<figure>") == 3
    for words in ("12.00", "4.00", "80.00", "70.00", "tested rows of the other folds"):
        assert words in section
    assert "nan" not in section.lower().split()


def test_what_was_not_measured_is_told_on_the_page() -> None:
    calibration = made_up_calibration()
    for record in calibration["arms"].values():
        del record["after"], record["temperature"], record["temperature_of_all"]
    calibration |= {"fitted_on": "", "not_measured": "set validation_folds"}
    page = report_page(
        RunFiles("run", {**made_up_results(), "calibration": calibration})
    )
    assert "After temperature: not measured; set validation_folds." in page
    section = page.partition('<section id="calibration"')[2].partition("</section>")[0]
    assert section.count("<figure>") == 2


def test_tables_and_figures_of_calibration_are_written(tmp_path: pathlib.Path) -> None:
    results = {**made_up_results(), "calibration": made_up_calibration()}
    written = write_everything(RunFiles("run", results), tmp_path)
    names = {path.name for path in written}
    assert {"calibration.csv", "rejection.tex", "calibration.svg"} <= names
