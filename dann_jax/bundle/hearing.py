"""From sound to a corpus of features."""

from collections.abc import Mapping, Sequence

import numpy as np

from dann_jax.corpora.corpus import Corpus
from dann_jax.corpora.frames import Frames
from dann_jax.features.audio import AudioError
from dann_jax.features.extractor import Extractor

Features = Mapping[str, np.ndarray]
"""Of one utterance: modality -> float32 `[dim]` or `[frames, dim]`."""


def rates_of(extractors: Mapping[str, Extractor]) -> set[int]:
    """The sample rates that the extractors need, in Hz."""
    return {extractor.sample_rate for extractor in extractors.values()}


def features_of(
    extractors: Mapping[str, Extractor],
    samples: Mapping[int, np.ndarray],
    *,
    name: str = "the waveform",
) -> Features:
    """The features of one utterance.

    Args:
      extractors: modality -> its extractor.
      samples: sample rate -> float32 `[n]`, for all of `rates_of`.
      name: of the utterance, for messages.

    Raises:
      AudioError: an extractor makes nothing, or NaN, of the sound.
    """
    features = {}
    for modality, extractor in extractors.items():
        try:
            made = extractor.compute(samples[extractor.sample_rate])
        # Extractors are other people's code; one file must not cost the others.
        except Exception as error:
            raise AudioError(f"{name}: no {modality!r} of it: {error}") from error
        if not made.size or not np.isfinite(made).all():
            raise AudioError(f"{name}: no finite {modality!r} of it")
        features[modality] = made
    return features


def corpus_of(
    extractors: Mapping[str, Extractor],
    features: Sequence[Features],
    *,
    dialogue: Sequence[str] = (),
    speaker: Sequence[str] = (),
) -> Corpus:
    """A corpus without labels of utterances `[N]`, in this order.

    Args:
      extractors: modality -> what made it.
      features: of each utterance.
      dialogue: of each; empty strings, the default, for those by themselves.
      speaker: of each; empty strings by default.
    """
    rows, nothing = len(features), [""] * len(features)

    def stacked(name: str) -> np.ndarray | Frames:
        parts = [own[name] for own in features]
        if not extractors[name].framewise:
            return np.stack(parts)
        return Frames(np.concatenate(parts), np.array([len(part) for part in parts]))

    turn = np.arange(rows).astype(str)
    return Corpus(
        name="recordings",
        columns={
            "utt_id": turn,
            "turn": turn,
            "dialogue": np.array(dialogue or nothing),
            "speaker": np.array(speaker or nothing),
        },
        features={name: stacked(name) for name in extractors},
        present={name: np.ones(rows, bool) for name in extractors},
        provenance={
            "features": {
                name: extractor.provenance() for name, extractor in extractors.items()
            }
        },
    )
