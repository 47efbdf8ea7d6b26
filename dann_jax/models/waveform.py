"""From raw samples to one vector an utterance."""

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from dann_jax.models.frames import FrameEncoder, frame_mask
from dann_jax.types import Array
from dann_jax.utils.arguments import FrameCount, Rate, Width


class LearnedFilters(nn.Module):
    """Filters on the samples; `[N, F, hop] -> [N, F, filters]`, log magnitudes.

    Consecutive frames of `hop` samples are the signal. Each filter spans several
    frames and moves by a fraction of one; `log(.01 + mean |y|)` over a frame's steps
    is what a log filter bank does, with filters that are learned.

    Reference: Sainath et al., "Learning the Speech Front-end with Raw Waveform CLDNNs",
    Interspeech 2015, for filters as long as a frame, pooled over time and compressed by
    a logarithm; they take the maximum of the rectified, here it is the mean magnitude.

    Attributes:
      filters: how many.
      span: length of a filter, in frames: 3 frames of 10 ms are 30 ms.
      steps: positions of a filter in a frame; a divisor of the samples in it.
      dtype: compute type; parameters stay float32.
    """

    filters: int = 32
    span: int = 3
    steps: int = 4
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, count: Array) -> Array:
        frames, hop = x.shape[1:]
        if hop % self.steps:
            raise ValueError(
                f"a frame of {hop} samples cannot be cut into steps={self.steps} equal "
                f"parts"
            )
        kernel = self.param(
            "kernel", nn.initializers.lecun_normal(), (self.span * hop, self.filters)
        )
        bias = self.param("bias", nn.initializers.zeros, (self.filters,))
        # The positions in a frame are columns of one matrix product over span + 1
        # frames: wide products are fast, and no sample is copied for every position.
        shifted_kernels = [
            jnp.pad(kernel, ((start, hop - start), (0, 0)))
            for start in range(0, hop, hop // self.steps)
        ]
        shifted_kernels = jnp.concatenate(shifted_kernels, axis=1).astype(self.dtype)
        x = jnp.where(frame_mask(count, frames)[..., None], x, 0.0).astype(self.dtype)
        before = (self.span - 1) // 2
        x = jnp.pad(x, ((0, 0), (before, self.span - before), (0, 0)))
        neighbours = [x[:, first : first + frames] for first in range(self.span + 1)]
        y = jnp.concatenate(neighbours, axis=-1) @ shifted_kernels
        y = y.reshape(-1, frames, self.steps, self.filters) + bias.astype(self.dtype)
        return jnp.log(0.01 + jnp.abs(y).mean(2))


class WaveformEncoder(nn.Module):
    """Learned filters, then a `FrameEncoder`; `[..., F, hop] -> [..., out]`.

    Reference: Tripathi et al., "Adversarial Learning of Raw Speech Features for Domain
    Invariant Speech Recognition", ICASSP 2018 (1805.08615), for a convolutional encoder
    of the waveform; its layers are ours.

    Attributes:
      filters: number of filters on the samples.
      span: their length, in frames.
      steps: positions of a filter in a frame.
      width: channels of the layers above them; the output has `2 * width` values.
      kernels: kernel size of each of these layers, in frames.
      dilations: step between them, in frames of the layer.
      stride: of the first of them.
      dropout: rate between them, whole channels at a time.
      dtype: compute type; parameters stay float32.
    """

    filters: Width = 32
    span: FrameCount = 3
    steps: FrameCount = 4
    width: Width = 64
    kernels: tuple[FrameCount, ...] = (5, 3, 3)
    dilations: tuple[FrameCount, ...] = (1, 2, 3)
    stride: FrameCount = 2
    dropout: Rate = 0.2
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, num_frames: Array, *, deterministic: bool) -> Array:
        lead = x.shape[:-2]
        count = num_frames.reshape(-1)
        bank = LearnedFilters(
            self.filters, self.span, self.steps, self.dtype, name="bank"
        )
        filtered = bank(x.reshape(-1, *x.shape[-2:]), count)
        filtered = nn.LayerNorm(dtype=self.dtype, name="loudness")(filtered)
        pooled = FrameEncoder(
            self.width,
            self.kernels,
            self.dilations,
            self.stride,
            self.dropout,
            self.dtype,
            name="layers",
        )(filtered, count, deterministic=deterministic)
        return pooled.reshape(*lead, -1)
