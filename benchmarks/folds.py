"""Predictions for the rows that folds test: confusion counts, UA and its differences.

Who trained on the folds, and with which library, does not matter here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.studies.numbers import rounded
from dann_jax.data.corpus import Corpus
from dann_jax.evaluation.statistics import compare, interval, pooled
from dann_jax.evaluation.summaries import fold_counts, replica_scores, speaker_counts
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.training.replicas import ReplicaLayout, make_mesh


class Folds(NamedTuple):
    """Folds and seeds of a corpus, whoever trains on them.

    Attributes:
      corpus: the rows.
      protocol: their roles.
      seeds: how many.
      outer: of folds within folds the index of the outer one, int `[folds]`.
    """

    corpus: Corpus
    protocol: Protocol
    seeds: int
    outer: np.ndarray | None = None

    @property
    def tested(self) -> np.ndarray:
        """Rows that any fold tests, int `[n]`."""
        return np.flatnonzero((self.protocol.roles == Role.TEST).any(0))

    def layout(self, arms: Sequence[str]) -> ReplicaLayout:
        """Of these arms; nobody asks for their strengths."""
        names = {arm: {} for arm in arms}
        return ReplicaLayout(self.protocol.folds, range(self.seeds), names, make_mesh())


class Counts(NamedTuple):
    """Confusion counts of one arm.

    Attributes:
      speakers: `[seeds, tested speakers, classes, classes]`.
      folds: `[seeds, folds, classes, classes]`.
    """

    speakers: np.ndarray
    folds: np.ndarray


def counts_of(folds: Folds, logits: np.ndarray) -> Counts:
    """The counts of one arm.

    Args:
      folds: of which they are.
      logits: float `[folds, seeds, tested rows, classes]`, of any number of seeds.
    """
    folds = folds._replace(seeds=logits.shape[1])
    protocol, rows, layout = folds.protocol, folds.tested, folds.layout(["arm"])
    speaker = folds.corpus.column("speaker")
    each = logits.reshape(-1, 1, *logits.shape[2:])
    by_speaker = speaker_counts(each, rows, speaker, protocol, layout)
    by_fold = fold_counts(replica_scores(each, rows, protocol, layout), layout)
    return Counts(by_speaker["arm"], by_fold["arm"])


def ua(counts: Counts) -> list[float]:
    """Pooled UA and the ends of its interval, in [0, 1]; and the number of seeds."""
    table = counts.speakers
    return [*rounded(pooled(table, "ua"), *interval(table, "ua")), len(table)]


def difference(one: Counts, other: Counts) -> list[float]:
    """Paired difference of UA, the ends of its interval, p, and the number of seeds.

    Where one arm has fewer seeds, the others of the other do not count.
    """
    seeds = min(len(one.speakers), len(other.speakers))
    one, other = (Counts(*(each[:seeds] for each in arm)) for arm in (one, other))
    found = compare(
        one.speakers, other.speakers, "ua", trainings=(one.folds, other.folds)
    )
    numbers = rounded(found["difference"], *found["ci95"], found["p_value"])
    return [*numbers, seeds]
