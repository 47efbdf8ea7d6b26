"""WavLM's relative positions: one value a head for each distance of two frames."""

import math

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.typing import DTypeLike

from dann_jax.types import Array


class RelativePositions(nn.Module):
    """A bias for each pair of frames, `[heads, T, T]`, that depends on their distance.

    Reference: Chen et al., "WavLM: Large-Scale Self-Supervised Pre-Training for Full
    Stack Speech Processing", JSTSP 2022; buckets as in Raffel et al., "Exploring the
    Limits of Transfer Learning with a Unified Text-to-Text Transformer", JMLR 2020.

    Attributes:
      heads: attention heads.
      buckets: distances that are told apart, both directions together.
      max_distance: frames from which on all distances are one.
      dtype: compute type.
    """

    heads: int
    buckets: int
    max_distance: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, frames: int) -> Array:
        table = self.param(
            "table", nn.initializers.normal(0.02), (self.buckets, self.heads)
        )
        places = np.arange(frames)
        distance = places[None, :] - places[:, None]
        bucket = distance_buckets(distance, self.buckets, self.max_distance)
        return table.astype(self.dtype).T[:, bucket]


def distance_buckets(
    distance: np.ndarray, buckets: int, max_distance: int
) -> np.ndarray:
    """The bucket of each distance: small ones have their own, large ones share.

    Args:
      distance: int `[...]`; key minus query, in frames.
      buckets: how many there are; the upper half is for keys after the query.
      max_distance: from it on all distances are in one bucket.

    Returns:
      int `[...]`, 0 to `buckets - 1`.

    Example:
      >>> distance_buckets(np.array([-100, -8, -1, 0, 1, 5, 100]), 16, 20)
      array([ 7,  5,  1,  0,  9, 12, 15])
    """
    half = buckets // 2
    exact = half // 2
    size = np.abs(distance)
    # In float32, as PyTorch: what lies on an edge falls on the same side of it.
    far = np.log(np.maximum(size, 1).astype(np.float32) / np.float32(exact))
    far = far / np.float32(math.log(max_distance / exact)) * np.float32(half - exact)
    far = np.minimum((exact + far).astype(np.int64), half - 1)
    return np.where(size < exact, size, far) + half * (distance > 0)
