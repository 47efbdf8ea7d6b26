"""A choice among candidates, made in every fold by speakers that it trains on.

A candidate is a setting of a run with one of its arms. All of them were trained on the
same folds twice: on inner folds, whose scores choose, and on the folds themselves,
whose tested speakers say what the choice was worth (Varma and Simon, "Bias in
error estimation when using cross-validation for model selection", BMC Bioinformatics 7,
2006).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.plainest import best
from dann_jax.evaluation.seed_averages import averaged_scores
from dann_jax.evaluation.summaries import (
    comparisons,
    fold_counts,
    speaker_counts,
    summarise,
)
from dann_jax.evaluation.verdicts import CHOSEN
from dann_jax.tasks.roles import Protocol
from dann_jax.training.replicas import ReplicaLayout

ORACLE = "oracle: best of each fold in hindsight"


class Candidates(NamedTuple):
    """What all candidates predicted for the tested rows of a protocol.

    Attributes:
      layout: of their replicas; the candidates are its arms, the baseline first.
      rows: int `[n]`, corpus rows.
      logits: float32 `[groups, candidates, n, classes]`, as in `Predictions`.
      replicas: their scores; groups, then candidates.
    """

    layout: ReplicaLayout
    rows: np.ndarray
    logits: np.ndarray
    replicas: Sequence[Mapping[str, Any]]

    def of_folds(self, choice: np.ndarray, name: str) -> "Candidates":
        """One candidate: in each fold that with the index `choice`, int `[F]`."""
        groups = np.arange(self.layout.num_groups)
        chosen = choice[self.layout.fold_of[groups]]
        records = np.array(self.replicas, object).reshape(len(groups), -1)
        return Candidates(
            _with_arms(self.layout, [name]),
            self.rows,
            self.logits[groups, chosen][:, None],
            [{**record, "arm": name} for record in records[groups, chosen]],
        )

    def named(self, names: Sequence[str]) -> "Candidates":
        """The same candidates under other names."""
        records = np.array(self.replicas, object).reshape(-1, len(names))
        return self._replace(
            layout=_with_arms(self.layout, names),
            replicas=[
                {**record, "arm": name}
                for group in records
                for record, name in zip(group, names, strict=True)
            ],
        )


def joined(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of several, in order; folds, seeds and rows are the same."""
    first = parts[0]
    arms = [arm for part in parts for arm in part.layout.arms]
    records = [
        np.array(part.replicas, object).reshape(first.layout.num_groups, -1)
        for part in parts
    ]
    return Candidates(
        _with_arms(first.layout, arms),
        first.rows,
        np.concatenate([part.logits for part in parts], axis=1),
        np.concatenate(records, axis=1).ravel().tolist(),
    )


def _with_arms(layout: ReplicaLayout, arms: Sequence[str]) -> ReplicaLayout:
    """The layout of the same folds and seeds; strengths have been used."""
    return ReplicaLayout(
        layout.folds, layout.seeds, {arm: {} for arm in arms}, layout.mesh
    )


def score_choice(
    candidates: Candidates,
    inner: np.ndarray,
    choice: np.ndarray,
    protocol: Protocol,
    speaker: np.ndarray,
) -> dict[str, Any]:
    """Score the chosen candidates beside the baseline and beside every fixed one.

    Args:
      candidates: on the tested rows.
      inner: UA on inner folds, float `[folds, candidates]`.
      choice: the candidate of each fold, int `[folds]`.
      protocol: of the folds.
      speaker: `[N]`, of every row of the corpus.

    Returns:
      The keys `replicas`, `summary`, `comparisons` and `averaged` of `results.json`,
      with the arm `CHOSEN` after the baseline, and `choice`: what was chosen in each
      fold, by which scores; its differences from every candidate; and the best in
      hindsight.
    """
    names = list(candidates.layout.arms)
    chosen = candidates.of_folds(choice, CHOSEN)
    shown = joined([candidates, chosen])
    arms = [names[0], CHOSEN, *names[1:]]
    counts = _ordered(_speakers(shown, protocol, speaker), arms)
    trainings = _ordered(fold_counts(shown.replicas, shown.layout), arms)
    outer = np.stack([_fold_ua(trainings[name]) for name in names], axis=1)
    hindsight = candidates.of_folds(best(outer), ORACLE)
    bound = _speakers(hindsight, protocol, speaker)
    against = [
        _against(name, [CHOSEN], counts, trainings, metrics=("ua",))[0]
        for name in names
    ]
    summary = summarise(shown.replicas, counts)
    fixed = best(np.array([summary[name]["ua"]["pooled"] for name in names]))
    folds = [
        {
            "fold": fold,
            "candidate": names[choice[index]],
            "inner_ua": dict(zip(names, inner[index].tolist(), strict=True)),
            "outer_ua": dict(zip(names, outer[index].tolist(), strict=True)),
        }
        for index, fold in enumerate(candidates.layout.folds)
    ]
    return {
        "replicas": shown.replicas,
        "summary": summary,
        "comparisons": [
            entry
            # What was chosen is the one question; its p is not of one among many.
            for compared in ([CHOSEN], names[1:])
            for entry in _against(names[0], compared, counts, trainings)
        ],
        **averaged_scores(
            shown.logits, shown.rows, speaker, protocol, shown.layout, arms=arms
        ),
        "choice": {
            "folds": folds,
            "best_fixed": names[fixed],
            "against": against,
            "oracle": {ORACLE: summarise(hindsight.replicas, bound)[ORACLE]},
        },
    }


def _speakers(
    candidates: Candidates, protocol: Protocol, speaker: np.ndarray
) -> dict[str, np.ndarray]:
    return speaker_counts(
        candidates.logits, candidates.rows, speaker, protocol, candidates.layout
    )


def _against(
    baseline: str,
    arms: Sequence[str],
    counts: Mapping[str, np.ndarray],
    trainings: Mapping[str, np.ndarray],
    **options: Any,
) -> list[dict[str, Any]]:
    """`comparisons` of some arms with one of them."""
    names = [baseline, *arms]
    return comparisons(
        _ordered(counts, names), trainings=_ordered(trainings, names), **options
    )


def _ordered(table: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: table[name] for name in names}


def _fold_ua(trainings: np.ndarray) -> np.ndarray:
    """UA of each fold, `[folds]`, of counts `[seeds, folds, classes, classes]`."""
    return scores_of_confusion(trainings.sum(0))["ua"]
