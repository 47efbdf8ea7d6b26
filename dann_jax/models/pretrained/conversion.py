"""From tensors in transformers' names to the parameters of the linen modules."""

import numpy as np

from dann_jax.models.pretrained.settings import SpeechSettings, WhisperSettings
from dann_jax.models.pretrained.weights import TensorReader
from dann_jax.types import PyTree

WHISPER_PREFIXES = ("model.encoder.", "encoder.")
WHISPER_OTHERS = (
    "model.decoder.",
    "decoder.",
    "proj_out.",
    "projector.",
    "classifier.",
    "layer_weights",
)
SPEECH_PREFIXES = ("wav2vec2.", "hubert.", "wavlm.")
SPEECH_OTHERS = (
    *(
        f"{prefix}{part}"
        for prefix in ("", *SPEECH_PREFIXES)
        for part in (
            "masked_spec_embed",
            "adapter.",
            "encoder.pos_conv_embed.batch_norm.num_batches_tracked",
        )
    ),
    "lm_head.",
    "quantizer.",
    "project_hid.",
    "project_q.",
    "projector.",
    "classifier.",
    "layer_weights",
    # The x-vector head.
    "tdnn.",
    "feature_extractor.weight",
    "feature_extractor.bias",
    "objective.",
)
"""With what the names of parts begin that no hidden state passes through: what only
training needs, what follows the last layer, and the heads of all kinds."""


def whisper_params(settings: WhisperSettings, reader: TensorReader) -> PyTree:
    """The parameters of a `WhisperEncoder`, float32.

    Raises:
      PretrainedError: a tensor is missing or of another shape.
    """
    width = settings.d_model
    params = {
        "conv1": _convolution(reader, "conv1", settings.num_mel_bins, width, 3),
        "conv2": _convolution(reader, "conv2", width, width, 3),
        "positions": reader.take(
            "embed_positions.weight", settings.max_source_positions, width
        ),
        "norm": _norm(reader, "layer_norm", width),
    }
    for layer in range(settings.encoder_layers):
        name = f"layers.{layer}"
        params[f"block_{layer + 1}"] = {
            # The keys have no bias.
            "attention": _attention(reader, f"{name}.self_attn", width, "qv"),
            "norm1": _norm(reader, f"{name}.self_attn_layer_norm", width),
            "norm2": _norm(reader, f"{name}.final_layer_norm", width),
            "fc1": _dense(reader, f"{name}.fc1", width, settings.encoder_ffn_dim),
            "fc2": _dense(reader, f"{name}.fc2", settings.encoder_ffn_dim, width),
        }
    return params


def speech_params(settings: SpeechSettings, reader: TensorReader) -> PyTree:
    """The parameters of a `SpeechEncoder`, float32.

    Raises:
      PretrainedError: a tensor is missing or of another shape.
    """
    width, last = settings.hidden_size, settings.conv_dim[-1]
    params = _feature_encoder(settings, reader)
    if settings.feat_proj_layer_norm:
        params["projection_norm"] = _norm(reader, "feature_projection.layer_norm", last)
    params["projection"] = _dense(reader, "feature_projection.projection", last, width)
    params |= _positions(settings, reader)
    # Where normalisation comes first it follows the last layer: no hidden state has it.
    norm = _norm(reader, "encoder.layer_norm", width)
    if not settings.do_stable_layer_norm:
        params["norm"] = norm
    if settings.relative_positions:
        params["relative"] = {
            "table": reader.take(
                "encoder.layers.0.attention.rel_attn_embed.weight",
                settings.num_buckets,
                settings.num_attention_heads,
            )
        }
    for layer in range(settings.num_hidden_layers):
        params[f"block_{layer + 1}"] = _speech_block(settings, reader, layer)
    return params


def _feature_encoder(settings: SpeechSettings, reader: TensorReader) -> PyTree:
    params, before = {}, 1
    sizes = zip(settings.conv_dim, settings.conv_kernel, strict=True)
    for index, (width, kernel) in enumerate(sizes):
        name = f"feature_extractor.conv_layers.{index}"
        params[f"conv_{index}"] = _convolution(
            reader, f"{name}.conv", before, width, kernel, settings.conv_bias
        )
        if settings.feat_extract_norm == "layer" or index == 0:
            norm = _norm(reader, f"{name}.layer_norm", width)
            params[f"conv_norm_{index}"] = norm
        before = width
    return params


def _positions(settings: SpeechSettings, reader: TensorReader) -> PyTree:
    """The convolution that tells of positions, its weight normalisation undone."""
    width = settings.hidden_size
    span = settings.num_conv_pos_embeddings
    shape = (width, width // settings.num_conv_pos_embedding_groups, span)
    name = "encoder.pos_conv_embed"
    params = {"position_bias": reader.take(f"{name}.conv.bias", width)}
    if settings.conv_pos_batch_norm:
        kernel = reader.take(f"{name}.conv.weight", *shape)
        params |= _batch_norm(reader, f"{name}.batch_norm", width)
    else:
        size, direction = f"{name}.conv.weight_g", f"{name}.conv.weight_v"
        if size not in reader:
            part = f"{name}.conv.parametrizations.weight"
            size, direction = f"{part}.original0", f"{part}.original1"
        kernel = reader.take(direction, *shape)
        norm = np.sqrt(np.sum(kernel**2, axis=(0, 1), keepdims=True))
        kernel = reader.take(size, 1, 1, span) * kernel / norm
    return {**params, "position_kernel": kernel.transpose(2, 1, 0)}


def _batch_norm(reader: TensorReader, name: str, width: int) -> PyTree:
    """What a batch normalisation does after training."""
    variance = reader.take(f"{name}.running_var", width)
    mean = reader.take(f"{name}.running_mean", width)
    scale = reader.take(f"{name}.weight", width) / np.sqrt(variance + 1e-5)
    shift = reader.take(f"{name}.bias", width) - mean * scale
    return {"position_scale": scale, "position_shift": shift}


def _speech_block(settings: SpeechSettings, reader: TensorReader, layer: int) -> PyTree:
    width, inner = settings.hidden_size, settings.intermediate_size
    name = f"encoder.layers.{layer}"
    attention = _attention(reader, f"{name}.attention", width, "qkv")
    if settings.relative_positions:
        heads = settings.num_attention_heads
        part = f"{name}.attention.gru_rel_pos"
        gate = _dense(reader, f"{part}_linear", width // heads, 8)
        # Its eight outputs are added up in two fours: so can be what makes them.
        attention["gate"] = {
            key: value.reshape(*value.shape[:-1], 2, 4).sum(-1)
            for key, value in gate.items()
        }
        scale = reader.take(f"{part}_const", 1, heads, 1, 1)
        attention["gate_scale"] = scale.reshape(heads, 1)
    feed = f"{name}.feed_forward"
    return {
        "attention": attention,
        "norm1": _norm(reader, f"{name}.layer_norm", width),
        "norm2": _norm(reader, f"{name}.final_layer_norm", width),
        "fc1": _dense(reader, f"{feed}.intermediate_dense", width, inner),
        "fc2": _dense(reader, f"{feed}.output_dense", inner, width),
    }


def _attention(reader: TensorReader, name: str, width: int, biased: str) -> PyTree:
    """Queries, keys and values as one product."""
    parts = [
        _dense(reader, f"{name}.{part}_proj", width, width, part in biased)
        for part in "qkv"
    ]
    none = np.zeros(width, np.float32)
    qkv = {
        "kernel": np.concatenate([part["kernel"] for part in parts], axis=1),
        "bias": np.concatenate([part.get("bias", none) for part in parts]),
    }
    return {"qkv": qkv, "out": _dense(reader, f"{name}.out_proj", width, width)}


def _dense(
    reader: TensorReader, name: str, inputs: int, outputs: int, biased: bool = True
) -> PyTree:
    params = {"kernel": reader.take(f"{name}.weight", outputs, inputs).T}
    if biased:
        params["bias"] = reader.take(f"{name}.bias", outputs)
    return params


def _convolution(
    reader: TensorReader,
    name: str,
    inputs: int,
    outputs: int,
    span: int,
    biased: bool = True,
) -> PyTree:
    """The kernel as a product with what `layers.unfold` gives."""
    kernel = reader.take(f"{name}.weight", outputs, inputs, span)
    params = {"kernel": kernel.transpose(2, 1, 0).reshape(span * inputs, outputs)}
    if biased:
        params["bias"] = reader.take(f"{name}.bias", outputs)
    return params


def _norm(reader: TensorReader, name: str, width: int) -> PyTree:
    return {
        "scale": reader.take(f"{name}.weight", width),
        "bias": reader.take(f"{name}.bias", width),
    }
