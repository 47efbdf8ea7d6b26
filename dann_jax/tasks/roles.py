"""A protocol: the folds, one table of roles, and what derives from it."""

import dataclasses
import enum
from typing import NamedTuple

import numpy as np

from dann_jax.types import UNKNOWN

TARGET = "target"
"""The fold that adapts to a target, beside folds that only rehearse that on the source;
see `splits.adapt`."""


class ProtocolError(ValueError):
    """The protocol cannot be built on this corpus, or its result would mislead."""


class Split(NamedTuple):
    """One fold.

    Attributes:
      name: of the fold.
      train: bool `[N]`, rows that may be labelled.
      test: bool `[N]`, rows that are scored.
      adapt: bool `[N]`, rows of the target that are not scored and may be seen in
        training without their labels, or a few of them with (`labelled_target` of
        `assign_roles`).
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    adapt: np.ndarray


class Role(enum.IntEnum):
    """The role of an utterance in one fold."""

    HELD_OUT = 0
    """Not used in this fold."""
    LABELLED = 1
    """Trained on, with its label."""
    UNLABELLED = 2
    """Used in training without its label."""
    VALIDATION = 3
    """From the training side; its label only selects the step to keep."""
    TEST = 4
    """Its label is used for scores only."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The roles of every utterance in every fold, and what they were made from.

    Attributes:
      name: for tables, such as `leave-one-session-out`.
      folds: name of each of the `F` folds.
      roles: int8 `[F, N]` of `Role`.
      labels: the class names.
      label: int32 `[N]`, index into `labels`, `UNKNOWN` where it is none of them.
        Never hand this to a training step: use `erased_labels`.
      test_side: bool `[F, N]`, rows of the side that a fold tests, whatever their
        role.
      adapt_side: bool `[F, N]`, rows that a fold sets aside for adaptation.
      transductive: test and validation rows are seen in training, without labels.
      allowed_leaks: columns in which labelled and test rows share a value, by name.
      label_column: the column of the corpus that the labels are values of.
      open_set: tested rows are of values that no labelled row of their fold has, so
        that they can be compared with each other but not classified.
      targets: the rating columns to predict, where there are no classes to name.
      value: float64 `[N, targets]`, NaN where a row has no such number; None where
        there are no targets. Use `erased_values` in training.
      shares: float64 `[N, labels]`, of the raters of each row who named each class, NaN
        in rows without a label; None where labels are hard. Use `erased_shares` in
        training.
    """

    name: str
    folds: tuple[str, ...]
    roles: np.ndarray
    labels: tuple[str, ...]
    label: np.ndarray
    test_side: np.ndarray
    adapt_side: np.ndarray
    transductive: bool
    allowed_leaks: tuple[str, ...] = ()
    label_column: str = "emotion"
    open_set: bool = False
    targets: tuple[str, ...] = ()
    value: np.ndarray | None = None
    shares: np.ndarray | None = None

    @property
    def kind(self) -> str:
        """`classification`, `verification` of speakers, or `regression` of targets."""
        if self.targets:
            return "regression"
        return "verification" if self.open_set else "classification"

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs of the label head: rating columns, or else classes."""
        return self.targets or self.labels

    @property
    def target_fold(self) -> int | None:
        """The fold `TARGET`; None in a protocol whose folds are all alike."""
        return self.folds.index(TARGET) if TARGET in self.folds else None

    @property
    def rehearsals(self) -> list[int]:
        """All folds but the fold `TARGET`."""
        return [fold for fold in range(len(self.folds)) if fold != self.target_fold]

    def target_roles(self) -> np.ndarray:
        """The roles, `TEST` also for the target of a fold that tests no row, `[F, N]`.

        For whatever looks at tested rows without their labels. The labels of these
        rows are not known, or nobody may use them.
        """
        unscored = ~(self.roles == Role.TEST).any(1, keepdims=True)
        target = unscored & self.adapt_side & (self.roles == Role.UNLABELLED)
        return np.where(target, Role.TEST, self.roles).astype(np.int8)

    def erased_values(self) -> np.ndarray:
        """Ratings for training, `[F, N, targets]`: NaN unless the row is labelled."""
        return self._erased(self.value)

    def erased_shares(self) -> np.ndarray | None:
        """Shares for training, float32 `[F, N, labels]`: NaN unless it is labelled."""
        if self.shares is None:
            return None
        return self._erased(self.shares.astype(np.float32))

    def _erased(self, numbers: np.ndarray) -> np.ndarray:
        return np.where((self.roles == Role.LABELLED)[..., None], numbers, np.nan)

    def erased_labels(self) -> np.ndarray:
        """Labels for training, int32 `[F, N]`: `UNKNOWN` unless the row is labelled."""
        return np.where(self.roles == Role.LABELLED, self.label, UNKNOWN).astype(
            np.int32
        )

    def visible(self, fold: int | slice = slice(None)) -> np.ndarray:
        """Rows that a training step may use, bool `[F, N]`, or `[N]` of a fold."""
        seen = [Role.LABELLED, Role.UNLABELLED]
        if self.transductive:
            seen += [Role.VALIDATION, Role.TEST]
        return np.isin(self.roles[fold], seen)
