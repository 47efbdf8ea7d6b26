"""The temperatures of a choice are of training speakers whom inner folds hold out."""

import numpy as np
import pytest

from dann_jax.evaluation.calibration import fit_temperature
from dann_jax.evaluation.choice import CHOSEN
from dann_jax.evaluation.choice_calibration import choice_calibration
from dann_jax.evaluation.scorers.calibrated import Rows

NAMES = ("plain", "adapted", "wide")
CLASSES, SEEDS = 4, 2


def rows_of(fold: np.ndarray, seeds: int, sharper: np.ndarray, draw: int) -> Rows:
    """Rows whose logits are right at temperature `sharper` `[folds, candidates]`."""
    rng = np.random.default_rng(draw)
    true = rng.normal(0.0, 1.5, (len(fold), CLASSES))
    odds = np.exp(true) / np.exp(true).sum(-1, keepdims=True)
    label = (odds.cumsum(-1) < rng.random((len(fold), 1))).sum(-1)
    logits = true[:, None, None] * sharper[fold][:, None, :, None]
    speaker = rng.integers(0, 6, len(fold))
    return Rows(fold, label, speaker, np.repeat(logits, seeds, 1))


SHARPER = np.array([[1.0, 2.0, 4.0], [1.5, 3.0, 6.0]])
FOLD = np.repeat([0, 1], 1500)
TESTED = rows_of(FOLD, SEEDS, SHARPER, 0)
HELD_OUT = rows_of(FOLD, 1, SHARPER, 1)
CHOICE, RECOMMENDED = np.array([1, 2]), 1
FOUND = choice_calibration(TESTED, HELD_OUT, NAMES, CHOICE, RECOMMENDED)


def test_every_fold_has_the_temperature_of_what_was_chosen_there() -> None:
    assert list(FOUND["arms"]) == ["plain", CHOSEN, "adapted"]
    for arm, expected in (("plain", [1, 1.5]), (CHOSEN, [2, 6]), ("adapted", [2, 3])):
        temperature = np.array(FOUND["arms"][arm]["temperature"])
        assert temperature.shape == (SEEDS, 2)
        np.testing.assert_allclose(temperature, [expected] * SEEDS, rtol=0.1)
    # Of all folds it is that of the candidate that the bundle has.
    of_all = fit_temperature(HELD_OUT.logits[:, 0, RECOMMENDED], HELD_OUT.label)
    for arm in (CHOSEN, "adapted"):
        assert FOUND["arms"][arm]["temperature_of_all"] == [of_all] * SEEDS


def test_it_takes_the_error_of_what_was_chosen_to_that_of_chance() -> None:
    record = FOUND["arms"][CHOSEN]
    assert record["before"]["ece"] > 0.1
    after = record["after"]
    assert after["ece"] < 2.0 * after["ece_of_calibrated"]
    assert len(record["coverage"]) > 10


def test_labels_of_tested_rows_fit_no_temperature() -> None:
    label = np.random.default_rng(2).permutation(TESTED.label)
    again = choice_calibration(
        TESTED._replace(label=label), HELD_OUT, NAMES, CHOICE, RECOMMENDED
    )
    for arm, record in FOUND["arms"].items():
        assert again["arms"][arm]["temperature"] == record["temperature"]
        assert again["arms"][arm]["after"]["ece"] > record["after"]["ece"]


def test_the_seeds_of_inner_folds_need_not_be_those_of_the_run() -> None:
    one = choice_calibration(TESTED, HELD_OUT, NAMES, CHOICE, RECOMMENDED)
    repeated = HELD_OUT._replace(logits=np.repeat(HELD_OUT.logits, 3, 1))
    three = choice_calibration(TESTED, repeated, NAMES, CHOICE, RECOMMENDED)
    for arm in one["arms"]:
        np.testing.assert_allclose(
            *(found["arms"][arm]["temperature"] for found in (one, three)), rtol=1e-4
        )


@pytest.mark.parametrize("draw", range(3))
def test_right_and_wrong_rows_stay_what_they_were(draw: int) -> None:
    tested = rows_of(FOLD, SEEDS, SHARPER, draw)
    found = choice_calibration(tested, HELD_OUT, NAMES, CHOICE, RECOMMENDED)
    for record in found["arms"].values():
        right = [
            sum(one["rows"] * one["right"] for one in record[when]["bins"])
            for when in ("before", "after")
        ]
        assert right[0] == pytest.approx(right[1])
