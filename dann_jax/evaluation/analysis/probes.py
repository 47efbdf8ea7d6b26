"""Fresh probes and proxy A-distances of a sample, a record for each arm and place."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.analysis.sample import Sample
from dann_jax.evaluation.divergence import proxy_a_distance
from dann_jax.evaluation.probe import probe
from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.training.run import Run
from dann_jax.types import UNKNOWN

_KINDS = {"linear": "logistic", "network": "network"}
_MOST_DOMAINS = 12
"""One against the rest, of more domains, would take longer than it is worth."""


def probe_records(
    sample: Sample, columns: Mapping[str, np.ndarray], run: Run
) -> list[dict[str, Any]]:
    """Accuracy of fresh probes over replicas, beside what chance gives.

    Rows that the network learned from are among those probed: their emotion is found
    more often than that of tested rows, and the scores of a run are what counts there.

    Args:
      sample: what is probed.
      columns: name -> values `[N]` of all rows of the corpus.
      run: whose rows they are.

    Returns:
      A record for each arm, place, column and kind of probe; the input is the same for
      every arm. None where a column cannot be probed: fewer than two of its values
      have rows of three groups.
    """
    records = []
    for column, values in columns.items():
        grouped_by, groups = _groups(run.task, column, sample.rows)
        for kind, word in _KINDS.items():
            options = {"kind": kind, "groups": groups, "rows": len(sample.rows)}
            names = {"column": column, "probe": word, "grouped_by": grouped_by}
            records += [
                {**names, **record}
                for record in _of_arms(sample, values[sample.rows], run, options)
            ]
    return records


def _groups(
    task: Task, column: str, rows: np.ndarray
) -> tuple[str | None, np.ndarray | None]:
    """What a probe may not have on both sides, or it learns who or where that is."""
    if column != "speaker":
        return "speaker", task.corpus.column("speaker")[rows]
    if "dialogue" not in task.corpus.columns:
        return None, None
    dialogue = task.corpus.column("dialogue")[rows]
    alone = np.array([f"\0{row}" for row in rows])
    return "dialogue", np.where(dialogue == "", alone, dialogue)


def _of_arms(
    sample: Sample, target: np.ndarray, run: Run, options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    def probed(features: np.ndarray) -> dict[str, float]:
        return probe(features, target, **options)

    given = probed(sample.inputs)
    if given["classes"] < 2:
        return []
    records = []
    for index, arm in enumerate(run.layout.arms):
        by_place = {"input": [given]}
        for replica in range(len(sample.groups)):
            for place, features in sample.places(replica, index).items():
                by_place.setdefault(place, []).append(probed(features))
        records += [
            {"arm": arm, "place": place, **_over_replicas(several)}
            for place, several in by_place.items()
        ]
    return records


def _over_replicas(several: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    scores = [one["score"] for one in several]
    return {
        "accuracy": float(np.mean(scores)),
        "std": float(np.std(scores)),
        "chance": float(np.mean([one["chance"] for one in several])),
        "chance_p95": float(np.mean([one["chance_p95"] for one in several])),
        "classes": int(several[0]["classes"]),
        "rows": int(several[0]["rows"]),
        "replicas": len(several),
    }


def a_distance_records(sample: Sample, run: Run) -> list[dict[str, Any]]:
    """How far the two sides, and an adversary's domains, lie apart in the encoder.

    Args:
      sample: what is measured.
      run: whose rows they are.

    Returns:
      For every arm a record of the labelled against the tested rows of each replica's
      fold, as adversary `side`; and one of each adversary of up to twelve domains.
    """
    records = []
    for index, arm in enumerate(run.layout.arms):
        for name, between in _distances(run.task).items():
            distances = [
                proxy_a_distance(
                    sample.features[replica, index],
                    _domain(run.task, name, run.layout.fold_of[group], sample.rows),
                    rows=len(sample.rows),
                )
                for replica, group in enumerate(sample.groups)
            ]
            if np.isfinite(distances).any():
                spread = {
                    "value": float(np.nanmean(distances)),
                    "std": float(np.nanstd(distances)),
                }
                record = {"arm": arm, "adversary": name, **spread, "between": between}
                records.append(record)
    return records


def _distances(task: Task) -> dict[str, str]:
    """What is measured -> what it is between."""
    between = {"side": "labelled and test rows"}
    for name, count in task.num_domains.items():
        if count <= _MOST_DOMAINS and name not in between:
            between[name] = f"each of {count} domains and the others"
    return between


def _domain(task: Task, name: str, fold: int, rows: np.ndarray) -> np.ndarray:
    """Domains as words, empty where a row takes no part."""
    if name == "side":
        words = {Role.LABELLED: "labelled", Role.TEST: "test"}
        return np.array(
            [words.get(role, "") for role in task.protocol.target_roles()[fold, rows]]
        )
    ids = task.training.domain[name][fold, rows]
    return np.where(ids == UNKNOWN, "", ids.astype(str))
