"""The statistics that evaluated parameters normalise by: a pass over the right rows."""

import dataclasses

import jax
import numpy as np

from dann_jax.models.normalisation import merged, normalisations, with_statistics
from dann_jax.tasks.roles import Role
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.run import Run
from dann_jax.types import PyTree


def normalised_for(params: PyTree, role: Role, run: Run) -> PyTree:
    """Parameters with the statistics by which rows of `role` are to be normalised.

    Exact: they are the moments of the vectors that these very parameters make, without
    dropout, of all rows of `Task.statistics_rows`, added up in double precision. Rows
    beside these are not in the batches at all. Parameters of a network that has no
    such statistics come back as they are.

    Args:
      params: of every replica, `[groups, arms]`.
      role: of the rows that are to be evaluated.
      run: of the replicas.
    """
    if not normalisations(params):
        return params
    task, layout = run.task, run.layout
    rows = task.statistics_rows(role)
    plan = task.plan(rows)
    view = dataclasses.replace(task.evaluation, visible=rows)
    total = None
    for batch in BatchLoader(view, plan, layout, shuffle=False).epoch():
        moments = jax.tree.map(
            np.float64, layout.get(run.program.moments(params, batch))
        )
        total = moments if total is None else _added(total, moments)
    filled = with_statistics(layout.get(params), jax.tree.map(np.float32, total))
    return layout.put(filled)


def _added(one: PyTree, other: PyTree) -> PyTree:
    """Moments of all normalisations of a network, merged."""
    if "count" in one:
        return merged(one, other)
    return {name: _added(one[name], other[name]) for name in one}
