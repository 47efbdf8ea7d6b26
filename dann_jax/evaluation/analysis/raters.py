"""How far the raters of a corpus agree, and which rows they agree on."""

import dataclasses
from typing import Any

import numpy as np
from scipy import stats

from dann_jax.data.corpus import Corpus
from dann_jax.data.raters import VOTES, read_votes
from dann_jax.tasks.task import Task
from dann_jax.types import UNKNOWN

AGREEMENT = "raters"
"""The column of `with_agreement`."""


def vote_entropy(votes: str) -> float:
    """Entropy of what raters say of one row, in bits: 0 where all agree.

    Args:
      votes: as `raters.read_votes` reads them; NaN where there are none.

    Example:
      >>> vote_entropy("anger:2"), vote_entropy("anger:1;sadness:1")
      (0.0, 1.0)

    Reference: Steidl et al., "Of All Things the Measure Is Man", ICASSP 2005, for the
    entropy of raters as what a classifier can be measured by.
    """
    weights = [*read_votes(votes).values()]
    return float(stats.entropy(weights, base=2)) if weights else float("nan")


def with_agreement(corpus: Corpus) -> Corpus:
    """The corpus with a column that says whether all raters of a row agree.

    One without votes comes back as it is.
    """
    if VOTES not in corpus.columns:
        return corpus
    entropy = _entropies(corpus)
    agreement = np.where(entropy == 0, "all agree", "they differ")
    agreement = np.where(np.isnan(entropy), "", agreement)
    columns = {**corpus.columns, AGREEMENT: agreement}
    return dataclasses.replace(corpus, columns=columns)


def rater_records(task: Task) -> dict[str, Any]:
    """The key `raters` of `analysis.json`; empty where the corpus has no votes.

    Of all rows with votes, of those of each class, and of those without a label (ties,
    and emotions that are no classes): how many there are, their mean entropy in bits,
    and the share that all raters agree on.
    """
    if VOTES not in task.corpus.columns:
        return {}
    entropy, label = _entropies(task.corpus), task.protocol.label
    voted = ~np.isnan(entropy)
    return {
        "learned": task.protocol.shares is not None,
        "all": _summary(entropy[voted]),
        "classes": {
            name: _summary(entropy[voted & (label == index)])
            for index, name in enumerate(task.protocol.labels)
        },
        "unlabelled": _summary(entropy[voted & (label == UNKNOWN)]),
    }


def _summary(entropy: np.ndarray) -> dict[str, Any]:
    if not len(entropy):
        return {"rows": 0, "entropy": None, "agree": None}
    agree = float((entropy == 0).mean())
    return {"rows": len(entropy), "entropy": float(entropy.mean()), "agree": agree}


def _entropies(corpus: Corpus) -> np.ndarray:
    values, index = np.unique(corpus.columns[VOTES], return_inverse=True)
    return np.array([vote_entropy(value) for value in values.tolist()])[index]
