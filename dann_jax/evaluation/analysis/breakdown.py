"""For whom a run works: scores by speaker and by group, recalls, confusions."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.evaluation.analysis.raters import AGREEMENT, with_agreement
from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.summaries import speaker_counts
from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.training.run import Run

GROUPS = ("gender", "language", "corpus")
"""The columns whose values are scored apart, beside what raters agree on."""


def breakdown(logits: np.ndarray, rows: np.ndarray, run: Run) -> dict[str, Any]:
    """The keys `speakers`, `groups`, `classes` and `confusion` of `analysis.json`.

    Each score is of all rows of a speaker or a group that some fold tests, averaged
    over seeds; UA is over the classes that there are.

    Args:
      logits: `[groups, arms, n, labels]` for corpus rows `rows` `[n]`.
      rows: int `[n]`, those that some fold tests.
      run: whose rows they are.
    """
    task = run.task
    corpus = with_agreement(task.corpus)

    def counted(column: str) -> dict[str, np.ndarray]:
        values = corpus.column(column)
        return speaker_counts(logits, rows, values, task.protocol, run.layout)

    by_speaker = counted("speaker")
    groups = [
        record
        for column in (*GROUPS, AGREEMENT)
        if column in corpus.columns and len(np.unique(corpus.column(column)[rows])) > 1
        for record in group_records(corpus, rows, column, counted(column))
    ]
    return {
        "speakers": speaker_records(corpus, rows, by_speaker),
        "groups": groups,
        **confusions(by_speaker),
    }


def speaker_records(
    corpus: Corpus, rows: np.ndarray, counts: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """One record for each tested speaker, with what is known of them.

    Args:
      corpus: the columns.
      rows: int `[n]`, those that are tested.
      counts: arm -> `[seeds, speakers, classes, classes]`, speakers in sorted order.
    """
    speaker = corpus.column("speaker")[rows]
    records = []
    for place, name in enumerate(np.unique(speaker)):
        rows_of_speaker = rows[speaker == name]
        known = {column: _only(corpus, column, rows_of_speaker) for column in GROUPS}
        records.append(
            {
                "speaker": str(name),
                **known,
                "rows": len(rows_of_speaker),
                "scores": _scores(counts, place),
            }
        )
    return records


def group_records(
    corpus: Corpus, rows: np.ndarray, column: str, counts: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """One record for each value of a column, but for the empty one.

    Args:
      corpus: the columns.
      rows: int `[n]`, those that are tested.
      column: whose values they are.
      counts: arm -> `[seeds, values, classes, classes]`, values in sorted order.
    """
    values, speaker = corpus.column(column)[rows], corpus.column("speaker")[rows]
    return [
        {
            "column": column,
            "value": str(value),
            "rows": int((values == value).sum()),
            "speakers": len(np.unique(speaker[values == value])),
            "scores": _scores(counts, place),
        }
        for place, value in enumerate(np.unique(values))
        if value
    ]


def _only(corpus: Corpus, column: str, rows: np.ndarray) -> str | None:
    """The value that all of the rows share, if they do."""
    values = np.unique(corpus.columns[column][rows]) if column in corpus.columns else []
    return str(values[0]) if len(values) == 1 and values[0] else None


def _scores(
    counts: Mapping[str, np.ndarray], place: int
) -> dict[str, dict[str, float]]:
    scores = {
        arm: scores_of_confusion(table[:, place]) for arm, table in counts.items()
    }
    return {
        arm: {name: float(of_arm[name].mean()) for name in ("wa", "ua")}
        for arm, of_arm in scores.items()
    }


def confusions(counts: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The keys `classes` (recall of each, None of one without rows) and `confusion`.

    Args:
      counts: arm -> `[seeds, speakers, classes, classes]`; the result is their mean
        over seeds.
    """
    classes, confusion = {}, {}
    for arm, table in counts.items():
        mean = table.sum(1).mean(0)
        truth = mean.sum(-1)
        confusion[arm] = mean.tolist()
        classes[arm] = [
            float(mean[k, k] / rows) if rows else None for k, rows in enumerate(truth)
        ]
    return {"classes": classes, "confusion": confusion}


def describe_data(task: Task) -> dict[str, Any]:
    """How many rows there are, of whom and of what, and how the features were made."""
    corpus, protocol = task.corpus, task.protocol
    label = protocol.label
    return {
        "corpus": corpus.name,
        "rows": len(corpus),
        "speakers": len(np.unique(corpus.column("speaker"))),
        "labels": {
            word: int((label == index).sum())
            for index, word in enumerate(protocol.labels)
        },
        "roles": {
            fold: {role.name.lower(): int((roles == role).sum()) for role in Role}
            for fold, roles in zip(protocol.folds, protocol.roles, strict=True)
        },
        "provenance": dict(corpus.provenance),
    }
