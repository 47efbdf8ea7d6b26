"""Means and standard deviations of chosen utterances, of vectors and of frames."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dann_jax.data.frames import Frames

ROUNDING = 1e-6
"""A deviation this much smaller than the mean is float32 rounding."""


class Moments(NamedTuple):
    """Of some utterances.

    Attributes:
      count: vectors or frames among them.
      mean: float64 `[dim]`.
      deviation: float64 `[dim]`.
    """

    count: float
    mean: np.ndarray
    deviation: np.ndarray

    @property
    def scale(self) -> np.ndarray:
        """The deviation, but 1 where it is only rounding, float64 `[dim]`."""
        return or_one(self.mean, self.deviation)


Rows = np.ndarray
"""Chosen utterances: bool `[N]`, or their indices `[n]`."""

Fit = Callable[[Rows], Moments]


def or_one(magnitude: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """The deviations, but 1 where they are rounding errors of such a magnitude.

    Args:
      magnitude: of the values that they are of, `[..., dim]`.
      deviation: float `[..., dim]`.

    Example:
      >>> or_one(np.array([100.0, 0.0]), np.array([1e-5, 1e-5])).tolist()
      [1.0, 1e-05]
    """
    return np.where(deviation <= ROUNDING * np.abs(magnitude), 1.0, deviation)


def moments_of(array: np.ndarray | Frames) -> Fit:
    """A function from chosen utterances to their moments.

    Args:
      array: vectors `[N, dim]`, or frames, of which each counts alike, so that a long
        utterance has more of a say.
    """
    return _of_frames(array) if isinstance(array, Frames) else _of_vectors(array)


def utterance_means(array: np.ndarray | Frames, rows: np.ndarray) -> np.ndarray:
    """A vector for each of these utterances, float64 `[n, dim]`.

    Args:
      array: vectors, which are returned, or frames, whose means are.
      rows: int `[n]`.
    """
    if not isinstance(array, Frames):
        return array[rows].astype(np.float64)
    means = np.zeros((len(rows), array.values.shape[1]))
    for place, row in enumerate(rows):
        means[place] = array.row(row).mean(0, dtype=np.float64)
    return means


def merged(parts: Sequence[Moments]) -> Moments:
    """Moments of all of them together: the law of total variance.

    Example:
      >>> one = Moments(1, np.array([0.0]), np.array([0.0]))
      >>> merged([one, one._replace(mean=np.array([2.0]))]).deviation.tolist()
      [1.0]
    """
    counts, means, deviations = (np.asarray(part) for part in zip(*parts, strict=True))
    share = (counts / counts.sum())[:, None]
    mean = (share * means).sum(0)
    variance = (share * (np.square(deviations) + np.square(means - mean))).sum(0)
    return Moments(float(counts.sum()), mean, np.sqrt(variance))


def _of_vectors(array: np.ndarray) -> Fit:
    def fit(rows: Rows) -> Moments:
        values = array[rows].astype(np.float64)
        return Moments(len(values), values.mean(0), values.std(0))

    return fit


def _of_frames(frames: Frames) -> Fit:
    """The frames are read once, an utterance at a time, whatever the number of folds.

    Chan, Golub and LeVeque's update (COMPSTAT 1982) of scikit-learn would read them
    once a fold; sums of centred values, an utterance each, add up instead.
    """
    centre = frames.row(0).mean(0, dtype=np.float64) if len(frames) else 0.0
    sums = np.zeros((2, len(frames), frames.values.shape[1]))
    for index in range(len(frames)):
        values = frames.row(index) - centre
        sums[:, index] = values.sum(0), np.square(values).sum(0)

    def fit(rows: Rows) -> Moments:
        count = max(int(frames.lengths[rows].sum()), 1)
        mean, square = sums[:, rows].sum(1) / count
        deviation = np.sqrt(np.maximum(square - np.square(mean), 0.0))
        return Moments(count, centre + mean, deviation)

    return fit
