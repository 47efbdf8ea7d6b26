"""Maps of the same rows as given and as every arm encodes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.analysis.options import COLUMNS
from dann_jax.evaluation.analysis.sample import Sample
from dann_jax.evaluation.maps import project
from dann_jax.tasks.roles import Role
from dann_jax.training.run import Run

_SHOWN = (*COLUMNS, "session", "style")
"""The columns that a map may be coloured by."""


def map_records(sample: Sample, run: Run, words: Sequence[str]) -> dict[str, Any]:
    """Points of the first replica of the sample, rounded; what each row is, beside.

    Args:
      sample: what is drawn.
      run: whose rows they are.
      words: of `PROJECTIONS`; one that is not installed is left out.

    Returns:
      The key `maps` of `analysis.json`; empty without words.
    """
    if not words:
        return {}
    where, *_ = sample.names(run.layout)
    points: dict[str, dict[str, Any]] = {}
    for index, arm in enumerate(run.layout.arms):
        places = {"encoder": sample.features[0, index]}
        if not index:
            # The input is the same for every arm.
            places = {"input": sample.inputs, **places}
        points[arm] = {
            name: _drawn(features, words) for name, features in places.items()
        }
    return {"rows": _described(sample, run), **where, "points": points}


def _drawn(features: np.ndarray, words: Sequence[str]) -> dict[str, list]:
    maps = {word: project(features, word) for word in words}
    return {
        word: [[float(f"{x:.4g}") for x in point] for point in points]
        for word, points in maps.items()
        if points is not None
    }


def _described(sample: Sample, run: Run) -> dict[str, list[str]]:
    corpus, fold = run.task.corpus, run.layout.fold_of[sample.groups[0]]
    columns = {"utt_id": corpus.column("utt_id")}
    for name in _SHOWN:
        if name in corpus.columns and len(np.unique(corpus.column(name))) > 1:
            columns[name] = corpus.column(name)
    roles = run.task.protocol.roles[fold, sample.rows]
    rows = {name: values[sample.rows].tolist() for name, values in columns.items()}
    return {**rows, "role": [Role(role).name.lower() for role in roles]}
