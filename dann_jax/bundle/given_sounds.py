"""Sounds that a program hands over: arrays, or paths of recordings."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from etils import epath

from dann_jax.bundle.audio_features import corpus_of, features_of, rates_of
from dann_jax.data.corpus import Corpus
from dann_jax.data.features.audio import SILENT, AudioError, read_audio, resample
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.given_sound import as_mono, checked_rate

_log = logging.getLogger(__name__)

Sound = np.ndarray | epath.PathLike
"""`[n]` or `[n, channels]`, as `as_mono` takes it; or the path of a recording."""

_Samples = Mapping[int, np.ndarray]
"""Sample rate -> the same sound at this rate, float32 `[n]` in [-1, 1]."""


def corpus_of_sounds(
    extractors: Mapping[str, Extractor],
    sounds: Sequence[Sound],
    sample_rate: int | None,
    *,
    max_frames: int = 0,
    only_with_sound: bool = False,
) -> Corpus:
    """A corpus of the features of these sounds, each an utterance by itself.

    Args:
      extractors: modality -> its extractor.
      sounds: arrays or paths.
      sample_rate: of the arrays, in Hz; they are resampled to what features need. None
        for paths.
      max_frames: as for `features_of`.
      only_with_sound: whether to pass over what is silent, without a warning.

    Raises:
      AudioError: a sound is none, or too short; or all are to be passed over.
    """
    rates = rates_of(extractors)
    read = [_samples(sound, sample_rate, rates) for sound in sounds]
    if only_with_sound:
        read = list(_loud(read))
    elif any(map(_is_silent, read)):
        _log.warning("warning: the sound is silent: its prediction means nothing")
    features = [
        features_of(extractors, samples, max_frames=max_frames) for samples in read
    ]
    return corpus_of(extractors, features)


def _samples(sound: Sound, sample_rate: int | None, rates: Iterable[int]) -> _Samples:
    if isinstance(sound, str | os.PathLike):
        if sample_rate is not None:
            raise AudioError(
                f"{os.fspath(sound)}: a file knows its own sample rate; leave "
                f"sample_rate out"
            )
        return {rate: read_audio(sound, sample_rate=rate).samples for rate in rates}
    if sample_rate is None:
        raise AudioError("the sample rate of an array must be given, in Hz")
    own, waveform = checked_rate(sample_rate), as_mono(sound)
    return {rate: resample(waveform, own, rate) for rate in rates}


def _is_silent(samples: _Samples) -> bool:
    one = next(iter(samples.values()))
    return bool(np.ptp(one) < 2 * SILENT) if len(one) else True


def _loud(read: Sequence[_Samples]) -> Iterable[_Samples]:
    loud = [samples for samples in read if not _is_silent(samples)]
    if not loud:
        raise AudioError(
            f"{len(read)} clips and none with sound: a person is enrolled by one "
            f"recording of their voice at least"
        )
    return loud
