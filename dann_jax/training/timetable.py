"""When things happen in a run: epochs, validations, checkpoints, and when it stops."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from dann_jax.types import Array
from dann_jax.utils.arguments import Count, CountOrNone


@dataclasses.dataclass(frozen=True)
class Timetable:
    """When things happen, in epochs.

    Attributes:
      steps_per_epoch: optimiser steps in an epoch.
      epochs: of the whole run.
      evaluate_every: epochs between validations; the last epoch always has one.
      checkpoint_every: epochs between checkpoints; the last epoch always has one.
      gradients_every: epochs between looks at the gradients in the encoder; the last
        epoch always has one; 0 for never.
      patience: validations after which training stops if none of them was better than
        before for any replica (early stopping; what is kept is the best anyway); 0 for
        never.
    """

    steps_per_epoch: int
    epochs: Count
    evaluate_every: Count = 1
    checkpoint_every: Count = 5
    gradients_every: CountOrNone = 0
    patience: CountOrNone = 0

    def due(self, every: int, epoch: int) -> bool:
        """Whether what happens `every` so many epochs happens after `epoch` of them."""
        return every > 0 and (epoch % every == 0 or epoch == self.epochs)

    def patience_ends(self, step: int, best_step: Array) -> bool:
        """Whether so many validations have passed since any replica became better.

        Args:
          step: that has been taken.
          best_step: of every replica, int32 `[...]`.

        Example:
          >>> timetable = Timetable(steps_per_epoch=10, epochs=30, patience=3)
          >>> timetable.patience_ends(60, np.array([20, 30]))
          True
        """
        wait = self.patience * self.evaluate_every * self.steps_per_epoch
        return bool(wait) and step > 0 and step - int(np.max(best_step)) >= wait

    def in_steps(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The same options, with those named `..._epochs` as `..._steps`.

        A config speaks of epochs, of whose length only a run knows; what is called at
        every step counts steps. More than no epochs are at least one step.

        Example:
          >>> options = {"name": "addi", "pretraining_epochs": 2}
          >>> Timetable(steps_per_epoch=10, epochs=30).in_steps(options)
          {'name': 'addi', 'pretraining_steps': 20}
        """
        converted = dict(options)
        for name in [name for name in converted if name.endswith("_epochs")]:
            epochs = converted.pop(name)
            steps = max(round(epochs * self.steps_per_epoch), int(epochs > 0))
            converted[f"{name.removesuffix('epochs')}steps"] = steps
        return converted
