"""Pretrained encoders, whoever computes them: Flax here, or PyTorch elsewhere."""

import functools
import json
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from etils import epath

# Worker processes import this module: JAX and the encoders are imported in functions.

FLAX = "flax"
"""What computes an encoder, where nothing else is said."""


class Encoder(NamedTuple):
    """What the extractor uses of an encoder.

    Attributes:
      digest: of its weights, 32 hexadecimal digits.
      sample_rate: of the sound that it takes, in Hz.
      num_layers: hidden states are numbered 0 to this.
      width: values of a frame of a hidden state.
      min_samples: of the shortest sound that it takes.
      states: `models.pretrained.hidden_states` of it.
      implementation: `FLAX` or `transformers`.
      packages: those whose version may change the values.
    """

    digest: str
    sample_rate: int
    num_layers: int
    width: int
    min_samples: int
    states: Callable[..., list[np.ndarray]]
    implementation: str
    packages: tuple[str, ...]

    def marks(self) -> dict[str, str]:
        """Parameters of those alone that are not computed by Flax."""
        known = self.implementation == FLAX
        return {} if known else {"implementation": self.implementation}


def load_encoder(folder: epath.Path, pad_to_30s: bool) -> Encoder:
    """The encoder in a folder; read once while its files are the same.

    Args:
      folder: of the model.
      pad_to_30s: for Whisper alone.

    Raises:
      ValueError: it cannot be read; the message says why.
    """
    return _load(os.fspath(folder), _state(folder), pad_to_30s)


@functools.lru_cache(maxsize=2)
def _load(folder: str, state: tuple, pad_to_30s: bool) -> Encoder:
    del state
    if _is_foreign(epath.Path(folder)):
        return _load_torch(folder, pad_to_30s)
    import jax

    from dann_jax.models import pretrained as encoders

    model = encoders.load(folder, pad_to_30s=pad_to_30s)

    def states(*arguments: Any, **options: Any) -> list[np.ndarray]:
        # Some devices round products by default, so that features would depend on them.
        with jax.default_matmul_precision("float32"):
            return encoders.hidden_states(model, *arguments, **options)

    sizes = (model.sample_rate, model.num_layers, model.width)
    shortest = model.front_end.min_samples
    return Encoder(model.digest, *sizes, shortest, states, FLAX, ("jax",))


def _is_foreign(folder: epath.Path) -> bool:
    """Whether a model is of an architecture that there is no Flax module for."""
    from dann_jax.models.pretrained.settings import MODEL_TYPES

    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        # Whoever loads it says what is wrong.
        return False
    kind = config.get("model_type") if isinstance(config, dict) else None
    return isinstance(kind, str) and kind not in MODEL_TYPES


def _load_torch(folder: str, pad_to_30s: bool) -> Encoder:
    from dann_jax.data.features.torch_encoder import TorchEncoder

    if pad_to_30s:
        raise ValueError(f"pad_to_30s is for Whisper alone, and {folder} is another")
    model = TorchEncoder(folder)
    sizes = (model.sample_rate, model.num_layers, model.width, model.min_samples)
    packages = ("torch", "transformers")
    return Encoder(model.digest, *sizes, model.hidden_states, packages[1], packages)


def _state(folder: epath.Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when a file of the model does."""
    files = [*folder.glob("*.json"), *folder.glob("*.safetensors")]
    stats = ((file, os.stat(file)) for file in sorted(files))
    return tuple((file.name, s.st_size, s.st_mtime_ns) for file, s in stats)
