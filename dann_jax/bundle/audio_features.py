"""Features of recordings, computed as those of the training corpus were."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.extractor import Extractor, compute_each
from dann_jax.data.frames import Frames
from dann_jax.tasks.plan import padded_frames

MOST_FRAMES = 1 << 16
"""Frames of one utterance that a network without a limit is given: eleven minutes at
100 a second, from which a network of the usual width makes 100 MB."""

UtteranceFeatures = Mapping[str, np.ndarray]
"""Of one utterance: modality -> float32 `[dim]` or `[frames, dim]`."""


def rates_of(extractors: Mapping[str, Extractor]) -> set[int]:
    """The sample rates that the extractors need, in Hz."""
    return {extractor.sample_rate for extractor in extractors.values()}


def features_of(
    extractors: Mapping[str, Extractor],
    samples: Mapping[int, np.ndarray],
    *,
    name: str = "the waveform",
    max_frames: int = 0,
) -> UtteranceFeatures:
    """The features of one utterance.

    Args:
      extractors: modality -> its extractor.
      samples: sample rate -> float32 `[n]`, for all of `rates_of`.
      name: of the utterance, for messages.
      max_frames: as in `Description`; of longer utterances the middle is returned.

    Returns:
      Modality -> float32 `[dim]` or `[frames, dim]`.

    Raises:
      AudioError: an extractor returns nothing, or NaN, or the network would get more
        than `MOST_FRAMES` frames at once.
    """
    features = {}
    for modality, extractor in extractors.items():
        samples_read = samples[extractor.sample_rate]
        _require_length(extractor, len(samples_read), max_frames, name)
        try:
            values = extractor.compute(samples_read)
        # Extractors are other people's code; one file must not cost the others.
        except Exception as error:
            raise AudioError(f"{name}: no {modality!r} of it: {error}") from error
        features[modality] = _checked(
            *(extractor, values, modality), name=name, max_frames=max_frames
        )
    return features


def _checked(
    extractor: Extractor,
    values: np.ndarray,
    modality: str,
    *,
    name: str,
    max_frames: int,
) -> np.ndarray:
    """What an extractor made of an utterance, if a network can take it."""
    limit = padded_frames(max_frames) if max_frames else MOST_FRAMES
    if not values.size or not np.isfinite(values).all():
        raise AudioError(f"{name}: no finite {modality!r} of it")
    if not extractor.framewise or len(values) <= limit:
        return values
    if not max_frames:
        raise AudioError(
            f"{name}: has {len(values)} frames; this model looks at all of them at "
            f"once, and takes {MOST_FRAMES} at most: cut it into windows "
            "(dann-predict --window=SECONDS)"
        )
    # What `Frames.places` would look up; the rest need not be kept.
    first = (len(values) - limit) // 2
    return values[first : first + limit].copy()


def postponed(extractors: Mapping[str, Extractor]) -> dict[str, Extractor]:
    """The same extractors, of which those for batches return the sound instead."""
    return {
        modality: dataclasses.replace(extractor, framewise=False, compute=lambda x: x)
        if extractor.compute_batch
        else extractor
        for modality, extractor in extractors.items()
    }


def complete(
    extractors: Mapping[str, Extractor],
    features: Sequence[UtteranceFeatures],
    names: Sequence[str],
    *,
    max_frames: int = 0,
) -> list[UtteranceFeatures | AudioError]:
    """Features in the place of the sound that `postponed` extractors returned.

    Args:
      extractors: modality -> its extractor.
      features: of each utterance, by `postponed(extractors)`.
      names: of the utterances, for messages.
      max_frames: as for `features_of`.

    Returns:
      The features of each utterance, or why there are none.
    """
    results: list[UtteranceFeatures | AudioError] = [
        dict(utterance) for utterance in features
    ]
    for modality, extractor in extractors.items():
        if extractor.compute_batch is None:
            continue
        values = compute_each(
            extractor, [utterance[modality] for utterance in features]
        )
        for row, (name, result) in enumerate(zip(names, values, strict=True)):
            if isinstance(results[row], AudioError):
                continue
            try:
                if isinstance(result, Exception):
                    raise AudioError(f"{name}: no {modality!r} of it: {result}")
                results[row][modality] = _checked(
                    *(extractor, result, modality), name=name, max_frames=max_frames
                )
            except AudioError as error:
                results[row] = error
    return results


def _require_length(
    extractor: Extractor, count: int, max_frames: int, name: str
) -> None:
    """Refuse less than a frame, and more frames than the network can take at once."""
    rate, hop = extractor.sample_rate, extractor.parameters.get("hop")
    if not (rate and hop):
        return
    frame = extractor.parameters.get("window", hop)
    if count < frame * rate:
        raise AudioError(
            f"{name}: {count / rate:g} s are shorter than one frame of {frame:g} s"
        )
    if extractor.framewise and not max_frames and count / rate / hop > MOST_FRAMES:
        raise AudioError(
            f"{name}: lasts {count / rate:.0f} s; this model reads all frames at "
            f"once, and takes {MOST_FRAMES * hop:.0f} s at most: cut it into windows "
            "(dann-predict --window=SECONDS)"
        )


def corpus_of(
    extractors: Mapping[str, Extractor],
    features: Sequence[UtteranceFeatures],
    *,
    dialogue: Sequence[str] = (),
    speaker: Sequence[str] = (),
) -> Corpus:
    """A corpus without labels of utterances `[N]`, in this order.

    Args:
      extractors: modality -> its extractor.
      features: of each utterance.
      dialogue: of each; empty strings, the default, for those by themselves.
      speaker: of each; empty strings by default.
    """
    rows, unknown = len(features), [""] * len(features)

    def stacked(name: str) -> np.ndarray | Frames:
        parts = [utterance[name] for utterance in features]
        if not extractors[name].framewise:
            return np.stack(parts)
        return Frames(np.concatenate(parts), np.array([len(part) for part in parts]))

    turn = np.arange(rows).astype(str)
    return Corpus(
        name="recordings",
        columns={
            "utt_id": turn,
            "turn": turn,
            "dialogue": np.array(dialogue or unknown),
            "speaker": np.array(speaker or unknown),
        },
        features={name: stacked(name) for name in extractors},
        present={name: np.ones(rows, bool) for name in extractors},
        provenance={
            "features": {
                name: extractor.provenance() for name, extractor in extractors.items()
            }
        },
    )
