"""A time-delay network, a recurrence, and statistics of it over time."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from dann_jax.models.frames import (
    frame_mask,
    time_delay_layers,
    weighted_statistics,
)
from dann_jax.types import Array


class Lstm(nn.Module):
    """A long short-term memory; `[N, F, D] -> [N, F, width]`, states of every frame.

    The input projections of all frames are one matrix product outside the loop. Frames
    beyond `count` leave the state as it is.

    Reference: Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation
    9 (1997), with the forget gate of Gers et al. (2000); its bias starts at 1, as in
    Jozefowicz et al., ICML 2015.

    Attributes:
      width: of the state.
      dtype: compute type; parameters stay float32.
    """

    width: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, count: Array) -> Array:
        width = self.width
        gates = nn.Dense(4 * width, dtype=self.dtype, name="input")(x)
        # Input, forget, output and candidate.
        gates = gates.at[..., width : 2 * width].add(1.0)
        make = nn.initializers.orthogonal(column_axis=-1)
        kernel = self.param("recurrent", make, (width, 4 * width)).astype(self.dtype)

        def frame(
            state: tuple[Array, Array], step: tuple[Array, Array]
        ) -> tuple[tuple[Array, Array], Array]:
            hidden, cell = state
            gate, real = step
            gate = gate + hidden @ kernel
            into, keep, out = jnp.split(nn.sigmoid(gate[:, : 3 * width]), 3, axis=-1)
            new_cell = keep * cell + into * jnp.tanh(gate[:, 3 * width :])
            cell = jnp.where(real, new_cell, cell)
            hidden = jnp.where(real, out * jnp.tanh(new_cell), hidden)
            return (hidden, cell), hidden

        start = jnp.zeros((2, len(x), width), self.dtype)
        real = frame_mask(count, x.shape[1]).T[..., None]
        steps = (gates.swapaxes(0, 1), real)
        states = jax.lax.scan(frame, (start[0], start[1]), steps)[1]
        return states.swapaxes(0, 1)


class TdnnLstm(nn.Module):
    """Dilated convolutions, an LSTM, mean and deviation; `[..., F, dim] -> [..., out]`.

    Reference: Tu et al., "Towards adversarial learning of speaker-invariant
    representation for speech emotion recognition" (1903.09606), for the order of the
    parts; Snyder et al., "Deep Neural Network Embeddings for Text-Independent Speaker
    Verification", Interspeech 2017, for statistics pooling. Sizes are ours.

    Attributes:
      width: channels of every convolution and of the LSTM; the output has `2 * width`
        values.
      kernels: frames that each convolution looks at.
      dilations: step between them, in frames of the layer.
      stride: of the first convolution.
      dropout: rate after every layer, whole channels at a time.
      dtype: compute type; parameters stay float32.
    """

    width: int = 64
    kernels: tuple[int, ...] = (5, 3, 3)
    dilations: tuple[int, ...] = (1, 2, 3)
    stride: int = 2
    dropout: float = 0.2
    dtype: jnp.dtype = jnp.float32

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
