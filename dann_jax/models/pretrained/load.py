"""A pretrained encoder from its folder or its Hugging Face name."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from etils import epath
from jax.typing import DTypeLike

from dann_jax.models.pretrained.conversion import (
    SPEECH_OTHERS,
    SPEECH_PREFIXES,
    WHISPER_OTHERS,
    WHISPER_PREFIXES,
    speech_params,
    whisper_params,
)
from dann_jax.models.pretrained.front_end import FrontEnd, read_front_end
from dann_jax.models.pretrained.hub import find_folder
from dann_jax.models.pretrained.settings import (
    PretrainedError,
    Settings,
    WhisperSettings,
    read_settings,
)
from dann_jax.models.pretrained.wav2vec2 import SpeechEncoder
from dann_jax.models.pretrained.weights import open_weights
from dann_jax.models.pretrained.whisper import WhisperEncoder
from dann_jax.types import PyTree

Encoder = WhisperEncoder | SpeechEncoder

DTYPES = ("float32", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """An encoder with its parameters and what turns sound into its inputs.

    Attributes:
      module: `module.apply({"params": params}, inputs, lengths, layers=...)`.
      params: of the module, in its compute type.
      front_end: `front_end(waveforms, lengths) -> inputs, lengths`.
      config: the parsed `config.json`.
      name: as it was asked for.
      digest: of the encoder's weights, 32 hexadecimal digits; equal for equal numbers,
        in whatever files and types they were.
    """

    module: Encoder
    params: PyTree
    front_end: FrontEnd
    config: Mapping[str, Any]
    name: str
    digest: str

    @property
    def num_layers(self) -> int:
        """Transformer layers; hidden states are numbered 0 to this."""
        return self.module.settings.num_layers

    @property
    def width(self) -> int:
        """Values of a frame of a hidden state."""
        return self.module.settings.width

    @property
    def sample_rate(self) -> int:
        """Of the sound that the front end takes, in Hz."""
        return self.front_end.sample_rate


def load(
    name: epath.PathLike, *, dtype: DTypeLike = jnp.float32, pad_to_30s: bool = False
) -> Pretrained:
    """Loads Whisper's encoder, wav2vec 2.0, XLS-R, HuBERT or WavLM.

    Args:
      name: a folder with `config.json`, `preprocessor_config.json` and
        `model.safetensors` (or several such files with their index), or a Hugging Face
        name such as `openai/whisper-base`, which is looked for in the Hugging Face
        cache and fetched by `huggingface_hub` where that is installed.
      dtype: float32, bfloat16 or float16: of the parameters and of what is computed.
      pad_to_30s: Whisper attends to zeros up to 30 seconds, as in transformers, in
        place of the real length; ten times slower for short recordings.

    Returns:
      The encoder.

    Raises:
      PretrainedError: there is no such model, a file of it is missing, or a tensor is
        missing, surplus or of another shape; it says which.

    Example:
      ```
      whisper = dann_jax.pretrained.load("openai/whisper-base")
      features = dann_jax.pretrained.hidden_states(whisper, waveforms, layers=[3])

      # Or by hand, with whatever is to be differentiated or sharded:
      inputs, lengths = whisper.front_end(padded, lengths)
      hidden = whisper.module.apply({"params": whisper.params}, inputs, lengths)
      ```
    """
    dtype = _checked_dtype(dtype)
    folder = find_folder(name)
    config = _read_json(folder / "config.json")
    try:
        settings = read_settings(config)
    except PretrainedError as error:
        raise PretrainedError(f"{folder / 'config.json'}: {error}") from None
    front_end = _front_end(folder, settings, pad_to_30s)
    whisper = isinstance(settings, WhisperSettings)
    prefixes = WHISPER_PREFIXES if whisper else SPEECH_PREFIXES
    with open_weights(folder, prefixes) as reader:
        try:
            params = (whisper_params if whisper else speech_params)(settings, reader)
            reader.check_rest(WHISPER_OTHERS if whisper else SPEECH_OTHERS)
        except PretrainedError as error:
            raise PretrainedError(f"{folder}: {error}") from None
    return Pretrained(
        module=_module(settings, dtype),
        params=jax.tree.map(lambda value: jnp.asarray(value, dtype), params),
        front_end=front_end,
        config=config,
        name=str(name),
        digest=reader.digest(),
    )


def from_config(
    config: Mapping[str, Any], key: jax.Array, *, dtype: DTypeLike = jnp.float32
) -> Pretrained:
    """An encoder with random weights, to train from scratch or to try something.

    Args:
      config: what a `config.json` would hold.
      key: a scalar PRNG key.
      dtype: see `load`.

    Returns:
      The encoder; its front end normalises as most models of its kind do, and its
      digest is empty.

    Raises:
      PretrainedError: see `settings.read_settings`.
    """
    dtype = _checked_dtype(dtype)
    settings = read_settings(config)
    module = _module(settings, dtype)
    mels = config.get("num_mel_bins")
    front_end = read_front_end(
        {
            "feature_size": mels,
            "sampling_rate": 16000,
            "n_fft": 400,
            "hop_length": 160,
            "do_normalize": True,
        },
        settings,
    )
    samples = jnp.zeros((1, max(front_end.min_samples, 400)))
    inputs, lengths = front_end(samples, jnp.array([samples.shape[1]]))
    params = jax.jit(module.init)(key, inputs, lengths)["params"]
    params = jax.tree.map(lambda value: value.astype(dtype), params)
    return Pretrained(module, params, front_end, config, "random", "")


def _module(settings: Settings, dtype: DTypeLike) -> Encoder:
    if isinstance(settings, WhisperSettings):
        return WhisperEncoder(settings, dtype)
    return SpeechEncoder(settings, dtype)


def _checked_dtype(dtype: DTypeLike) -> DTypeLike:
    dtype = jnp.dtype(dtype)
    if dtype.name not in DTYPES:
        raise ValueError(f"dtype={dtype.name}: must be one of {', '.join(DTYPES)}")
    return dtype


def _front_end(folder: epath.Path, settings: Settings, pad_to_30s: bool) -> FrontEnd:
    path = folder / "preprocessor_config.json"
    if not path.exists() and (folder / "processor_config.json").exists():
        # Where transformers 5 saves it together with a tokenizer's.
        path = folder / "processor_config.json"
        config = _read_json(path).get("feature_extractor", {})
    else:
        config = _read_json(path)
    try:
        return read_front_end(config, settings, pad_to_30s)
    except PretrainedError as error:
        raise PretrainedError(f"{path}: {error}") from None


def _read_json(path: epath.Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        raise PretrainedError(f"{path.parent} has no {path.name}") from None
    except (ValueError, OSError) as error:
        raise PretrainedError(f"{path} cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise PretrainedError(f"{path} must hold a JSON object")
    return value
