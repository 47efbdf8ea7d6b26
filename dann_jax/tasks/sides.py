"""The sides of a fold, before its rows have roles."""

from typing import NamedTuple

import numpy as np


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
