"""A time-delay network, a recurrence, and statistics of it over time."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from dann_jax.models.frames import frame_mask, time_delay_layers, weighted_statistics
from dann_jax.models.layers import GateProjection
from dann_jax.models.ops.lstm import LstmWeights, long_short_term_memory
from dann_jax.types import Array
from dann_jax.utils.arguments import FrameCount, Rate, Width


class Lstm(nn.Module):
    """A long short-term memory; `[N, F, D] -> [N, F, width]`, states of every frame.

    Frames beyond `count` leave the state as it is.

    Reference: for the unit, see `long_short_term_memory`; the bias of its forget gate
    starts at 1, as in Jozefowicz et al., ICML 2015.

    Attributes:
      width: of the state.
      dtype: compute type; parameters stay float32.
    """

    width: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, count: Array) -> Array:
        width, make = self.width, nn.initializers.orthogonal(column_axis=-1)
        kernel, bias = GateProjection(4 * width, name="input")(x.shape[-1])
        recurrent = self.param("recurrent", make, (width, 4 * width))
        # The forget gate begins open.
        weights = LstmWeights(
            kernel, bias.at[width : 2 * width].add(1.0)[None], recurrent
        )
        mask = frame_mask(count, x.shape[1]).T[..., None]
        # One stream, and frame first: [1, F, N, ...].
        states = long_short_term_memory(
            jax.tree.map(lambda leaf: leaf.astype(self.dtype)[None], weights),
            x.astype(self.dtype).swapaxes(0, 1)[None],
            mask[None],
        )
        return states[0].swapaxes(0, 1)


class TdnnLstm(nn.Module):
    """Dilated convolutions, an LSTM, mean and deviation; `[..., F, dim] -> [..., out]`.

    Reference: Tu et al., "Towards adversarial learning of speaker-invariant
    representation for speech emotion recognition" (1903.09606), for the order of the
    parts; Snyder et al., "Deep Neural Network Embeddings for Text-Independent Speaker
    Verification", Interspeech 2017, for statistics pooling. Sizes are ours.

    Attributes:
      width: channels of every convolution and of the LSTM; the output has `2 * width`
        values.
      kernels: kernel size of each convolution, in frames.
      dilations: step between them, in frames of the layer.
      stride: of the first convolution.
      dropout: rate after every layer, whole channels at a time.
      dtype: compute type; parameters stay float32.
    """

    width: Width = 64
    kernels: tuple[FrameCount, ...] = (5, 3, 3)
    dilations: tuple[FrameCount, ...] = (1, 2, 3)
    stride: FrameCount = 2
    dropout: Rate = 0.2
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, num_frames: Array, *, deterministic: bool) -> Array:
        lead = x.shape[:-2]
        drop = nn.Dropout(
            self.dropout, broadcast_dims=(-2,), deterministic=deterministic
        )
        x, count = time_delay_layers(
            x.reshape(-1, *x.shape[-2:]),
            num_frames.reshape(-1),
            width=self.width,
            kernels=self.kernels,
            dilations=self.dilations,
            stride=self.stride,
            drop=drop,
            dtype=self.dtype,
        )
        states = drop(Lstm(self.width, self.dtype, name="lstm")(x, count))
        weights = frame_mask(count, x.shape[1]) / jnp.maximum(count, 1)[:, None]
        return weighted_statistics(states, weights).reshape(*lead, -1)
