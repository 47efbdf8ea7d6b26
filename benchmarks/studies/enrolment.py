"""What unlabelled clips of a new person are worth: UA against their number.

    python -m benchmarks.studies.enrolment --data_dir=DATA --draws=20 \
        --output=enrolment.json --figure=docs/adaptation.svg

DATA holds the prepared stores emodb, emovo, ravdess and urdu. In each fold of
`configs/speakers.py` a logistic regression learns from the labelled rows, standardised
by speaker in one of the ways of `data.standardise_kind`. Each tested speaker is then
enrolled by clips that are drawn from all of theirs, and all of their clips are
predicted; who has fewer gives all. UA is pooled over the folds.

`--add=FILE` adds what `benchmarks.studies.visible_clips` measured of the adversary.
"""

import argparse
import dataclasses
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score

from benchmarks.studies.clip_curves import (
    NOTHING,
    SIZES,
    draw,
    gains,
    label_of,
    table,
)
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
from dann_jax.utils.files import read_json, write_json

CORPORA = ("emodb", "emovo", "ravdess", "urdu")
METHODS = {NOTHING: "", **{kind: kind for kind in KINDS}, "z shrunk to enrol": "z"}
"""Name of a line -> the kind in training; enrolment is by the same but for the last,
which is what a bundle of kind `z` does."""


def task_of(corpus: str, source: str, method: str) -> Task:
    """The corpus under the protocol of `configs/speakers.py`."""
    config = load_config(f"speakers:{corpus}")
    changes = [f"--config.data.source={source}"]
    if kind := METHODS[method]:
        changes += [
            "--config.data.standardise_by=speaker",
            f"--config.data.standardise_kind={kind}",
        ]
    change_config(config, ["enrolment", *changes])
    task = build_task_and_layout(config)[0]
    if method in KINDS or not kind:
        return task
    shrunk = task.standardisation._replace(kind="shrunk")
    return dataclasses.replace(task, standardisation=shrunk)


def curve(task: Task, draws: int, regularisation: float) -> dict[int, list[float]]:
    """Clips of a tested speaker -> UA of every draw, float in [0, 1]."""
    (name,) = task.corpus.features
    sizes = SIZES if task.standardisation else SIZES[:1]
    answers: dict[tuple[int, int], list[tuple[np.ndarray, np.ndarray]]] = {}
    for fold in range(len(task.protocol.folds)):
        model = fitted(task, name, fold, regularisation)
        for rows in rows_of_speakers(task, fold):
            for size in sizes:
                once = size == 0 or size >= len(rows)
                for number in range(draws):
                    # All of them are the same in every draw.
                    if number == 0 or not once:
                        rng = np.random.default_rng([number, size, rows[0]])
                        clips = rng.permutation(rows)[:size]
                        found = model.predict(
                            standardised(task, name, fold, rows, clips)
                        )
                    pair = (task.protocol.label[rows], found)
                    answers.setdefault((size, number), []).append(pair)
    return {
        size: [unweighted_recall(answers[size, number]) for number in range(draws)]
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


def rows_of_speakers(task: Task, fold: int) -> list[np.ndarray]:
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
    if len(clips) == 1:
        # One clip has no deviation, and z would stand without any.
        moments = own.moments._replace(deviation=prior.scale)
        own = own._replace(moments=moments)
    return with_labelled(prior, speaker_scale(prior, how, own))


def unweighted_recall(answers: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean of the class recalls of all answers together."""
    truth, found = map(np.concatenate, zip(*answers, strict=True))
    return float(recall_score(truth, found, average="macro", zero_division=0.0))


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
    parser.add_argument("--add", help="JSON of benchmarks.studies.visible_clips")
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
    if options.add:
        for corpus, lines in read_json(pathlib.Path(options.add)).items():
            study.setdefault(corpus, {}).update(lines)
    print(table(study), gains(study), sep="\n\n")
    if options.figure:
        draw(study).savefig(options.figure)


if __name__ == "__main__":
    main(sys.argv[1:])
