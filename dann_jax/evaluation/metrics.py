"""Scores of one set of predictions: scikit-learn's numbers, counted here.

Its own functions take 10 ms to look at their arguments, and a run asks for the scores
of every replica after every epoch.
"""

from typing import Any

import numpy as np
from jaxtyping import Int, Shaped


def classification_scores(
    truth: Int[np.ndarray, " n"], prediction: Int[np.ndarray, " n"], num_classes: int
) -> dict[str, Any]:
    """WA, UA, macro-F1, recall of each class and the confusion matrix.

    Args:
      truth: int `[n]`, class indices.
      prediction: int `[n]`.
      num_classes: how many classes there are; one that is absent from `truth` has
        recall NaN and does not enter UA or macro-F1.

    Returns:
      `wa`, the share of rows that are right; `ua`, the mean recall of the classes;
      `macro_f1`; `recall` `[classes]`; `confusion` `[truth, prediction]` counts. All
      scores are NaN where there is no row.

    Example:
      >>> truth, guess = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
      >>> scores = classification_scores(truth, guess, 2)
      >>> round(scores["wa"], 3), round(scores["ua"], 3)
      (0.75, 0.833)
    """
    if not len(truth):
        return _not_measured(num_classes)
    pairs = np.ravel_multi_index((truth, prediction), (num_classes, num_classes))
    counts = np.bincount(pairs, minlength=num_classes**2)
    confusion = counts.reshape(num_classes, num_classes)
    hits, said, guessed = np.diagonal(confusion), confusion.sum(1), confusion.sum(0)
    present = np.flatnonzero(said)
    recall = np.full(num_classes, np.nan)
    recall[present] = hits[present] / said[present]
    return {
        "wa": float(hits.sum() / len(truth)),
        "ua": float(np.mean(recall[present])),
        "macro_f1": float(np.mean(2.0 * hits[present] / (said + guessed)[present])),
        "recall": recall.tolist(),
        "confusion": confusion.tolist(),
    }


def _not_measured(num_classes: int) -> dict[str, Any]:
    scores: dict[str, Any] = dict.fromkeys(("wa", "ua", "macro_f1"), float("nan"))
    return scores | {
        "recall": [float("nan")] * num_classes,
        "confusion": np.zeros((num_classes, num_classes), int).tolist(),
    }


def scores_of_confusion(
    confusion: Shaped[np.ndarray, "*some classes classes"],
) -> dict[str, Shaped[np.ndarray, "*some"] | np.floating]:
    """WA, UA and macro-F1 of confusion counts `[..., truth, prediction]`, each `[...]`.

    The same scores as `classification_scores`, for many sums of counts at once (a
    bootstrap draws thousands).
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    truth, guesses = confusion.sum(-1), confusion.sum(-2)
    present = truth > 0
    with np.errstate(invalid="ignore"):
        recall = np.where(present, hits / truth, 0.0)
        f1 = np.where(present, 2.0 * hits / (truth + guesses), 0.0)
    classes = present.sum(-1)
    return {
        "wa": hits.sum(-1) / truth.sum(-1),
        "ua": recall.sum(-1) / classes,
        "macro_f1": f1.sum(-1) / classes,
    }
