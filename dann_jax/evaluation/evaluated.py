"""From trained parameters to those that are evaluated and kept."""

from dann_jax.evaluation.norm_statistics import normalised_for
from dann_jax.models.heads import with_units
from dann_jax.tasks.roles import Role
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
