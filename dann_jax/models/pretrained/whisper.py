"""Whisper's encoder: from a log mel spectrogram to hidden states."""

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from dann_jax.models.frames import frame_mask
from dann_jax.models.pretrained.layers import (
    Block,
    chosen_layers,
    layer_norm,
    unfold,
)
from dann_jax.models.pretrained.settings import (
    ACTIVATIONS,
    WhisperSettings,
)
from dann_jax.types import Array


class WhisperEncoder(nn.Module):
    """Two convolutions, positions and transformer layers; 50 frames a second.

    Hidden states are those of transformers' `WhisperEncoder`: 0 is the input of the
    first layer, `i` the output of layer `i`, the last one with the final layer norm.
    transformers takes spectrograms of 30 seconds only; here they have their real
    length, and a padded batch gives what each of its rows gives alone.

    Reference: Radford et al., "Robust Speech Recognition via Large-Scale Weak
    Supervision", ICML 2023.

    Attributes:
      settings: sizes, from `config.json`.
      dtype: compute type.

    Example:
      >>> import jax
      >>> settings = WhisperSettings(80, 8, 1, 2, 16, 1500, "gelu")
      >>> encoder = WhisperEncoder(settings)
      >>> mel, lengths = jnp.zeros((1, 100, 80)), jnp.array([100])
      >>> variables = jax.jit(encoder.init)(jax.random.key(0), mel, lengths)
      >>> hidden = jax.jit(encoder.apply)(variables, mel, lengths)
      >>> len(hidden), hidden[0].shape
      (2, (1, 50, 8))
    """

    settings: WhisperSettings
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, log_mel: Array, lengths: Array, layers: tuple[int, ...] | None = None
    ) -> tuple[Array, ...]:
        """Hidden states of a padded batch.

        Args:
          log_mel: float `[B, F, mels]`, at most twice `max_source_positions` frames.
          lengths: int `[B]`, mel frames that are not padding, at least 1.
          layers: the hidden states that are wanted, in this order; None is all of them.
            Blocks above the highest are not computed. Static.

        Returns:
          For each of `layers` float `[B, (F + 1) // 2, d_model]`. Frames beyond
          `settings.num_frames(lengths)` mean nothing.

        Raises:
          ValueError: there is no such layer, or the spectrogram is too long.
        """
        known = self.settings
        layers = chosen_layers(layers, known.num_layers)
        mask = frame_mask(known.num_frames(lengths), known.num_frames(log_mel.shape[1]))
        x = self._frames(log_mel, lengths)
        hidden = {0: x}
        for layer in range(1, max(layers) + 1):
            x = Block(
                heads=known.encoder_attention_heads,
                inner=known.encoder_ffn_dim,
                activation=known.activation_function,
                norm_first=True,
                dtype=self.dtype,
                name=f"block_{layer}",
            )(x, mask)
            if self.dtype == jnp.float16:
                # As transformers: what float16 cannot hold would become infinite.
                limit = float(jnp.finfo(self.dtype).max) - 1000.0
                x = x.clip(-limit, limit)
            hidden[layer] = x
        if known.num_layers in layers:
            norm = layer_norm(1e-5, self.dtype, "norm")
            hidden[known.num_layers] = norm(hidden[known.num_layers])
        return tuple(hidden[layer] for layer in layers)

    def _frames(self, log_mel: Array, lengths: Array) -> Array:
        """The input of the first layer."""
        known = self.settings
        activation = ACTIVATIONS[known.activation_function]
        frames = known.num_frames(log_mel.shape[1])
        if frames > known.max_source_positions:
            raise ValueError(
                f"a spectrogram of {log_mel.shape[1]} frames is too long: there are "
                f"positions for {2 * known.max_source_positions}; cut it into chunks"
            )
        x = log_mel.astype(self.dtype)
        for name, stride in (("conv1", 1), ("conv2", 2)):
            # Beyond its end a recording alone has zeros.
            x = jnp.where(frame_mask(lengths, x.shape[1])[..., None], x, 0)
            x = unfold(jnp.pad(x, ((0, 0), (1, 1), (0, 0))), 3, stride)
            x = activation(nn.Dense(known.d_model, dtype=self.dtype, name=name)(x))
        shape = (known.max_source_positions, known.d_model)
        positions = self.param("positions", nn.initializers.normal(0.02), shape)
        return x + positions[:frames].astype(self.dtype)
