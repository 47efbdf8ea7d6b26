"""Hidden states of a pretrained speech encoder, as features."""

import functools
import json
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.extractor import Extractor

# Worker processes import this module: JAX and the encoders are imported in functions.

PRETRAINED = "pretrained"
"""The extractor's name in a provenance."""

FLAX = "flax"
"""What computes an encoder, where nothing else is said."""


def pretrained(
    *,
    model: epath.PathLike = "",
    folder: epath.PathLike | None = None,
    layers: int | str | Sequence[int] | None = None,
    pooling: str = "mean_std",
    pad_to_30s: bool = False,
    digest: str | None = None,
    sample_rate: int | None = None,
    implementation: str = FLAX,
) -> Extractor:
    """Layers of Whisper, wav2vec 2.0, XLS-R, HuBERT or WavLM; `mean_std` by default.

    Any other model is computed by transformers and PyTorch, in a process of its own
    (`torch_encoder.py`), where these are installed.

    The mean of a layer over the real frames of the utterance and their standard
    deviation; or the frames. Utterances are computed in batches on the device of JAX.

    The layer in the middle is the default, such as 3 of 6 and 12 of 24: what comes
    between sound and words tells emotions best. Of Whisper base, layer 3 was best on
    RAVDESS, EMOVO and Emo-DB. wav2vec 2.0 goes from sound to words and back, so that
    its last layers resemble its first ones, and HuBERT and WavLM put words at the end.

    References:
      Pasad, Chou and Livescu, "Layer-wise Analysis of a Self-supervised Speech
      Representation Model", ASRU 2021; Pasad, Shi and Livescu, "Comparative Layer-wise
      Analysis of Self-supervised Speech Models", ICASSP 2023.

    Args:
      model: a Hugging Face name such as `openai/whisper-base`, or a folder with
        `config.json`, `preprocessor_config.json` and `model.safetensors`. Provenance
        has the name, or that of the folder, and the digest of the weights, which alone
        decides whether two models are the same.
      folder: where the model lies, if `model` is only its name.
      layers: hidden states, 0 being the input of the first layer and negative numbers
        counting back; one or several, or `all`; None is the middle. The values of
        several stand one behind the other, those of a layer together.
      pooling: `mean` `[D]`, `mean_std` (deviations behind the means) `[2 D]`, each
        times the number of layers, or `frames` `[frames, D]`.
      pad_to_30s: Whisper attends to silence up to 30 s, as in transformers, in the
        place of the real length; that is ten times slower. Padding is never pooled.
      digest: that the weights must have, as provenance records it.
      sample_rate: that the model must have, in Hz.
      implementation: `transformers`, as provenance records it, for a model that must
        not be computed by Flax.

    Returns:
      The extractor; the weights have been read.

    Raises:
      ValueError: there is no such model, its weights have another digest, or a
        parameter is out of its range.
    """
    from dann_jax.models.pretrained import PretrainedError
    from dann_jax.models.pretrained.layers import chosen_layers
    from dann_jax.models.pretrained.pooling import POOLINGS

    if not model and not folder:
        raise ValueError(
            "pretrained needs a model: --pretrained.model=openai/whisper-base, or the "
            "folder of one"
        )
    if pooling not in POOLINGS:
        raise ValueError(f"pooling={pooling!r}: must be one of {', '.join(POOLINGS)}")
    if type(pad_to_30s) is not bool:
        raise ValueError(f"pad_to_30s={pad_to_30s!r}: must be True or False")
    model_folder = _folder(model, folder, known=digest is not None)
    encoder = _load(os.fspath(model_folder), _state(model_folder), pad_to_30s)
    for name, asked, actual in (
        ("digest", digest, encoder.digest),
        ("sample_rate", sample_rate, encoder.sample_rate),
        ("implementation", implementation, encoder.implementation),
    ):
        # By Flax, unless something else is said.
        if asked not in (None, FLAX, actual):
            raise PretrainedError(
                f"{model_folder} holds another model: its {name} is {actual}, needed "
                f"is {asked}"
            )
    chosen = chosen_layers(_numbers(layers, encoder.num_layers), encoder.num_layers)
    framewise = pooling == "frames"

    def compute_batch(waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        for samples in waveforms:
            _check_length(samples, encoder)
        states = encoder.states(waveforms, layers=chosen, pooling=pooling)
        return [
            each.reshape(len(each), -1) if framewise else each.reshape(-1)
            for each in states
        ]

    return Extractor(
        name=PRETRAINED,
        version=1,
        parameters={
            "layers": list(chosen),
            "pooling": pooling,
            "pad_to_30s": pad_to_30s,
            "digest": encoder.digest,
            **encoder.marks(),
        },
        dim=len(chosen) * encoder.width * (2 if pooling == "mean_std" else 1),
        framewise=framewise,
        compute=lambda samples: compute_batch([samples])[0],
        sample_rate=encoder.sample_rate,
        packages=(*encoder.packages, "librosa", "soundfile", "soxr"),
        about={"model": _name(model or model_folder)},
        compute_batch=compute_batch,
    )


def _folder(
    model: epath.PathLike, folder: epath.PathLike | None, known: bool
) -> epath.Path:
    """Where the model lies; a known one that lay in a folder is not looked for."""
    from dann_jax.models.pretrained import PretrainedError
    from dann_jax.models.pretrained.hub import find_folder

    if folder is not None:
        folder = epath.Path(folder).expanduser()
        if not folder.is_dir():
            raise PretrainedError(f"no such folder: {folder}")
        return folder
    path = epath.Path(model).expanduser()
    if path.is_dir():
        return path
    if known and "/" not in os.fspath(model):
        raise PretrainedError(f"the folder {model} of the encoder is not here")
    return find_folder(model)


def _name(model: epath.PathLike) -> str:
    """A Hugging Face name, or the name of a folder without where it lies."""
    path = epath.Path(model).expanduser()
    return os.path.basename(os.path.abspath(path)) if path.is_dir() else str(model)


def _state(folder: epath.Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when a file of the model does."""
    files = [*folder.glob("*.json"), *folder.glob("*.safetensors")]
    stats = ((file, os.stat(file)) for file in sorted(files))
    return tuple((file.name, s.st_size, s.st_mtime_ns) for file, s in stats)


class _Encoder(NamedTuple):
    """What the extractor uses of an encoder, whoever computes it.

    `states` is `models.pretrained.hidden_states` of it.
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


@functools.lru_cache(maxsize=2)
def _load(folder: str, state: tuple, pad_to_30s: bool) -> _Encoder:
    """The encoder; read once while its files are the same."""
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
    return _Encoder(model.digest, *sizes, shortest, states, FLAX, ("jax",))


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


def _load_torch(folder: str, pad_to_30s: bool) -> _Encoder:
    from dann_jax.data.features.torch_encoder import TorchEncoder

    if pad_to_30s:
        raise ValueError(f"pad_to_30s is for Whisper alone, and {folder} is another")
    model = TorchEncoder(folder)
    sizes = (model.sample_rate, model.num_layers, model.width, model.min_samples)
    packages = ("torch", "transformers")
    return _Encoder(model.digest, *sizes, model.hidden_states, packages[1], packages)


def _numbers(
    layers: int | str | Sequence[int] | None, num_layers: int
) -> tuple[int, ...] | None:
    """The layers as numbers; None for all."""
    if layers is None:
        return (num_layers // 2,)
    if layers == "all":
        return None
    numbers = tuple(layers) if isinstance(layers, list | tuple) else (layers,)
    if not all(type(number) is int for number in numbers):
        raise ValueError(
            f"layers={layers!r}: must be a number such as 3, several such as 2,3, or "
            f"all"
        )
    return numbers


def _check_length(samples: np.ndarray, encoder: _Encoder) -> None:
    needed = encoder.min_samples
    if len(samples) < needed:
        rate = encoder.sample_rate
        raise AudioError(
            f"{len(samples) / rate:.3f} s are shorter than the {needed / rate:.3f} s "
            f"that the encoder needs"
        )
