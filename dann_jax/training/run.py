"""A run as one value: what is learned, by which replicas, through which program."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.program import Program
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.types import UNKNOWN, Batch, Outputs, PyTree


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
    layout: ReplicaLayout
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
        task = self.task
        holds = task.protocol.roles == rows if isinstance(rows, Role) else rows
        plan, chosen = task.plan(holds), np.flatnonzero(holds.any(0))
        loader = BatchLoader(task.evaluation, plan, self.layout, shuffle=False)
        evaluate = self.program.evaluate
        return predict_rows(evaluate, params, loader, rows=chosen, outputs=outputs)


def predict_rows(
    evaluate: Callable[[PyTree, Batch], Outputs],
    params: PyTree,
    loader: BatchLoader,
    *,
    rows: np.ndarray,
    outputs: Sequence[str],
) -> Predictions:
    """As `Run.predict`, of batches that hold these rows and perhaps others.

    Args:
      evaluate: mapped over replicas; outputs are `[groups, arms, B, T, dim]`.
      params: of every replica.
      loader: of the batches of an evaluation.
      rows: int `[n]`, the corpus rows to keep.
      outputs: of `features` and `label_logits` those to keep.
    """
    layout, kept = loader.layout, {}
    place = np.full(loader.num_rows, UNKNOWN)
    place[rows] = np.arange(len(rows))
    for batch in loader.epoch():
        # Only what is wanted leaves the device.
        predicted = evaluate(params, batch)
        predicted = layout.get(
            {"row": batch.row, **{o: getattr(predicted, o) for o in outputs}}
        )
        for output in outputs:
            values = predicted[output]
            if output not in kept:
                shape = (layout.num_groups, values.shape[1], len(rows))
                kept[output] = np.full((*shape, values.shape[-1]), np.nan, np.float32)
            for group in range(layout.num_groups):
                row = predicted["row"][group]
                wanted = (row != UNKNOWN) & (place[row] != UNKNOWN)
                kept[output][group][:, place[row[wanted]]] = values[group][:, wanted]
    return Predictions(rows, **kept)
