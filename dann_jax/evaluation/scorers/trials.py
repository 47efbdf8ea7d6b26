"""From the features of all replicas to `results.json`: tested speakers are no class.

They are verified: pairs of their utterances are scored, and the errors of every arm are
compared. `classes` has the same for protocols that test the classes they train on.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.effects import concluded
from dann_jax.evaluation.scorers.classes import diagnosed
from dann_jax.evaluation.summaries import over_seeds, replica_records
from dann_jax.evaluation.trials import (
    METRICS,
    ScoredTrials,
    back_end_scores,
    compare_draws,
    error_draws,
    error_rates,
    spread,
)
from dann_jax.evaluation.verification import Trials, make_trials
from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Predictions, Run
from dann_jax.training.state import TrainState

SUBCORPUS = "corpus"
"""The column that both sides of a trial share, and that the probe looks for."""


def score_speakers(
    predictions: Predictions, state: TrainState, run: Run
) -> dict[str, Any]:
    """Verify, probe, summarise and compare the parameters that were kept.

    Args:
      predictions: `features` of the labelled and the tested rows.
      state: of all replicas.
      run: that was trained.

    Returns:
      The keys `labels`, `replicas`, `summary` and `comparisons` of `results.json`, and
      `probed`, the column of the probe. The metrics are errors: less is better.
    """
    task, layout = run.task, run.layout
    trials = [fold_trials(task, fold) for fold in range(len(layout.folds))]
    features, rows = predictions.features, predictions.rows
    scored = score_trials(features, rows, trials, task, layout)
    replicas = replica_errors(scored, task, layout)
    columns = task.corpus.columns
    probed = SUBCORPUS if SUBCORPUS in columns else task.protocol.label_column
    return {
        "labels": list(task.protocol.labels),
        "replicas": diagnosed(replicas, state, run, column=probed),
        "probed": probed,
        **summary_and_comparisons(replicas, scored, layout),
    }


def fold_trials(task: Task, fold: int) -> Trials:
    """Trials of one fold, as corpus rows: tested speakers, no recording twice."""
    protocol, columns = task.protocol, task.corpus.columns
    speaker = task.corpus.column(protocol.label_column)
    roles = protocol.roles[fold]
    usable = roles == Role.TEST
    if "audio_hash" in columns:
        # A recording is the same as its copy whoever speaks.
        usable &= _first_copies(np.where(usable, columns["audio_hash"], ""))
    return make_trials(
        np.where(usable, speaker, ""),
        trained=set(speaker[roles == Role.LABELLED]),
        within=columns.get(SUBCORPUS),
    )


def _first_copies(audio_hash: np.ndarray) -> np.ndarray:
    first = np.unique(audio_hash, return_index=True)[1]
    return np.isin(np.arange(len(audio_hash)), first) | (audio_hash == "")


def score_trials(
    features: np.ndarray,
    rows: np.ndarray,
    trials: Sequence[Trials],
    task: Task,
    layout: ReplicaLayout,
) -> list[ScoredTrials]:
    """What every replica says to the trials of its fold.

    Args:
      features: `[groups, arms, n, width]` for corpus rows `rows` `[n]`.
      rows: int `[n]`, rising.
      trials: of each fold.
      task: whose rows they are.
      layout: of the replicas.
    """
    speaker = task.corpus.column(task.protocol.label_column)
    ids = np.unique(speakers_of(trials, speaker), return_inverse=True)[1]
    ends = np.cumsum([2 * len(of_fold.target) for of_fold in trials])[:-1]
    scored = []
    for fold, (of_fold, sides) in enumerate(
        zip(trials, np.split(ids, ends), strict=True)
    ):
        labelled = task.protocol.roles[fold, rows] == Role.LABELLED
        pair = [np.searchsorted(rows, side) for side in (of_fold.first, of_fold.second)]
        groups = np.flatnonzero(layout.fold_of[: layout.num_groups] == fold)
        by_arm = [
            [
                back_end_scores(
                    own_features[labelled],
                    speaker[rows[labelled]],
                    *(own_features[side] for side in pair),
                )
                for own_features in features[groups, arm]
            ]
            for arm in range(len(layout.arms))
        ]
        scores = {
            word: np.array(
                [[by_back_end[word] for by_back_end in seeds] for seeds in by_arm]
            )
            for word in by_arm[0][0]
        }
        scored.append(ScoredTrials(*np.split(sides, 2), of_fold.target, scores))
    return scored


def speakers_of(trials: Sequence[Trials], speaker: np.ndarray) -> np.ndarray:
    """Who is on each first side of a fold, then on each second; fold by fold."""
    sides = [side for of_fold in trials for side in (of_fold.first, of_fold.second)]
    return speaker[np.concatenate(sides)]


def replica_errors(
    scored: Sequence[ScoredTrials], task: Task, layout: ReplicaLayout
) -> list[dict[str, Any]]:
    """Errors of every replica on the trials of its fold."""
    everybody = np.ones(_num_speakers(scored))
    rates = [error_rates([of_fold], everybody) for of_fold in scored]
    replicas = replica_records(task.protocol, layout)
    for index, replica in enumerate(replicas):
        group, arm = divmod(index, len(layout.arms))
        fold, seed = divmod(group, len(layout.seeds))
        replica["n_trials"] = len(scored[fold].target)
        replica |= {name: float(rates[fold][name][arm, seed]) for name in METRICS}
    return replicas


def summary_and_comparisons(
    replicas: list[dict[str, Any]],
    scored: Sequence[ScoredTrials],
    layout: ReplicaLayout,
) -> dict[str, Any]:
    """The keys `summary` and `comparisons`, from one bootstrap of all arms.

    `pooled` is the mean over folds and seeds: thresholds of different networks cannot
    be pooled. `ci95` of what is not in `DRAWN` is NaN, and no arms are compared in it.
    """
    draws = error_draws(scored, _num_speakers(scored))
    summary: dict[str, Any] = {arm: {} for arm in layout.arms}
    for (index, arm), name in itertools.product(enumerate(layout.arms), METRICS):
        mean_and_std = over_seeds(replicas, arm, name)
        summary[arm][name] = {
            **mean_and_std,
            "pooled": mean_and_std["mean"],
            "ci95": spread(draws[name][index]) if name in draws else [np.nan] * 2,
        }
    return {"summary": summary, "comparisons": _comparisons(summary, draws)}


def _num_speakers(scored: Sequence[ScoredTrials]) -> int:
    return 1 + max(max(of_fold.first.max(), of_fold.second.max()) for of_fold in scored)


def _comparisons(
    summary: Mapping[str, Any], draws: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Every arm against the first one."""
    baseline, *others = summary
    return concluded(
        [
            {
                "arm": arm,
                "against": baseline,
                "metric": name,
                "difference": summary[arm][name]["pooled"]
                - summary[baseline][name]["pooled"],
                **compare_draws(draws[name][index], draws[name][0]),
            }
            for index, arm in enumerate(others, start=1)
            for name in draws
        ]
    )
