"""A run as if some of its folds alone tested anything."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from dann_jax.tasks.roles import Role
from dann_jax.training.run import Predictions, Run


def tested_by(
    folds: Sequence[int], predictions: Predictions, run: Run
) -> tuple[Predictions, Run]:
    """The predictions of what these folds test, and the run whose others test nothing.

    Args:
      folds: their numbers.
      predictions: of the tested rows of all folds.
      run: that was trained.
    """
    protocol = run.task.protocol
    if len(folds) == len(protocol.folds):
        return predictions, run
    others = ~np.isin(np.arange(len(protocol.folds)), folds)
    hidden = others[:, None] & (protocol.roles == Role.TEST)
    roles = np.where(hidden, np.int8(Role.HELD_OUT), protocol.roles)
    task = dataclasses.replace(
        run.task, protocol=dataclasses.replace(protocol, roles=roles)
    )
    kept = (roles[:, predictions.rows] == Role.TEST).any(0)
    chosen = {
        name: values[:, :, kept]
        for name, values in predictions._asdict().items()
        if name != "rows" and values is not None
    }
    return (
        Predictions(predictions.rows[kept], **chosen),
        dataclasses.replace(run, task=task),
    )
