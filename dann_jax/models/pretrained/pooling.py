"""From the frames of a recording to its features, chunk by chunk if it is long."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from dann_jax.models.frames import frame_mask
from dann_jax.types import Array

POOLINGS = ("mean", "mean_std", "frames")
"""Mean over real frames; mean and standard deviation; the frames themselves."""


class Moments(NamedTuple):
    """What is known of some frames; that of two chunks is that of both.

    Attributes:
      count: `[B]`, real frames.
      mean: float32 `[B, ..., D]`, over them.
      squares: float32 `[B, ..., D]`, sum of the squared differences from the mean.
    """

    count: Array
    mean: Array
    squares: Array


def frame_moments(hidden: Array, num_frames: Array) -> Moments:
    """Moments over the real frames of a padded batch.

    Args:
      hidden: float `[B, L, T, D]`, of `L` layers.
      num_frames: int `[B]`, at least 1.

    Returns:
      The moments; mean and squares are float32 `[B, L, D]`.

    Example:
      >>> hidden = jnp.array([1.0, 3.0, 99.0]).reshape(1, 1, 3, 1)
      >>> moments = frame_moments(hidden, jnp.array([2]))
      >>> moments.mean.item(), moments.squares.item()
      (2.0, 2.0)
    """
    real = frame_mask(num_frames, hidden.shape[2])[:, None, :, None]
    hidden = hidden.astype(jnp.float32)
    mean = jnp.mean(hidden, axis=2, where=real, keepdims=True)
    squares = jnp.sum(jnp.square(hidden - mean), axis=2, where=real)
    return Moments(num_frames, mean[:, :, 0], squares)


def merge(chunks: Sequence[Moments]) -> Moments:
    """The moments of all frames of a recording, from those of its chunks, in float64.

    Reference: Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance",
    The American Statistician 1983.

    Args:
      chunks: at least one; arrays without the axis `B`, or all with the same.

    Example:
      >>> first = Moments(np.array(1), np.array([1.0]), np.array([0.0]))
      >>> last = Moments(np.array(2), np.array([4.0]), np.array([2.0]))
      >>> count, mean, squares = merge([first, last])
      >>> int(count), mean.tolist(), squares.tolist()
      (3, [3.0], [8.0])
    """
    count, mean, squares = (np.asarray(part, np.float64) for part in chunks[0])
    for chunk in chunks[1:]:
        more, other, others = (np.asarray(part, np.float64) for part in chunk)
        total = count + more
        gap = other - mean
        mean = mean + gap * (more / total)
        squares = squares + others + gap**2 * (count * more / total)
        count = total
    return Moments(count, mean, squares)


def pooled(moments: Moments, pooling: str) -> np.ndarray:
    """The features that moments make; the standard deviation is of the population.

    Args:
      moments: of one recording.
      pooling: `mean` or `mean_std`.

    Returns:
      float32 `[..., D]`, or `[..., 2 D]` with the deviations behind the means.

    Example:
      >>> pooled(Moments(2, np.array([3.0]), np.array([8.0])), "mean_std").tolist()
      [3.0, 2.0]
    """
    mean = np.asarray(moments.mean, np.float32)
    if pooling == "mean":
        return mean
    deviation = np.sqrt(np.asarray(moments.squares, np.float64) / moments.count)
    return np.concatenate([mean, deviation.astype(np.float32)], axis=-1)
