"""How far every way to choose an epoch is from the best one, on real data.

    python -m benchmarks.selection --source=DIR --config=configs/speakers.py:emodb \
        --workdir=runs/selection --output=selection.json --summary=docs/selection.json \
        --config.protocol.validation_folds=4

Trains one run and scores the models of every validated epoch by every criterion and by
the oracle, which knows the test labels. The regret of a criterion is the oracle's UA
minus the UA of the epoch it would keep, for each fold and seed; the rank correlation is
that of its scores with UA over epochs. `python -m benchmarks.studies.pages` writes the
tables of docs/selection.md.
"""

import argparse
import pathlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.selection_tables import table_of_criteria
from benchmarks.studies.numbers import rounded
from dann_jax.cli.config import change_config, load_config
from dann_jax.evaluation.criteria import criterion_scores
from dann_jax.evaluation.resampling import bootstrap_interval
from dann_jax.evaluation.selection import Selector
from dann_jax.evaluation.unsupervised import CRITERIA, ORACLE
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.experiment.train import train
from dann_jax.tasks.task import Task
from dann_jax.training.program import Program
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState
from dann_jax.utils.files import read_json, write_json

VALIDATION = {"source-validation": "ua", "source-validation-loss": "negative_loss"}


class Watch:
    """Notes what every criterion says of every replica, at each validated epoch."""

    def __init__(self, task: Task, layout: ReplicaLayout) -> None:
        self.task, self.layout = task, layout
        self.seen: list[dict[str, np.ndarray]] = []

    def __call__(self, program: Program, state: TrainState) -> None:
        """Score the averaged parameters, which are what a run keeps."""
        run = Run(self.task, self.layout, program)
        found = criterion_scores((*CRITERIA, ORACLE), state.average, run)
        selector = Selector("source-validation", run)
        validated = selector.scores(state)
        found |= {word: validated[name] for word, name in VALIDATION.items()}
        self.seen.append(found)


def study(epochs: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Criterion -> regrets and rank correlations, float `[2, groups, arms]`.

    Args:
      epochs: criterion -> scores `[groups, arms]`, of every validated epoch.
    """
    scores = {word: np.stack([own[word] for own in epochs]) for word in epochs[0]}
    truth = scores[ORACLE]
    scores["last"] = np.broadcast_to(
        np.arange(len(truth), dtype=float)[:, None, None], truth.shape
    )
    found = {}
    for word, values in scores.items():
        # The later of equals, as a run keeps it.
        kept = len(values) - 1 - values[::-1].argmax(0)
        ua = np.take_along_axis(truth, kept[None], 0)[0]
        ranks = np.array(
            [
                _rank(values[:, group, arm], truth[:, group, arm])
                for group, arm in np.ndindex(*kept.shape)
            ]
        ).reshape(kept.shape)
        found[word] = np.stack([truth.max(0) - ua, ranks])
    return found


def _rank(one: np.ndarray, other: np.ndarray) -> float:
    with warnings.catch_warnings():
        # A constant has no ranks: NaN.
        warnings.simplefilter("ignore")
        return float(spearmanr(one, other).statistic)


def summary(
    found: Mapping[str, np.ndarray], layout: ReplicaLayout
) -> dict[str, dict[str, dict[str, Any]]]:
    """Arm -> criterion -> means over folds and seeds, with 95 % intervals over both.

    Returns:
      `regret` in [0, 1], and how much it is `beyond_last`, that of the last epoch in
      the same fold and seed, each `(mean, low, high)`; `rank` in [-1, 1] of the
      replicas that have one, None where none has.
    """
    shape = len(layout.folds), len(layout.seeds)
    return {
        arm: {
            word: {
                "regret": _mean(own[0, :, index].reshape(shape)),
                "beyond_last": _mean(
                    (own[0] - found["last"][0])[:, index].reshape(shape)
                ),
                "rank": _mean_of_known(own[1, :, index]),
            }
            for word, own in found.items()
            if word != ORACLE
        }
        for index, arm in enumerate(layout.arms)
    }


def _mean(values: np.ndarray) -> list[float | None]:
    """Mean of `[folds, seeds]` and its interval, which one fold does not have."""

    def score(who: np.ndarray, which: np.ndarray) -> np.ndarray:
        return values[who, which].mean((-1, -2))

    ends = bootstrap_interval(score, values.shape[1], values.shape[0])
    return rounded(values.mean(), *ends)


def _mean_of_known(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return rounded(known.mean())[0] if len(known) else None


def main(words: Sequence[str]) -> None:
    """Train, score every epoch, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", default="configs/speakers.py:emodb")
    parser.add_argument("--source", required=True)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--summary", help="where the sums of all corpora are kept")
    options, others = parser.parse_known_args(words)
    if pathlib.Path(options.workdir).exists():
        # Going on with it would overlook the epochs before.
        parser.error(f"{options.workdir} has a run already; choose another --workdir")
    config = load_config(options.config)
    source = f"--config.data.source={options.source}"
    change_config(config, ["selection", source, *others])
    task, layout = build_task_and_layout(config)
    watch = Watch(task, layout)
    train(config, task, layout, options.workdir, watch=watch)
    kept = {
        "folds": len(layout.folds),
        "seeds": len(layout.seeds),
        "epochs": len(watch.seen),
        "arms": summary(study(watch.seen), layout),
    }
    epochs = [{k: v.tolist() for k, v in own.items()} for own in watch.seen]
    write_json(pathlib.Path(options.output), {"summary": kept, "epochs": epochs})
    print(table_of_criteria({task.corpus.name: kept}))
    if options.summary:
        path = pathlib.Path(options.summary)
        others_kept = read_json(path) if path.exists() else {}
        write_json(path, others_kept | {task.corpus.name: kept})


if __name__ == "__main__":
    main(sys.argv[1:])
