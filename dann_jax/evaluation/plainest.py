"""Which candidate to take: the best on speakers held out, or the plainest as good.

A few speakers do not tell candidates apart that are a point from each other, and of
these a plain one is the safer. The rule of one standard error is that of Breiman,
Friedman, Olshen and Stone, "Classification and Regression Trees", 1984, section 3.4.3;
here the error is that of the paired difference.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.resampling import bootstrap_draws
from dann_jax.evaluation.summaries import group_counts
from dann_jax.tasks.roles import Protocol
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Predictions


def inner_counts(
    predictions: Predictions,
    protocol: Protocol,
    layout: ReplicaLayout,
    outer: np.ndarray,
    speaker: np.ndarray,
) -> np.ndarray:
    """Confusion counts of held-out speakers, by outer fold and arm.

    Args:
      predictions: `label_logits` of the rows that inner folds test.
      protocol: of the inner folds.
      layout: of their replicas.
      outer: index of the outer fold of each inner one, int `[inner folds]`.
      speaker: `[N]`, of every row of the corpus.

    Returns:
      Float `[outer folds, arms, speakers, classes, classes]`, all seeds together;
      zero where a speaker is not held out.
    """
    logits = predictions.label_logits
    assert logits is not None
    tables = group_counts(logits, predictions.rows, speaker, protocol, layout)
    counts = np.zeros((outer.max() + 1, *tables.shape[1:]))
    np.add.at(counts, outer[layout.fold_of[: len(tables)]], tables)
    return counts


def inner_scores(counts: np.ndarray) -> np.ndarray:
    """UA of each arm on the inner folds of each outer one, float `[outer folds, arms]`.

    All inner folds and seeds of an outer fold are pooled, so that each of its training
    speakers counts once a seed.

    Args:
      counts: as from `inner_counts`.
    """
    return np.asarray(scores_of_confusion(counts.sum(2))["ua"])


def best(scores: np.ndarray) -> np.ndarray:
    """Index of the best score along the last axis; of equal ones the first.

    Args:
      scores: float `[..., candidates]`, higher is better; rounding is no difference.

    Example:
      >>> best(np.array([[0.5, 0.7, 0.7], [0.9, 0.1, 0.2]])).tolist()
      [1, 0]
    """
    return np.round(scores, 9).argmax(-1)


def chosen(counts: np.ndarray, rule: str, plain: Sequence[Any]) -> np.ndarray:
    """Index of the candidate to take in each fold, int `[folds]`.

    Args:
      counts: of speakers held out, `[folds, candidates, speakers, classes, classes]`.
      rule: `best`, by UA; or `plainest`, of all whose UA is within one standard error
        of the best, the plainest. The error is that of the paired difference, by a
        bootstrap over the speakers.
      plain: of each candidate how far it is from plain, numbers or tuples of them,
        `[candidates]`; of equal ones the first is the plainer.

    Example:
      >>> right = np.array([[9, 10, 10], [9, 9, 9], [10, 10, 8]])  # of 10, by speaker
      >>> counts = np.zeros((1, 3, 3, 2, 2))
      >>> counts[0, :, :, 0, 0], counts[0, :, :, 0, 1] = right, 10 - right
      >>> chosen(counts, "best", [2, 1, 0]), chosen(counts, "plainest", [2, 1, 0])
      (array([0]), array([2]))
    """
    scores = inner_scores(counts)
    choice = best(scores)
    if rule == "best":
        return choice
    for fold, top in enumerate(choice):
        behind = scores[fold, top] - scores[fold]
        alike = behind <= _errors(counts[fold], top) + 1e-9
        near = np.flatnonzero(alike).tolist()
        choice[fold] = min(near, key=lambda index: plain[index])
    return choice


def _errors(counts: np.ndarray, top: int) -> np.ndarray:
    """Standard error of how far each candidate is behind one, float `[candidates]`.

    Zero where one speaker was held out, who says nothing of others.
    """
    counts = counts[:, counts[top].any((1, 2))]
    if counts.shape[1] < 2:
        return np.zeros(len(counts))

    def behind(who: np.ndarray, which: np.ndarray) -> np.ndarray:
        drawn = counts[:, (who + 0 * which)[..., 0, :]].sum(-3)
        ua = np.asarray(scores_of_confusion(drawn)["ua"])
        return ua[top] - ua

    return np.nanstd(bootstrap_draws(behind, 1, counts.shape[1]), axis=-1)
