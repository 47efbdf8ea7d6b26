"""From the frames of an utterance to one vector."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Int

from dann_jax.models.ops.dense import dense_product
from dann_jax.types import Array
from dann_jax.utils.arguments import FrameCount, Rate, Width


def frame_mask(
    num_frames: Int[Array, "*rows"], length: int
) -> Bool[Array, "*rows {length}"]:
    """Mask of the frames that are not padding.

    Args:
      num_frames: int `[...]`.
      length: frames with padding.

    Returns:
      Bool `[..., length]`.
    """
    return jnp.arange(length) < num_frames[..., None]


def weighted_statistics(
    x: Float[Array, "n frames d"], weights: Float[Array, "n frames"]
) -> Float[Array, "n 2*d"]:
    """Mean and standard deviation over time; `[N, F, D] -> [N, 2 D]`, float32.

    Args:
      x: frames; those without weight may hold anything.
      weights: `[N, F]`, at least 0, of sum 1 (or 0 where there are no frames).
    """
    x = jnp.where(weights[..., None] > 0.0, x, 0.0).astype(jnp.float32)
    mean = jnp.einsum("nf,nfd->nd", weights, x)
    square = jnp.einsum("nf,nfd->nd", weights, jnp.square(x))
    # The floor keeps the square root's gradient finite for a constant.
    deviation = jnp.sqrt(jnp.maximum(square - jnp.square(mean), 1e-5))
    return jnp.concatenate([mean, deviation], axis=-1)


class AttentiveStatistics(nn.Module):
    """Weighted mean and standard deviation over time; `[N, F, D] -> [N, 2 D]`.

    `e = v . tanh(W h + b)`, `alpha = softmax(e)` over the real frames, `mu = sum alpha
    h`, `sigma = sqrt(sum alpha h^2 - mu^2)`. Padding has no weight.

    Reference: Okabe, Koshinaka and Shinoda, "Attentive Statistics Pooling for Deep
    Speaker Embedding", Interspeech 2018 (1803.10963), equations 1-6.

    Attributes:
      hidden: size of the attention's hidden layer.
      dtype: compute type; the statistics are float32.
    """

    hidden: int = 32
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "n frames d"], mask: Bool[Array, "n frames"]
    ) -> Float[Array, "n 2*d"]:
        scores = nn.Dense(
            self.hidden, dtype=self.dtype, dot_general=dense_product, name="attention"
        )(x)
        scores = nn.Dense(1, use_bias=False, dtype=self.dtype, name="score")(
            jnp.tanh(scores)
        )[..., 0].astype(jnp.float32)
        weights = nn.softmax(scores, axis=-1, where=mask)
        # An utterance without frames has no weights at all: 0 / 0.
        return weighted_statistics(x, jnp.where(mask, weights, 0.0))


class FrameEncoder(nn.Module):
    """Convolutions over time, then attentive statistics; `[..., F, dim] -> [..., out]`.

    A time-delay network whose first layer halves the frame rate. What lies beyond an
    utterance's last frame is zero before every convolution, so that padding changes
    nothing.

    Reference: for the layers, Snyder et al., "X-vectors: Robust DNN Embeddings for
    Speaker Recognition", ICASSP 2018; the sizes are ours.

    Attributes:
      width: channels of every layer; the output has `2 * width` values.
      kernels: kernel size of each layer, in frames.
      dilations: step between them, in frames of the layer.
      stride: of the first layer.
      dropout: rate between layers, whole channels at a time.
      dtype: compute type; parameters stay float32.
    """

    width: Width = 64
    kernels: tuple[FrameCount, ...] = (5, 3, 3)
    dilations: tuple[FrameCount, ...] = (1, 2, 3)
    stride: FrameCount = 2
    dropout: Rate = 0.2
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "*rows frames dim"],
        num_frames: Int[Array, "*rows"],
        *,
        deterministic: bool,
    ) -> Float[Array, "*rows {2*self.width}"]:
        lead = x.shape[:-2]
        x = x.reshape(-1, *x.shape[-2:])
        count = num_frames.reshape(-1)
        drop = nn.Dropout(
            self.dropout, broadcast_dims=(-2,), deterministic=deterministic
        )
        x, count = time_delay_layers(
            x,
            count,
            width=self.width,
            kernels=self.kernels,
            dilations=self.dilations,
            stride=self.stride,
            drop=drop,
            dtype=self.dtype,
        )
        pooled = AttentiveStatistics(dtype=self.dtype, name="pooling")(
            x, frame_mask(count, x.shape[1])
        )
        return pooled.reshape(*lead, -1)


def time_delay_layers(
    x: Float[Array, "n frames dim"],
    count: Int[Array, " n"],
    *,
    width: int,
    kernels: tuple[int, ...],
    dilations: tuple[int, ...],
    stride: int,
    drop: Callable[[Array], Array],
    dtype: DTypeLike,
) -> tuple[Float[Array, "n _ {width}"], Int[Array, " n"]]:
    """Dilated convolutions over time, residual after the first.

    To be called within a module: it adds submodules, two for each layer.

    Args:
      x: float `[N, F, dim]`.
      count: int32 `[N]`, frames that are not padding; the others may hold anything.
      width: channels of every layer.
      kernels: kernel size of each layer, in frames.
      dilations: step between them, in frames of the layer.
      stride: of the first layer.
      drop: applied after every layer.
      dtype: compute type.

    Returns:
      Float `[N, ceil(F / stride), width]`, and how many of these frames are not
      padding, int32 `[N]`.
    """
    for index, (kernel, dilation) in enumerate(zip(kernels, dilations, strict=True)):
        x = jnp.where(frame_mask(count, x.shape[1])[..., None], x, 0.0)
        step = stride if index == 0 else 1
        y = TimeConvolution(
            width, kernel, dilation, step, dtype, name=f"layer_{index}"
        )(x)
        y = nn.relu(nn.LayerNorm(dtype=dtype)(y))
        x = drop(y if index == 0 else x + y)
        count = -(-count // step)
    return x, count


class TimeConvolution(nn.Module):
    """A convolution over time as one matrix product; `[N, F, dim] -> [N, F', width]`.

    The frames of an output's receptive field are concatenated first: on CPU this is
    much faster than XLA's convolution, elsewhere as fast.
    """

    width: int
    kernel: int
    dilation: int = 1
    stride: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "n frames dim"]
    ) -> Float[Array, "n _ {self.width}"]:
        reach = (self.kernel - 1) * self.dilation
        frames = x.shape[1]
        outputs = -(-frames // self.stride)
        x = jnp.pad(x, ((0, 0), (reach // 2, reach - reach // 2 + self.stride), (0, 0)))
        taps = [
            jax.lax.slice_in_dim(
                x, offset, offset + (outputs - 1) * self.stride + 1, self.stride, axis=1
            )
            for offset in range(0, reach + 1, self.dilation)
        ]
        return nn.Dense(
            self.width, dtype=self.dtype, dot_general=dense_product, name="taps"
        )(jnp.concatenate(taps, axis=-1))
