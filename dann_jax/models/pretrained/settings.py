"""What a `config.json` says about an encoder, checked; the names are transformers'."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from flax import linen as nn

from dann_jax.types import Array


class PretrainedError(ValueError):
    """A pretrained encoder that cannot be read, or sound that it cannot take."""


ACTIVATIONS = types.MappingProxyType(
    {
        # As PyTorch's: the exact one is written with the error function.
        "gelu": lambda x: nn.gelu(x, approximate=False),
        "gelu_new": nn.gelu,
        "relu": nn.relu,
        "silu": nn.silu,
        "swish": nn.silu,
    }
)


@dataclasses.dataclass(frozen=True)
class WhisperSettings:
    """Sizes of Whisper's encoder; two mel frames of 10 ms make one of its frames."""

    num_mel_bins: int
    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    max_source_positions: int
    activation_function: str

    def __post_init__(self) -> None:
        _check_activation("activation_function", self.activation_function)
        _check_heads(self.d_model, self.encoder_attention_heads)

    @property
    def width(self) -> int:
        """Values of a frame of a hidden state."""
        return self.d_model

    @property
    def num_layers(self) -> int:
        """Transformer layers; there is one more hidden state, the first one's input."""
        return self.encoder_layers

    def num_frames(self, mel_frames: Array | int) -> Array | int:
        """Frames of the hidden states for mel frames, a scalar or `[...]`."""
        return (mel_frames + 1) // 2


@dataclasses.dataclass(frozen=True)
class SpeechSettings:
    """Sizes and variants of the wav2vec 2.0 family: wav2vec2, XLS-R, HuBERT, WavLM."""

    model_type: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str
    feat_extract_norm: str
    feat_extract_activation: str
    conv_dim: tuple[int, ...]
    conv_stride: tuple[int, ...]
    conv_kernel: tuple[int, ...]
    conv_bias: bool
    num_conv_pos_embeddings: int
    num_conv_pos_embedding_groups: int
    do_stable_layer_norm: bool
    layer_norm_eps: float = 1e-5
    # HuBERT's alone.
    feat_proj_layer_norm: bool = True
    conv_pos_batch_norm: bool = False
    # WavLM's alone.
    num_buckets: int = 320
    max_bucket_distance: int = 800
    # Language adapters, which some models of MMS have.
    adapter_attn_dim: int | None = None

    def __post_init__(self) -> None:
        _check_activation("hidden_act", self.hidden_act)
        _check_activation("feat_extract_activation", self.feat_extract_activation)
        _check_heads(self.hidden_size, self.num_attention_heads)
        if self.feat_extract_norm not in ("group", "layer"):
            raise PretrainedError(
                f"feat_extract_norm is {self.feat_extract_norm!r}; it must be 'group' "
                f"or 'layer'"
            )
        if not len(self.conv_dim) == len(self.conv_stride) == len(self.conv_kernel) > 0:
            raise PretrainedError(
                "conv_dim, conv_stride and conv_kernel must be of one length, at least "
                "1: they list the layers of the feature encoder"
            )
        if self.hidden_size % self.num_conv_pos_embedding_groups:
            raise PretrainedError(
                f"hidden_size ({self.hidden_size}) must be a multiple of "
                f"num_conv_pos_embedding_groups ({self.num_conv_pos_embedding_groups})"
            )
        if self.adapter_attn_dim is not None:
            raise PretrainedError(
                "models with language adapters (adapter_attn_dim) cannot be loaded; "
                "take the model that they were made from, such as facebook/mms-1b"
            )

    @property
    def width(self) -> int:
        """Values of a frame of a hidden state."""
        return self.hidden_size

    @property
    def num_layers(self) -> int:
        """Transformer layers; there is one more hidden state, the first one's input."""
        return self.num_hidden_layers

    @property
    def relative_positions(self) -> bool:
        """Whether attention has WavLM's gated relative positions."""
        return self.model_type == "wavlm"

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return math.prod(self.conv_stride)

    @property
    def min_samples(self) -> int:
        """Samples that make one frame."""
        samples = 1
        layers = zip(self.conv_kernel, self.conv_stride, strict=True)
        for kernel, stride in reversed(list(layers)):
            samples = (samples - 1) * stride + kernel
        return samples

    def num_frames(self, samples: Array | int) -> Array | int:
        """Frames of the hidden states for samples, a scalar or `[...]`."""
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
        return samples


Settings = WhisperSettings | SpeechSettings

MODEL_TYPES: Mapping[str, type[Settings]] = types.MappingProxyType(
    {
        "whisper": WhisperSettings,
        "wav2vec2": SpeechSettings,
        "hubert": SpeechSettings,
        "wavlm": SpeechSettings,
    }
)
"""`model_type` of a `config.json` -> what is read from it."""


def read_settings(config: Mapping[str, Any]) -> Settings:
    """The settings that a parsed `config.json` of transformers holds.

    Args:
      config: as parsed; keys that say nothing about the encoder are not looked at.

    Returns:
      `WhisperSettings` or `SpeechSettings`.

    Raises:
      PretrainedError: another architecture, or a key that is absent or of another type.
    """
    kind = config.get("model_type")
    if kind not in MODEL_TYPES:
        raise PretrainedError(
            f"model_type is {kind!r}; there are encoders for {', '.join(MODEL_TYPES)}"
        )
    values = {}
    for field in dataclasses.fields(MODEL_TYPES[kind]):
        value = config.get(field.name, field.default)
        if value is dataclasses.MISSING:
            raise PretrainedError(f"the key {field.name!r} is missing")
        values[field.name] = _checked(field.name, value, field.type)
    return MODEL_TYPES[kind](**values)


def _checked(name: str, value: Any, kind: Any) -> Any:
    """The value, if it is of the annotated type; lists become tuples."""
    if isinstance(value, list):
        value = tuple(value)
    if typing.get_origin(kind) is tuple:
        good = isinstance(value, tuple) and all(type(part) is int for part in value)
    else:
        good = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not good:
        words = kind.__name__ if isinstance(kind, type) else str(kind)
        raise PretrainedError(f"{name} is {value!r}; it must be of type {words}")
    if type(value) is int and value < 1:
        raise PretrainedError(f"{name} is {value}; it must be at least 1")
    return value


def _check_activation(key: str, name: str) -> None:
    if name not in ACTIVATIONS:
        raise PretrainedError(
            f"{key} is {name!r}; it must be one of {', '.join(ACTIVATIONS)}"
        )


def _check_heads(width: int, heads: int) -> None:
    if width % heads:
        raise PretrainedError(
            f"a width of {width} cannot be divided among {heads} attention heads"
        )
