"""From trained parameters to those that are evaluated and kept."""

import dataclasses

import jax
import numpy as np

from dann_jax.models.heads import with_units
from dann_jax.models.normalisation import merged, normalisations, with_statistics
from dann_jax.tasks.roles import Role
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.run import Run
from dann_jax.types import PyTree


def as_evaluated(params: PyTree, role: Role, run: Run) -> PyTree:
    """Parameters by which rows of `role` are predicted, in the unit of their ratings.

    Training sees targets standardised by the labelled rows of its fold; what comes back
    predicts the targets as the corpus has them. Where there are no targets and no
    statistics to fill in, parameters come back as they are.

    Args:
      params: of every replica, `[groups, arms]`.
      role: of the rows that are to be evaluated.
      run: of the replicas.
    """
    if run.task.units is not None:
        mean, scale = (part[run.layout.fold_of][:, None] for part in run.task.units)
        params = run.layout.put(with_units(params, mean, scale))
    return normalised_for(params, role, run)


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
        total = moments if total is None else _merged(total, moments)
    filled = with_statistics(layout.get(params), jax.tree.map(np.float32, total))
    return layout.put(filled)


def _merged(one: PyTree, other: PyTree) -> PyTree:
    """Moments of all normalisations of a network, merged."""
    return jax.tree.map(merged, one, other, is_leaf=lambda node: "count" in node)
