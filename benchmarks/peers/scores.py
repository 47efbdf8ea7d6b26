"""From predictions of both sides to UA, gains and contrasts, as plain numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.folds import Counts, Folds, difference, ua
from dann_jax.evaluation.plainest import best, inner_counts, inner_scores
from dann_jax.training.run import Predictions


def choice_of(folds: Folds, logits: np.ndarray) -> np.ndarray:
    """Index of the candidate that the inner folds of each fold choose, int `[folds]`.

    Args:
      folds: the inner ones.
      logits: float `[groups, candidates, rows, classes]` of what they hold out.
    """
    assert folds.outer is not None
    counts = inner_counts(
        Predictions(folds.tested, label_logits=logits),
        folds.protocol,
        folds.layout([str(index) for index in range(logits.shape[1])]),
        folds.outer,
        folds.corpus.column("speaker"),
    )
    return best(inner_scores(counts))


CONTRASTS = {
    "all of it: our speakers .3, against skada's DANN as it comes": (
        "ours speakers .3",
        "skada DANN as it comes, defaults",
    ),
    "a domain head that works, against the one that comes (skada, defaults)": (
        "skada DANN, defaults",
        "skada DANN as it comes, defaults",
    ),
    "tuning, against defaults (skada, working head)": (
        "skada DANN, tuned",
        "skada DANN, defaults",
    ),
    "what else differs: our two domains .3, against skada's DANN, defaults": (
        "ours two domains .3",
        "skada DANN, defaults",
    ),
    "what else differs: our two domains .3, against skada's DANN, tuned": (
        "ours two domains .3",
        "skada DANN, tuned",
    ),
    "K-way head: our speakers, against our two domains, both at .3": (
        "ours speakers .3",
        "ours two domains .3",
    ),
    "K-way head: our speakers .3, against our two domains at 1": (
        "ours speakers .3",
        "ours two domains 1",
    ),
    "tested rows: our speakers .3 with them, against without": (
        "ours speakers .3",
        "ours speakers .3, inductive",
    ),
    "what is left: our speakers .3, against skada's DANN, defaults": (
        "ours speakers .3",
        "skada DANN, defaults",
    ),
    "what is left after tuning: our speakers .3, against skada's DANN, tuned": (
        "ours speakers .3",
        "skada DANN, tuned",
    ),
    "what is left after tuning: our speakers .3, against skada's CDAN, tuned": (
        "ours speakers .3",
        "skada CDAN, tuned",
    ),
    "what is left after tuning: our speakers .3, against skada's MCC, tuned": (
        "ours speakers .3",
        "skada MCC, tuned",
    ),
}
"""Question -> the two arms whose difference answers it."""


def record_of(arms: Mapping[str, Counts]) -> dict[str, Any]:
    """UA of each arm, its gain over the source-only of its own side, and contrasts."""
    record: dict[str, Any] = {"ua": {}, "gain": {}, "contrasts": {}}
    for name, counts in arms.items():
        record["ua"][name] = ua(counts)
        against = baseline_of(name)
        if against in arms and against != name:
            record["gain"][name] = difference(counts, arms[against])
    for question, (one, other) in CONTRASTS.items():
        if one in arms and other in arms:
            record["contrasts"][question] = difference(arms[one], arms[other])
    return record


def baseline_of(name: str) -> str:
    """The source-only arm that an arm's gain is over.

    Example:
      >>> baseline_of("skada MCC, tuned"), baseline_of("ours speakers .3")
      ('skada SourceOnly, tuned', 'ours source-only')
    """
    if name.startswith("ours"):
        inductive = ", inductive" if name.endswith(", inductive") else ""
        return f"ours source-only{inductive}"
    return f"skada SourceOnly, {name.rpartition(', ')[2]}"
