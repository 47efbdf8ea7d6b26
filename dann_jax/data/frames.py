"""Features with a time axis: utterances of different length in one long array."""

import dataclasses
import functools

import numpy as np

from dann_jax.types import UNKNOWN


@dataclasses.dataclass(frozen=True, eq=False)
class Frames:
    """Frame features of `N` utterances, one after the other.

    The values may be memory-mapped: only requested rows are read.

    Attributes:
      values: float `[frames of all utterances, dim]`.
      lengths: int64 `[N]`, frames of each utterance.

    Example:
      >>> frames = Frames(np.arange(10.0).reshape(5, 2), np.array([2, 3]))
      >>> len(frames), frames.shape, frames.row(1).shape
      (2, (2, 3, 2), (3, 2))
    """

    values: np.ndarray
    lengths: np.ndarray

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.lengths.sum() != len(self.values):
            raise ValueError(
                f"lengths add up to {self.lengths.sum()} frames, "
                f"the array has shape {self.values.shape}"
            )

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Utterances, frames of the longest, dim."""
        return len(self), int(self.lengths.max(initial=0)), self.values.shape[1]

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Where each utterance begins in `values`, int64 `[N]`."""
        return np.cumsum(self.lengths) - self.lengths

    def row(self, index: int) -> np.ndarray:
        """The frames of one utterance, `[frames, dim]`."""
        start = self.starts[index]
        return self.values[start : start + self.lengths[index]]

    def places(self, rows: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices into `values` of the frames of utterances, cut or padded.

        Args:
          rows: int `[...]`; `UNKNOWN` for no utterance.
          length: of the result; of a longer utterance the middle is kept.

        Returns:
          int `[..., length]`, `UNKNOWN` where there is no frame, and the number of
          frames, int32 `[...]`.
        """
        counts = np.where(rows == UNKNOWN, 0, self.lengths[rows])
        first = self.starts[rows] + np.maximum(counts - length, 0) // 2
        counts = np.minimum(counts, length)[..., None]
        frames = np.arange(length)
        indices = np.where(frames < counts, first[..., None] + frames, UNKNOWN)
        small = len(self.values) <= np.iinfo(np.int32).max
        return (
            indices.astype(np.int32 if small else np.int64),
            counts[..., 0].astype(np.int32),
        )

    def take(self, rows: np.ndarray) -> "Frames":
        """The utterances of these rows `[n]`, in this order, in memory."""
        parts = [self.row(index) for index in rows]
        empty = np.zeros((0, self.values.shape[1]), self.values.dtype)
        return Frames(np.concatenate([empty, *parts]), self.lengths[rows])
