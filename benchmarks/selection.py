"""How far every way to choose an epoch is from the best one, on real data.

    python -m benchmarks.selection --source=DIR --config=configs/lian2019.py \
        --workdir=runs/selection --output=selection.json \
        --config.protocol.validation_folds=8 --config.seeds=1

Trains one run and scores the models of every validated epoch by every criterion and by
the oracle, which knows the test labels. The regret of a criterion is the oracle's UA
minus the UA of the epoch it would keep, for each fold and seed; the rank correlation is
that of its scores with UA over epochs.
"""

import argparse
import json
import pathlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from dann_jax.cli.config import change_config, load_config
from dann_jax.evaluation.criteria import criterion_scores
from dann_jax.evaluation.selection import Selector
from dann_jax.evaluation.unsupervised import CRITERIA, ORACLE
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.experiment.train import train
from dann_jax.tasks.task import Task
from dann_jax.training.program import Program
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState
from dann_jax.utils.files import write_json

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
    found: Mapping[str, np.ndarray], arms: Sequence[str]
) -> list[dict[str, Any]]:
    """For each arm and criterion, means and deviations over folds and seeds."""
    return [
        {
            "arm": arm,
            "criterion": word,
            "regret": float(values[0, :, index].mean()),
            "regret_std": float(values[0, :, index].std()),
            "rank": _mean_of_known(values[1, :, index]),
            "replicas": int(values.shape[1]),
        }
        for index, arm in enumerate(arms)
        for word, values in found.items()
    ]


def _mean_of_known(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """In Markdown: points of UA that are lost, and the rank correlation, by arm."""
    arms = list(dict.fromkeys(record["arm"] for record in records))
    cells = {(r["arm"], r["criterion"]): r for r in records}
    header = " | ".join(f"{arm}: regret | rank" for arm in arms)
    lines = [f"| criterion | {header} |", "|---" * (1 + 2 * len(arms)) + "|"]
    for word in dict.fromkeys(record["criterion"] for record in records):
        row = []
        for arm in arms:
            own = cells[arm, word]
            row.append(f"{100 * own['regret']:.2f} ± {100 * own['regret_std']:.2f}")
            row.append("" if np.isnan(own["rank"]) else f"{own['rank']:.2f}")
        lines.append(f"| {word} | {' | '.join(row)} |")
    return "\n".join(lines)


def main(words: Sequence[str]) -> None:
    """Train, score every epoch, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", default="configs/speakers.py:emodb")
    parser.add_argument("--source", required=True)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--output", required=True)
    options, others = parser.parse_known_args(words)
    config = load_config(options.config)
    source = f"--config.data.source={options.source}"
    change_config(config, ["selection", source, *others])
    task, layout = build_task_and_layout(config)
    watch = Watch(task, layout)
    train(config, task, layout, options.workdir, watch=watch)
    records = summary(study(watch.seen), list(layout.arms))
    epochs = [{k: v.tolist() for k, v in own.items()} for own in watch.seen]
    write_json(pathlib.Path(options.output), {"summary": records, "epochs": epochs})
    print(table(json.loads(json.dumps(records))))


if __name__ == "__main__":
    main(sys.argv[1:])
