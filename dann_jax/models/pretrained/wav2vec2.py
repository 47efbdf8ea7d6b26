"""The wav2vec 2.0 family: from a waveform to hidden states."""

import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.typing import DTypeLike

from dann_jax.models.frames import frame_mask
from dann_jax.models.pretrained.layers import (
    Block,
    chosen_layers,
    layer_norm,
    unfold,
)
from dann_jax.models.pretrained.relative import RelativePositions
from dann_jax.models.pretrained.settings import (
    ACTIVATIONS,
    SpeechSettings,
)
from dann_jax.types import Array


class SpeechEncoder(nn.Module):
    """wav2vec 2.0, XLS-R, HuBERT or WavLM; 50 frames a second.

    Hidden states are those of transformers 5: 0 is the input of the first layer, `i`
    the output of layer `i`. Where normalisation comes first (`do_stable_layer_norm`)
    the last one is without the final layer norm, which transformers 5 applies to
    `last_hidden_state` alone. A padded batch gives what each of its rows gives alone,
    also where the feature encoder normalises over time.

    References: Baevski et al., "wav2vec 2.0", NeurIPS 2020; Babu et al., "XLS-R",
    Interspeech 2022; Hsu et al., "HuBERT", TASLP 2021; Chen et al., "WavLM", JSTSP
    2022.

    Attributes:
      settings: sizes and variants, from `config.json`.
      dtype: compute type.

    Example:
      >>> import jax
      >>> settings = SpeechSettings(
      ...     "wavlm", 8, 1, 2, 16, "gelu", "group", "gelu",
      ...     conv_dim=(4, 4), conv_stride=(5, 4), conv_kernel=(10, 4), conv_bias=False,
      ...     num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
      ...     do_stable_layer_norm=False)
      >>> encoder = SpeechEncoder(settings)
      >>> waveform, lengths = jnp.zeros((1, 400)), jnp.array([400])
      >>> variables = jax.jit(encoder.init)(jax.random.key(0), waveform, lengths)
      >>> apply = jax.jit(encoder.apply, static_argnames="layers")
      >>> hidden = apply(variables, waveform, lengths, layers=(1,))
      >>> len(hidden), hidden[0].shape
      (1, (1, 19, 8))
    """

    settings: SpeechSettings
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, waveforms: Array, lengths: Array, layers: tuple[int, ...] | None = None
    ) -> tuple[Array, ...]:
        """Hidden states of a padded batch.

        Args:
          waveforms: float `[B, N]`, normalised as the model wants it.
          lengths: int `[B]`, samples that are not padding, at least
            `settings.min_samples`.
          layers: the hidden states that are wanted, in this order; None is all of them.
            Blocks above the highest are not computed. Static.

        Returns:
          For each of `layers` float `[B, T, hidden_size]`. Frames beyond
          `settings.num_frames(lengths)` mean nothing.

        Raises:
          ValueError: there is no such layer.
        """
        known = self.settings
        layers = chosen_layers(layers, known.num_layers)
        x = self._frames(waveforms, lengths)
        mask = frame_mask(known.num_frames(lengths), x.shape[1])
        x = x + self._positions(x, mask)
        if not known.do_stable_layer_norm:
            x = layer_norm(known.layer_norm_eps, self.dtype, "norm")(x)
        bias = None
        if known.relative_positions and max(layers):
            bias = RelativePositions(
                known.num_attention_heads,
                known.num_buckets,
                known.max_bucket_distance,
                self.dtype,
                name="relative",
            )(x.shape[1])
        hidden = {0: x}
        for layer in range(1, max(layers) + 1):
            x = hidden[layer] = Block(
                heads=known.num_attention_heads,
                inner=known.intermediate_size,
                activation=known.hidden_act,
                norm_first=known.do_stable_layer_norm,
                epsilon=known.layer_norm_eps,
                gated=known.relative_positions,
                dtype=self.dtype,
                name=f"block_{layer}",
            )(x, mask, bias)
        return tuple(hidden[layer] for layer in layers)

    def _frames(self, waveforms: Array, lengths: Array) -> Array:
        """The feature encoder and its projection; zero where there is padding."""
        known = self.settings
        x = waveforms[..., None].astype(self.dtype)
        for index, width in enumerate(known.conv_dim):
            kernel, stride = known.conv_kernel[index], known.conv_stride[index]
            lengths = (lengths - kernel) // stride + 1
            x = nn.Dense(
                width,
                use_bias=known.conv_bias,
                dtype=self.dtype,
                name=f"conv_{index}",
            )(unfold(x, kernel, stride))
            if known.feat_extract_norm == "layer":
                x = layer_norm(1e-5, self.dtype, f"conv_norm_{index}")(x)
            elif index == 0:
                # Over the real frames of a recording; PyTorch's counts padding too.
                x = nn.InstanceNorm(
                    epsilon=1e-5,
                    use_fast_variance=False,
                    dtype=self.dtype,
                    name="conv_norm_0",
                )(x, mask=frame_mask(lengths, x.shape[1])[..., None])
            x = ACTIVATIONS[known.feat_extract_activation](x)
        if known.feat_proj_layer_norm:
            x = layer_norm(known.layer_norm_eps, self.dtype, "projection_norm")(x)
        x = nn.Dense(known.hidden_size, dtype=self.dtype, name="projection")(x)
        return jnp.where(frame_mask(lengths, x.shape[1])[..., None], x, 0)

    def _positions(self, x: Array, mask: Array) -> Array:
        """What a convolution over many frames tells of positions."""
        known = self.settings
        if known.conv_pos_batch_norm:
            # Its statistics are those of the training: a scale and a shift.
            scale = self.param("position_scale", nn.initializers.ones, (x.shape[-1],))
            shift = self.param("position_shift", nn.initializers.zeros, (x.shape[-1],))
            x = jnp.where(mask[..., None], x * scale + shift, 0).astype(self.dtype)
        span = known.num_conv_pos_embeddings
        groups = known.num_conv_pos_embedding_groups
        kernel = self.param(
            "position_kernel",
            nn.initializers.lecun_normal(),
            (span, known.hidden_size // groups, known.hidden_size),
        )
        bias = self.param("position_bias", nn.initializers.zeros, (x.shape[-1],))
        x = jnp.pad(x, ((0, 0), (span // 2, (span - 1) // 2), (0, 0)))
        y = grouped_convolution(x, kernel.astype(self.dtype), groups)
        return ACTIVATIONS[known.feat_extract_activation](y + bias.astype(self.dtype))


def grouped_convolution(x: Array, kernel: Array, groups: int) -> Array:
    """A convolution over time within groups of channels, without padding.

    Args:
      x: float `[B, T, D]`.
      kernel: float `[span, D / groups, D]`.
      groups: a divisor of `D`.

    Returns:
      float `[B, T - span + 1, D]`.
    """

    def convolve(x: Array, kernel: Array, groups: int) -> Array:
        layout = ("NWC", "WIO", "NWC")
        return lax.conv_general_dilated(
            x, kernel, (1,), "VALID", None, None, layout, feature_group_count=groups
        )

    def one_by_one(x: Array, kernel: Array) -> Array:
        pairs = zip(
            jnp.split(x, groups, -1), jnp.split(kernel, groups, -1), strict=True
        )
        return jnp.concatenate([convolve(*pair, groups=1) for pair in pairs], axis=-1)

    def at_once(x: Array, kernel: Array) -> Array:
        return convolve(x, kernel, groups)

    # XLA's grouped convolution takes twice as long on a CPU.
    return lax.platform_dependent(x, kernel, cpu=one_by_one, default=at_once)
