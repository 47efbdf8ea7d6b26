"""Where else the metrics of a run go: TensorBoard, or a tracker of the user's own."""

from collections.abc import Callable, Mapping
from typing import Protocol


class Tracker(Protocol):
    """Takes the scalars of a run, step by step."""

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Note scalars, `ARM/NAME -> value`, after so many optimiser steps."""
        ...

    def close(self) -> None:
        """The training has ended, or was stopped; the same command may go on."""
        ...


MakeTracker = Callable[[str, int], Tracker]
"""`(work directory, step)` -> a tracker of the run there.

`config.json` lies in the directory. A run that goes on begins after the step: what was
written later, by the process that was stopped, comes again.
"""


class TensorBoard:
    """Event files in `tensorboard/` of the work directory, by tensorboardX.

    Raises:
      ValueError: tensorboardX is not installed.
    """

    def __init__(self, directory: str, resume_step: int) -> None:
        # Most runs do without, and it takes a moment.
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ValueError(
                f"{error}: python -m pip install 'dann_jax[tensorboard]'"
            ) from None
        self._board = SummaryWriter(
            f"{directory}/tensorboard",
            purge_step=resume_step + 1 if resume_step else None,
        )

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._board.add_scalar(name, value, step)
        self._board.flush()

    def close(self) -> None:
        self._board.close()


TRACKERS: Mapping[str, MakeTracker] = {"tensorboard": TensorBoard}
"""The word of `dann-train --tracker` -> what makes the tracker."""
