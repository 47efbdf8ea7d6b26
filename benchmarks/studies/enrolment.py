"""What unlabelled clips of a new person are worth: UA against their number.

    python -m benchmarks.studies.enrolment --data_dir=DATA --draws=20 \
        --output=enrolment.json --figure=docs/adaptation.svg

DATA holds the prepared stores emodb, emovo, ravdess and urdu. In each fold of
`configs/speakers.py` a logistic regression learns from the labelled rows, standardised
by speaker in one of the ways of `data.standardise_kind`. Each tested speaker is then
enrolled, as `Bundle.enrol` does it, by clips that are drawn from all of theirs, and all
of their clips are predicted; who has fewer gives all. UA is pooled over the folds.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

from dann_jax.cli.config import change_config, load_config
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.tasks.moments import moments_of
from dann_jax.tasks.roles import Role
from dann_jax.tasks.speaker_statistics import (
    KINDS,
    Prior,
    Standardisation,
    clips_of,
    speaker_scale,
    with_labelled,
)
from dann_jax.tasks.task import Task
from dann_jax.utils.files import write_json

CORPORA = ("emodb", "emovo", "ravdess", "urdu")
SIZES = (0, 1, 2, 3, 5, 10, 20, 10**6)
"""Clips of the new person; the last is all of them."""

NOTHING = "none"
METHODS = (NOTHING, *KINDS)


def task_of(corpus: str, source: str, method: str) -> Task:
    """The corpus under the protocol of `configs/speakers.py`."""
    config = load_config(f"speakers:{corpus}")
    changes = [f"--config.data.source={source}"]
    if method != NOTHING:
        changes += [
            "--config.data.standardise_by=speaker",
            f"--config.data.standardise_kind={method}",
        ]
    change_config(config, ["enrolment", *changes])
    return build_task_and_layout(config)[0]


def curve(task: Task, draws: int, regularisation: float) -> dict[int, list[float]]:
    """Clips of a tested speaker -> UA of every draw, float in [0, 1]."""
    (name,) = task.corpus.features
    sizes = SIZES if task.standardisation else SIZES[:1]
    answers: dict[tuple[int, int], list[tuple[np.ndarray, np.ndarray]]] = {}
    for fold in range(len(task.protocol.folds)):
        model = fitted(task, name, fold, regularisation)
        for rows in tested_speakers(task, fold):
            for size in sizes:
                once = size == 0 or size >= len(rows)
                for draw in range(draws):
                    # All of them are the same in every draw.
                    if draw == 0 or not once:
                        rng = np.random.default_rng([draw, size, rows[0]])
                        clips = rng.permutation(rows)[:size]
                        found = model.predict(
                            standardised(task, name, fold, rows, clips)
                        )
                    pair = (task.protocol.label[rows], found)
                    answers.setdefault((size, draw), []).append(pair)
    return {
        size: [unweighted_recall(answers[size, draw]) for draw in range(draws)]
        for size in sizes
    }


def fitted(task: Task, name: str, fold: int, regularisation: float) -> Any:
    """A classifier of the fold's labelled rows, as a network would get them."""
    rows = np.flatnonzero(task.protocol.roles[fold] == Role.LABELLED)
    mean, scale = (part[fold] for part in task.training.standardiser[name])
    if task.standardisation:
        own = task.training.feature_domain[rows]
        mean, scale = mean[own], scale[own]
    values = (task.corpus.features[name][rows] - mean) / scale
    model = LogisticRegression(C=regularisation, max_iter=300)
    return model.fit(values, task.protocol.label[rows])


def tested_speakers(task: Task, fold: int) -> list[np.ndarray]:
    """The tested rows of each tested speaker."""
    tested = task.protocol.roles[fold] == Role.TEST
    speaker = task.corpus.column("speaker")
    names = np.unique(speaker[tested])
    return [np.flatnonzero(tested & (speaker == name)) for name in names]


def standardised(
    task: Task, name: str, fold: int, rows: np.ndarray, clips: np.ndarray
) -> np.ndarray:
    """Rows of a speaker `[n, dim]`, by statistics of these of their clips."""
    values = task.corpus.features[name]
    if task.standardisation is None:
        mean, scale = (part[fold] for part in task.training.standardiser[name])
    else:
        prior = task.priors[name][fold]
        mean, scale = enrolled(prior, task.standardisation, values, clips)
    return (values[rows] - mean) / scale


def enrolled(
    prior: Prior, how: Standardisation, values: np.ndarray, clips: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale `[dim]` of a speaker of whom there are these clips."""
    own = clips_of(how, values, moments_of(values), clips) if len(clips) else None
    return with_labelled(prior, speaker_scale(prior, how, own))


def unweighted_recall(answers: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean of the class recalls of all answers together."""
    truth, found = map(np.concatenate, zip(*answers, strict=True))
    return float(recall_score(truth, found, average="macro", zero_division=0.0))


def label_of(size: int) -> str:
    """A number of clips in words."""
    return "all" if size == SIZES[-1] else str(size)


def table(study: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> str:
    """In Markdown: mean UA over draws, and its standard deviation."""
    heads = [label_of(size) for size in SIZES]
    lines = [f"| corpus | statistics | {' | '.join(heads)} |"]
    lines.append("|---" * (2 + len(heads)) + "|")
    for corpus, methods in study.items():
        for method, scores in methods.items():
            cells = []
            for head in heads:
                if head not in scores:
                    cells.append("")
                    continue
                values = 100 * np.array(scores[head])
                spread = (
                    f" ± {values.std():.1f}" if values.size and values.std() else ""
                )
                cells.append(f"{values.mean():.1f}{spread}" if values.size else "")
            lines.append(f"| {corpus} | {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(study: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> Figure:
    """A panel a corpus, a line a method, and no clips at the left."""
    figure = Figure(figsize=(3.2 * len(study), 3.2), layout="constrained")
    panels = figure.subplots(1, len(study), squeeze=False)[0]
    for panel, (corpus, methods) in zip(panels, study.items(), strict=True):
        for method, scores in methods.items():
            means = [100 * float(np.mean(values)) for values in scores.values()]
            if method == NOTHING:
                panel.axhline(means[0], color="grey", ls="--", label="none")
                continue
            panel.plot(range(len(means)), means, marker="o", ms=3, label=method)
        panel.set_xticks(range(len(SIZES)), [label_of(size) for size in SIZES])
        panel.set_title(corpus)
        panel.set_xlabel("unlabelled clips of the new person")
    panels[0].set_ylabel("UA (%)")
    panels[0].legend(fontsize=7)
    return figure


def main(words: Sequence[str]) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--corpora", default=",".join(CORPORA))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--regularisation", type=float, default=0.01)
    parser.add_argument("--output", required=True)
    parser.add_argument("--figure")
    options = parser.parse_args(words)
    study: dict[str, dict[str, dict[str, list[float]]]] = {}
    for corpus in options.corpora.split(","):
        for method in options.methods.split(","):
            task = task_of(corpus, f"{options.data_dir}/{corpus}", method)
            scores = curve(task, options.draws, options.regularisation)
            own = {label_of(size): values for size, values in scores.items()}
            study.setdefault(corpus, {})[method] = own
            print(corpus, method, json.dumps({k: np.mean(v) for k, v in own.items()}))
        write_json(pathlib.Path(options.output), study)
    print(table(study))
    if options.figure:
        draw(study).savefig(options.figure)


if __name__ == "__main__":
    main(sys.argv[1:])
