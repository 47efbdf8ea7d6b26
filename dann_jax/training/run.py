"""A run as one value: what is learned, by which replicas, through which program."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.training.predict import predict_several
from dann_jax.training.program import Program
from dann_jax.training.replicas import Layout
from dann_jax.types import PyTree


class Predictions(NamedTuple):
    """Outputs of all replicas for some rows of the corpus.

    Attributes:
      rows: int `[n]`, corpus rows, rising.
      features: float32 `[groups, arms, n, width]`, without fillers; NaN for a row that
        was not asked for in a group's fold. None where features were not asked for.
      label_logits: the same, `[groups, arms, n, labels]`.
    """

    rows: np.ndarray
    features: np.ndarray | None = None
    label_logits: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What every function of a trained or training network needs to know.

    Attributes:
      task: what is learned.
      layout: of the replicas that learn it.
      program: what they run.
    """

    task: Task
    layout: Layout
    program: Program

    def predict(
        self, params: PyTree, rows: Role | np.ndarray, outputs: Sequence[str]
    ) -> Predictions:
        """Outputs for chosen rows, each within its whole dialogue, without dropout.

        Args:
          params: of every replica, `[groups, arms]`, as evaluated.
          rows: which rows of each fold, bool `[F, N]`; or the role that they have.
          outputs: of `features` and `label_logits` those to keep.
        """
        if isinstance(rows, Role):
            rows = self.task.protocol.roles == rows
        chosen = np.flatnonzero(rows.any(0))
        found = predict_several(
            self.program.evaluate,
            params,
            outputs=outputs,
            plan=self.task.plan(rows),
            assemble=self.task.evaluation,
            layout=self.layout,
            rows=chosen,
        )
        return Predictions(chosen, **found)
