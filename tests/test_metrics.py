"""Metrics: scikit-learn's numbers, with classes that nobody says or guesses."""

import numpy as np
import pytest
from sklearn import metrics

from dann_jax.evaluation.metrics import classification_scores, scores_of_confusion

CLASSES = 5


def predictions(
    truths: tuple[int, ...], guesses: tuple[int, ...], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([truths, rng.choice(truths, 40)])
    guess = np.concatenate([rng.choice(guesses, len(truths)), rng.choice(guesses, 40)])
    return truth, guess


cases = pytest.mark.parametrize(
    ("truths", "guesses"),
    [
        ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4)),
        ((0, 1, 3), (0, 1, 2, 3, 4)),
        ((1, 2, 4), (1, 2)),
        ((0, 4), (2, 3)),
        ((2,), (0, 2)),
    ],
    ids=["all", "two-not-said", "one-not-guessed", "none-right", "one-class"],
)


@cases
@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_those_of_scikit_learn_over_the_classes_that_occur(
    truths: tuple[int, ...], guesses: tuple[int, ...], seed: int
) -> None:
    truth, guess = predictions(truths, guesses, seed)
    scores = classification_scores(truth, guess, CLASSES)
    labels = {"labels": list(truths), "average": "macro", "zero_division": 0}
    recalls = [np.mean(guess[truth == c] == c) for c in truths]
    assert scores["wa"] == pytest.approx(np.mean(truth == guess), rel=1e-12)
    assert scores["ua"] == pytest.approx(np.mean(recalls), rel=1e-12)
    assert scores["ua"] == pytest.approx(
        metrics.recall_score(truth, guess, **labels), rel=1e-12
    )
    assert scores["macro_f1"] == pytest.approx(
        metrics.f1_score(truth, guess, **labels), rel=1e-12
    )


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@cases
def test_ua_is_the_balanced_accuracy(
    truths: tuple[int, ...], guesses: tuple[int, ...]
) -> None:
    truth, guess = predictions(truths, guesses, 0)
    expected = metrics.balanced_accuracy_score(truth, guess)
    scores = classification_scores(truth, guess, CLASSES)
    assert scores["ua"] == pytest.approx(expected, rel=1e-12)


@cases
def test_recall_and_confusion_have_a_place_for_every_class(
    truths: tuple[int, ...], guesses: tuple[int, ...]
) -> None:
    truth, guess = predictions(truths, guesses, 0)
    scores = classification_scores(truth, guess, CLASSES)
    confusion, recall = np.array(scores["confusion"]), np.array(scores["recall"])
    assert confusion.shape == (CLASSES, CLASSES) and recall.shape == (CLASSES,)
    np.testing.assert_array_equal(
        confusion.sum(1), np.bincount(truth, minlength=CLASSES)
    )
    np.testing.assert_array_equal(
        confusion.sum(0), np.bincount(guess, minlength=CLASSES)
    )
    assert np.flatnonzero(~np.isnan(recall)).tolist() == sorted(truths)


def test_rows_of_the_confusion_are_the_truth() -> None:
    scores = classification_scores(np.array([0, 0, 0, 1]), np.array([1, 1, 0, 1]), 2)
    assert scores["confusion"] == [[1, 2], [0, 1]]
    assert scores["recall"] == pytest.approx([1 / 3, 1.0])
    assert scores["wa"] == 0.5 and scores["ua"] == pytest.approx(2 / 3)


@cases
def test_scores_of_the_confusion_are_those_of_the_predictions(
    truths: tuple[int, ...], guesses: tuple[int, ...]
) -> None:
    direct = classification_scores(*predictions(truths, guesses, 0), CLASSES)
    counted = scores_of_confusion(np.array(direct["confusion"]))
    for name in ("wa", "ua", "macro_f1"):
        assert counted[name] == pytest.approx(direct[name], rel=1e-12)


def test_scores_of_summed_confusions_are_those_of_the_pooled_predictions() -> None:
    parts = [predictions((0, 1, 2), (0, 1, 2, 3), 0), predictions((2, 4), (1, 4), 1)]
    confusions = [
        np.array(classification_scores(*part, CLASSES)["confusion"]) for part in parts
    ]
    pooled = classification_scores(
        *(np.concatenate(both) for both in zip(*parts, strict=True)), CLASSES
    )
    counted = scores_of_confusion(sum(confusions))
    for name in ("wa", "ua", "macro_f1"):
        assert counted[name] == pytest.approx(pooled[name], rel=1e-12)


def test_many_confusions_are_scored_at_once() -> None:
    rng = np.random.default_rng(0)
    confusions = rng.integers(0, 4, (3, 2, CLASSES, CLASSES))
    confusions[..., 2, :] = 0  # Nobody says class 2.
    together = scores_of_confusion(confusions)
    for index in np.ndindex(3, 2):
        alone = scores_of_confusion(confusions[index])
        for name, values in together.items():
            assert values.shape == (3, 2)
            assert values[index] == pytest.approx(alone[name], rel=1e-12)


def test_scores_do_not_depend_on_the_order_of_the_rows() -> None:
    truth, guess = predictions((0, 1, 2), (0, 1, 2, 3), 0)
    order = np.random.default_rng(1).permutation(len(truth))
    one = classification_scores(truth, guess, CLASSES)
    two = classification_scores(truth[order], guess[order], CLASSES)
    np.testing.assert_array_equal(one.pop("recall"), two.pop("recall"))
    assert one == two
