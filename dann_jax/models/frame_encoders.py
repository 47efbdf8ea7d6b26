"""The encoders of frames that a config can name."""

from collections.abc import Mapping
from typing import Any

from flax import linen as nn
from jax.typing import DTypeLike

from dann_jax.models.frames import FrameEncoder
from dann_jax.models.named_modules import make_named
from dann_jax.models.tdnn_lstm import TdnnLstm
from dann_jax.models.waveform import WaveformEncoder

FRAME_ENCODERS = {
    "attentive": FrameEncoder,
    "tdnn_lstm": TdnnLstm,
    "waveform": WaveformEncoder,
}
"""Name in a config -> a module `(x [..., F, dim], num_frames [...], deterministic=) ->
[..., out]` whose output does not depend on padding."""


def make_frame_encoder(
    options: Mapping[str, Any], *, dtype: DTypeLike, module: str | None = None
) -> nn.Module:
    """The encoder that a section of a config describes.

    Args:
      options: `name`, one of `FRAME_ENCODERS` (`attentive` if there is none) or
        `package.module:Name`, and arguments of its constructor.
      dtype: compute type.
      module: name of its parameters in the enclosing module.

    Raises:
      ValueError: there is no such encoder, or it has no such argument.

    Example:
      >>> import jax.numpy as jnp
      >>> make_frame_encoder({"name": "tdnn_lstm", "width": 8}, dtype=jnp.float32).width
      8
    """
    return make_named(
        "encoder.frames",
        options,
        FRAME_ENCODERS,
        default="attentive",
        dtype=dtype,
        name=module,
    )
