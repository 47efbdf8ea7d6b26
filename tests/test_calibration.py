"""Temperatures, calibration errors and coverage: facts, and who has no part in them."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax
from test_results import CORPUS, LAYOUT, LOGITS, PROTOCOL, TESTED

from dann_jax.evaluation.calibration import (
    NUM_BINS,
    THRESHOLDS,
    bins_of,
    calibration_scores,
    calibration_sums,
    coverage_curve,
    ece_of_calibrated,
    fit_temperature,
    negative_log_likelihood,
    probabilities_at,
)
from dann_jax.evaluation.scorers.calibrated import calibration_of, rows_of_others
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.roles import Role
from dann_jax.tasks.splits import Split
from dann_jax.training.run import Predictions


def drawn(
    rows: int, temperature: float, *, classes: int = 4, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their softmax at a temperature."""
    random = np.random.default_rng(seed)
    logits = 4.0 * random.normal(size=(rows, classes))
    chances = softmax(logits / temperature, -1).cumsum(-1)
    return logits, (random.random((rows, 1)) > chances).sum(-1)


def scores_of(probabilities: np.ndarray, label: np.ndarray) -> dict[str, float]:
    nobody = np.zeros(len(label), int)
    return calibration_scores(calibration_sums(probabilities, label, nobody, 1)[0])


@pytest.mark.parametrize("temperature", [0.05, 0.7, 1.0, 3.0, 20.0])
def test_a_temperature_moves_no_row_to_another_class(temperature: float) -> None:
    logits, _ = drawn(500, 1.0)
    probabilities = probabilities_at(logits, temperature)
    assert (probabilities.argmax(-1) == logits.argmax(-1)).all()
    np.testing.assert_allclose(probabilities.sum(-1), 1.0)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5, 6.0])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    logits, label = drawn(20000, temperature)
    assert fit_temperature(logits, label) == pytest.approx(temperature, rel=0.04)


@pytest.mark.parametrize("rows", [1, 2, 7, 50])
def test_what_is_fitted_on_never_gets_less_likely(rows: int) -> None:
    for seed in range(20):
        logits, label = drawn(rows, 1.5, seed=seed)
        fitted = fit_temperature(logits, label)
        before, after = (
            negative_log_likelihood(logits, label, temperature)
            for temperature in (1.0, fitted)
        )
        assert after <= before
        assert 0.05 <= fitted <= 20.0


def test_at_the_temperature_labels_have_the_logits_that_are_expected() -> None:
    # The derivative of the likelihood in 1 / T is 0: an independent formula.
    logits, label = drawn(300, 2.0)
    expected = (softmax(logits / fit_temperature(logits, label), -1) * logits).sum(-1)
    of_label = logits[np.arange(len(label)), label]
    assert of_label.mean() == pytest.approx(expected.mean(), abs=1e-4)


def test_no_row_has_no_temperature() -> None:
    with pytest.raises(ValueError, match="needs a row"):
        fit_temperature(np.zeros((0, 3)), np.zeros(0, int))


def test_probabilities_that_are_true_have_an_ece_of_nearly_0() -> None:
    logits, label = drawn(100_000, 2.0)
    assert scores_of(probabilities_at(logits, 2.0), label)["ece"] < 0.006
    assert scores_of(probabilities_at(logits, 0.5), label)["ece"] > 0.1


def test_the_ece_by_chance_is_that_of_true_probabilities() -> None:
    found = []
    for seed in range(60):
        logits, label = drawn(200, 2.0, seed=seed)
        found.append(scores_of(probabilities_at(logits, 2.0), label)["ece"])
    confidence = probabilities_at(drawn(200, 2.0)[0], 2.0).max(-1)
    assert ece_of_calibrated(confidence) == pytest.approx(np.mean(found), rel=0.15)


def test_scores_are_those_counted_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    scores = scores_of(probabilities, np.array([0, 1, 1, 1]))
    # Half of the first two are right at .9, all of the others at .6.
    assert scores["ece"] == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)
    assert scores["nll"] == pytest.approx(-np.log([0.9, 0.1, 0.6, 0.6]).mean())
    assert scores["brier"] == pytest.approx((0.02 + 1.62 + 0.32 + 0.32) / 4)


def test_sums_over_speakers_are_those_of_all() -> None:
    logits, label = drawn(90, 1.0)
    speaker = np.arange(90) % 3
    sums = calibration_sums(softmax(logits, -1), label, speaker, 3)
    everybody = calibration_sums(softmax(logits, -1), label, 0 * speaker, 1)
    np.testing.assert_allclose(sums.sum(0), everybody[0])
    assert sums[..., 0].sum(1).tolist() == [30, 30, 30]


def test_a_bin_ends_with_its_upper_edge() -> None:
    edges = np.arange(1, NUM_BINS + 1) / NUM_BINS
    assert bins_of(edges - 1e-6).tolist() == list(range(NUM_BINS))
    assert bins_of(np.array([0.0, 0.5 + 1e-9, 1.0])).tolist() == [0, 7, 14]


def test_a_higher_threshold_keeps_fewer_rows_and_0_keeps_all() -> None:
    logits, label = drawn(400, 1.0)
    curve = coverage_curve(softmax(logits, -1), label)
    assert curve.shape == (len(THRESHOLDS), 3)
    assert curve[0, 0] == 1.0
    assert (np.diff(curve[:, 0]) <= 0).all()
    assert curve[0, 1] == pytest.approx((logits.argmax(-1) == label).mean())
    assert curve[-1, 1] > curve[0, 1]


def test_ua_is_not_measured_where_a_class_is_gone() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6]])
    curve = coverage_curve(probabilities, np.array([0, 1]))
    kept = dict(zip(THRESHOLDS, curve, strict=True))
    assert kept[0.6].tolist() == [1.0, 1.0, 1.0]
    assert kept[0.65][:2].tolist() == [0.5, 1.0] and np.isnan(kept[0.65][2])
    assert kept[0.95][0] == 0.0 and np.isnan(kept[0.95][1:]).all()


# Of a run.


def run_of(protocol=PROTOCOL, layout=LAYOUT) -> SimpleNamespace:
    return SimpleNamespace(
        task=SimpleNamespace(protocol=protocol, corpus=CORPUS), layout=layout
    )


def temperatures(label: np.ndarray) -> np.ndarray:
    """`[arms, seeds, folds]` of the toy run of `test_results`, with these labels."""
    random = np.random.default_rng(0)
    logits = np.float32(random.normal(size=LOGITS.shape))
    run = run_of(dataclasses.replace(PROTOCOL, label=label))
    found = calibration_of(Predictions(TESTED, label_logits=logits), None, run)
    return np.array([record["temperature"] for record in found["arms"].values()])


def test_labels_of_tested_rows_have_no_part_in_the_temperature_of_their_fold() -> None:
    as_they_are = temperatures(PROTOCOL.label)
    for fold in range(2):
        tested = PROTOCOL.roles[fold] == Role.TEST
        other = np.where(tested, 1 - PROTOCOL.label, PROTOCOL.label)
        changed = temperatures(other)
        np.testing.assert_array_equal(changed[..., fold], as_they_are[..., fold])
        assert (changed[..., 1 - fold] != as_they_are[..., 1 - fold]).all()


def test_a_target_that_other_folds_test_too_fits_no_temperature() -> None:
    # b is tested by both folds: its labels are a target's in either.
    speaker = CORPUS.column("speaker")
    sides = {
        name: [speaker == who for who in pair]
        for name, pair in {"a->b": ("ann", "bob"), "c->b": ("cid", "bob")}.items()
    }
    protocol = assign_roles(
        CORPUS,
        [
            Split(name, source, target, np.zeros(len(speaker), bool))
            for name, (source, target) in sides.items()
        ],
        name="pairs",
        labels=("anger", "joy"),
        unlabelled=("test",),
        validation_folds=0,
    )
    assert not any(rows_of_others(protocol, fold).any() for fold in range(2))
    layout = dataclasses.replace(LAYOUT, folds=protocol.folds)
    rows = np.flatnonzero(speaker == "bob")
    logits = np.zeros((4, 2, len(rows), 2), np.float32)
    found = calibration_of(
        Predictions(rows, label_logits=logits), None, run_of(protocol, layout)
    )
    assert found["fitted_on"] == "" and "validation_folds=5" in found["not_measured"]
    for record in found["arms"].values():
        assert set(record) == {"before", "coverage"}
        assert record["before"]["ece"] == pytest.approx(0.0)


def test_the_ece_of_a_run_is_that_of_all_its_tested_rows() -> None:
    found = calibration_of(Predictions(TESTED, label_logits=LOGITS), None, run_of())
    # dann, seed 10: all 5 are right; seed 11: 4 of 5; each at e / (1 + e).
    sure = np.e / (1.0 + np.e)
    before = found["arms"]["dann"]["before"]
    assert before["ece"] == pytest.approx(np.mean([1.0 - sure, abs(0.8 - sure)]))
    (only,) = before["bins"]
    assert only == pytest.approx({"rows": 10, "confidence": sure, "right": 0.9})
    assert found["fitted_on"] == "tested rows of the other folds"
