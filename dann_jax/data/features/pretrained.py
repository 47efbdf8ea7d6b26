"""Hidden states of a pretrained speech encoder, as features."""

from collections.abc import Sequence

import numpy as np
from etils import epath

from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.pretrained_encoder import FLAX, Encoder, load_encoder
from dann_jax.data.features.pretrained_folder import (
    card_of,
    find_encoder,
    model_name,
    remember,
)

# Worker processes import this module: JAX and the encoders are imported in functions.

PRETRAINED = "pretrained"
"""The extractor's name in a provenance."""


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
      implementation: what the model must be computed by, as provenance records it:
        `transformers`, or Flax, if nothing is said.

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
    model_folder = find_encoder(model, folder, digest)
    encoder = load_encoder(model_folder, pad_to_30s)
    for name, asked, actual in (
        ("digest", digest, encoder.digest),
        ("sample_rate", sample_rate, encoder.sample_rate),
        ("implementation", implementation, encoder.implementation),
    ):
        if asked not in (None, FLAX, actual):
            raise PretrainedError(
                f"{model_folder} holds another model: its {name} is {actual}, needed "
                f"is {asked}"
            )
    if folder is not None or epath.Path(model).expanduser().is_dir():
        remember(encoder.digest, model_folder)
    chosen = chosen_layers(_numbers(layers, encoder.num_layers), encoder.num_layers)
    framewise = pooling == "frames"

    def compute_batch(waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        for samples in waveforms:
            _check_length(samples, encoder)
        states = encoder.states(waveforms, layers=chosen, pooling=pooling)
        if not framewise:
            return [each.reshape(-1) for each in states]
        frames = [each.reshape(len(each), -1) for each in states]
        for each in frames:
            _check_half(each)
        return frames

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
        about={"model": model_name(model or model_folder), **card_of(model_folder)},
        compute_batch=compute_batch,
        half=framewise,
    )


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


def _check_length(samples: np.ndarray, encoder: Encoder) -> None:
    needed = encoder.min_samples
    if len(samples) < needed:
        rate = encoder.sample_rate
        raise AudioError(
            f"{len(samples) / rate:.3f} s are shorter than the {needed / rate:.3f} s "
            f"that the encoder needs"
        )


def _check_half(frames: np.ndarray) -> None:
    largest = np.abs(frames).max(initial=0.0)
    if largest > np.finfo(np.float16).max:
        raise AudioError(
            f"frames of the encoder hold values as large as {largest:g}, which do not "
            f"fit into the float16 of a store; pooling=mean_std keeps float32"
        )
