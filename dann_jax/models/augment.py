"""Augmentation of frame features inside the train step."""

from typing import Annotated

import jax
import jax.numpy as jnp
from flax import linen as nn

from dann_jax.models.frames import frame_mask
from dann_jax.types import Array
from dann_jax.utils.arguments import Range, Share

Deviations = Annotated[float, Range(0), Range(high=100)]
"""So many standard deviations of a feature."""


class FrameAugmentation(nn.Module):
    """Masks, gain and noise on `[..., F, dim]`, a fresh draw for every utterance.

    For standardised features, and only in training: an evaluation passes
    `deterministic`. Masked values become 0, the mean of the training rows.

    Reference: Park et al., "SpecAugment", Interspeech 2019 (1904.08779), without time
    warping.

    Attributes:
      time_mask: the longest masked stretch, as a share of the utterance in [0, 1].
      feature_mask: the widest masked band, as a share of the features in [0, 1].
      gain: the largest shift of all features together, in standard deviations; on log
        energies it is a louder or a quieter recording.
      noise: standard deviation of what is added to every value.
    """

    time_mask: Share = 0.0
    feature_mask: Share = 0.0
    gain: Deviations = 0.0
    noise: Deviations = 0.0

    @nn.compact
    def __call__(self, x: Array, num_frames: Array, *, deterministic: bool) -> Array:
        if deterministic:
            return x
        *lead, frames, dim = x.shape
        key = self.make_rng("dropout")
        draw = jax.random.uniform(key, (5, *lead))
        real = frame_mask(num_frames, frames)
        hidden = _stretch(draw[0], draw[1] * self.time_mask, num_frames, frames)
        band = _stretch(draw[2], draw[3] * self.feature_mask, jnp.int32(dim), dim)
        x = x + (2.0 * draw[4] - 1.0)[..., None, None] * self.gain
        if self.noise:
            noise_key = jax.random.fold_in(key, 1)
            x = x + self.noise * jax.random.normal(noise_key, x.shape, x.dtype)
        keep = real[..., None] & ~hidden[..., None] & ~band[..., None, :]
        return jnp.where(keep, x, 0.0)


def _stretch(start: Array, share: Array, count: Array, length: int) -> Array:
    """Mask `[..., length]` of `share * count` indices, from `start` in [0, 1] on."""
    size = jnp.floor(share * (count + 1))
    first = jnp.floor(start * (count - size + 1))
    index = jnp.arange(length)
    return (index >= first[..., None]) & (index < (first + size)[..., None])
