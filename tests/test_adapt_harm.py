"""Warnings fire on what they are about, and on nothing else."""

import numpy as np
import pytest

from dann_jax.evaluation.harm import classes_used, harms, unused_classes
from dann_jax.evaluation.target import certainty

EVEN = {"anger": 0.25, "happiness": 0.25, "neutral": 0.25, "sadness": 0.25}
NARROW = {"anger": 0.9, "happiness": 0.098, "neutral": 0.001, "sadness": 0.001}
CERTAIN = {"agreement": 0.8, "rehearsed_agreement": 0.85}
NOTHING = {"agreement": float("nan"), "rehearsed_agreement": float("nan")}


def target(
    balance: dict = EVEN, measured: dict = CERTAIN, rows: int = 100
) -> dict[str, object]:
    return {
        "rows": rows,
        "balance": {"source_only": EVEN, "dann": {**EVEN, **balance}},
        "arms": {"source_only": CERTAIN, "dann": measured},
    }


def compared(low: float, high: float) -> list[dict[str, object]]:
    entry = {"arm": "dann", "ci95": [low, high], "difference": (low + high) / 2}
    return [{**entry, "metric": "ua"}, {**entry, "metric": "wa", "ci95": [-1, 1]}]


def test_a_healthy_adaptation_has_no_warning() -> None:
    assert harms(target(), compared(-0.01, 0.05)) == []


def test_what_was_not_measured_warns_of_nothing() -> None:
    assert harms(target(measured=NOTHING), []) == []
    unclear = compared(float("nan"), float("nan"))
    assert harms(target(measured=NOTHING), unclear) == []


@pytest.mark.parametrize(
    ("changes", "comparisons", "words"),
    [
        (
            {"balance": dict.fromkeys(EVEN, 0.0) | {"anger": 1.0}},
            [],
            "every recording of the target is predicted as anger",
        ),
        (
            {"balance": NARROW},
            [],
            "narrowed the predictions to 1.4 classes, from 4.0 of source_only; 90 %",
        ),
        ({}, compared(-0.06, -0.02), "makes their UA worse by 4.0 points"),
        (
            {"measured": {"agreement": 0.4, "rehearsed_agreement": 0.9}},
            [],
            "agree on 40 % of the recordings, and on 90 %",
        ),
        ({"rows": 1}, [], "The target has 1 recording:"),
    ],
)
def test_each_sign_of_harm_is_told(
    changes: dict, comparisons: list, words: str
) -> None:
    (sentence,) = harms(target(**changes), comparisons)
    assert words in sentence


def test_a_class_that_nothing_was_taken_for_is_told_of_once() -> None:
    without = {"anger": 0.3, "happiness": 0.3, "neutral": 0.4, "sadness": 0.0}
    balance = {"source_only": EVEN, "dann": without, "mcc": without}
    arms = dict.fromkeys(balance, CERTAIN)
    found = harms({"rows": 100, "balance": balance, "arms": arms}, [])
    (sentence,) = [text for text in found if "sadness" in text]
    start = "No recording of yours was taken for sadness (by dann, mcc): either none is"
    assert sentence.startswith(start)
    # Of a single class another sentence tells.
    collapsed = {"source_only": EVEN, "dann": dict.fromkeys(EVEN, 0.0) | {"anger": 1.0}}
    assert unused_classes(collapsed) == []


def test_k_equal_classes_count_k() -> None:
    assert classes_used(EVEN) == pytest.approx(4.0)
    assert classes_used({"anger": 1.0, "neutral": 0.0}) == 1.0


def test_agreement_is_a_mean_over_pairs_of_seeds() -> None:
    logits = np.log([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.7, 0.3]]])
    confidence, agreement = certainty(logits)
    assert confidence == pytest.approx((0.9 + 0.8 + 0.6 + 0.7) / 4)
    assert agreement == 0.5
    assert np.isnan(certainty(logits[:1])[1])
    assert np.isnan(certainty(logits[:, :0])).all()
