"""Predictions of many recordings, one after the other, in bounded memory."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dann_jax.bundle.audio_features import (
    UtteranceFeatures,
    complete,
    corpus_of,
    features_of,
    postponed,
    rates_of,
)
from dann_jax.bundle.enrolment import named
from dann_jax.bundle.model import Bundle
from dann_jax.bundle.recordings import Clip, Report, batches
from dann_jax.bundle.rejection import rejected, require_rejection
from dann_jax.data.corpus import Corpus
from dann_jax.data.features.audio import AudioError, Recording, read_audio
from dann_jax.data.features.extractor import Extractor
from dann_jax.evaluation.scorers.table import Prediction, Rating
from dann_jax.utils.text import one_line

_log = logging.getLogger(__name__)

_MOST_SECONDS = 960.0
"""Of sound that is kept to compute features of several recordings together."""


class ReadClip(NamedTuple):
    """A clip, its duration in seconds, its features, and `Recording.problems`."""

    clip: Clip
    duration: float
    features: UtteranceFeatures
    problems: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether there is nothing to be heard."""
        return "silent" in self.problems


class ClipPrediction(NamedTuple):
    """A clip, its duration in seconds, its prediction, and `Recording.problems`."""

    clip: Clip
    duration: float
    prediction: Prediction | Rating
    problems: tuple[str, ...] = ()


def predict_clips(
    bundle: Bundle,
    clips: Iterable[Clip],
    *,
    report: Report,
    batch_size: int = 16,
    reject: float = 0.0,
) -> Iterator[ClipPrediction]:
    """Predict recordings in the order in which they come.

    Memory holds one recording and the features of one batch; where features are
    computed in batches, the sound of as many recordings as make `_MOST_SECONDS`.

    Args:
      bundle: the model; its features must be ones that are made from audio.
      clips: recordings or parts of them; read as they are needed.
      report: called with a line for each clip that cannot be predicted.
      batch_size: clips at a time.
      reject: as in `Bundle.predict`.

    Raises:
      BundleError: the features cannot be made from audio, or not as they were.
    """
    require_rejection(bundle.description, reject)
    read = read_clips(bundle, clips, report=report, batch_size=batch_size)
    yield from predict_read(
        bundle, read, report=report, batch_size=batch_size, reject=reject
    )


def read_clips(
    bundle: Bundle, clips: Iterable[Clip], *, report: Report, batch_size: int = 16
) -> Iterator[list[ReadClip]]:
    """Features of recordings, in batches, none of which is empty; see `predict_clips`.

    Args:
      bundle: the model.
      clips: as for `predict_clips`.
      report: called with a line for each clip that cannot be read.
      batch_size: clips at a time.
    """
    extractors, limit = bundle.extractors(), bundle.description.max_frames
    for batch in batches(clips, batch_size):
        if readable := list(_readable(extractors, batch, report, limit)):
            yield readable


def predict_read(
    bundle: Bundle,
    read: Iterable[Sequence[ReadClip]],
    *,
    report: Report,
    batch_size: int = 16,
    reject: float = 0.0,
) -> Iterator[ClipPrediction]:
    """As `predict_clips`, of batches from `read_clips`."""
    bundle.require_answers()
    extractors = bundle.extractors()
    for batch in read:
        corpus = corpus_of_clips(bundle, extractors, batch)
        outputs = bundle.predict_corpus(corpus, batch_size=batch_size, finite=False)
        for one, row in zip(batch, outputs, strict=True):
            if np.isfinite(row).all():
                prediction = rejected(bundle.named(row), reject)
                yield ClipPrediction(one.clip, one.duration, prediction, one.problems)
            else:
                report(f"{one.clip.name}: the model's output is not a finite number")


def corpus_of_clips(
    bundle: Bundle, extractors: Mapping[str, Extractor], read: Sequence[ReadClip]
) -> Corpus:
    """The corpus of these clips; their people are where the model looks for them."""
    speakers = [one.clip.speaker for one in read]
    corpus = corpus_of(
        extractors,
        [one.features for one in read],
        dialogue=[one.clip.dialogue for one in read],
        speaker=speakers,
    )
    if not bundle.priors:
        return corpus
    return named(corpus, bundle.description, np.array(speakers))


def _readable(
    extractors: Mapping[str, Extractor],
    batch: Sequence[Clip],
    report: Report,
    max_frames: int,
) -> Iterator[ReadClip]:
    """Every clip that can be read."""
    first = postponed(extractors)
    waiting: list[ReadClip] = []
    for clip in batch:
        one = _read(first, clip, report, max_frames)
        if one is not None:
            waiting.append(one)
        if sum(one.duration for one in waiting) >= _MOST_SECONDS:
            yield from _completed(extractors, waiting, report, max_frames)
            waiting = []
    yield from _completed(extractors, waiting, report, max_frames)


def _completed(
    extractors: Mapping[str, Extractor],
    waiting: Sequence[ReadClip],
    report: Report,
    max_frames: int,
) -> Iterator[ReadClip]:
    completed = complete(
        extractors,
        [one.features for one in waiting],
        [one_line(one.clip.name) for one in waiting],
        max_frames=max_frames,
    )
    for one, features in zip(waiting, completed, strict=True):
        if isinstance(features, AudioError):
            report(str(features))
        else:
            yield one._replace(features=features)


def _read(
    extractors: Mapping[str, Extractor], clip: Clip, report: Report, max_frames: int
) -> ReadClip | None:
    """A clip and its features; None, and a line to `report`, on an error."""
    try:
        read = {
            rate: read_audio(
                clip.file,
                sample_rate=rate,
                start=clip.start,
                end=clip.end,
                in_memory=False,
            )
            for rate in rates_of(extractors)
        }
        recording = next(iter(read.values()))
        _warn(clip, recording)
        samples = {rate: recording.samples for rate, recording in read.items()}
        features = features_of(
            extractors, samples, name=clip.file, max_frames=max_frames
        )
    # Some stores have errors of their own; one file must not cost the others.
    except Exception as error:
        reason = str(error).replace(clip.file, clip.name, 1)
        is_named = isinstance(error, AudioError)
        report(reason if is_named else f"{clip.name}: {type(error).__name__}: {reason}")
        return None
    return ReadClip(clip, recording.duration, features, recording.problems)


def _warn(clip: Clip, recording: Recording) -> None:
    """Log what is doubtful in a recording, before its features take their time."""
    if not recording.problems:
        return
    notes = {
        "silent": " (its prediction means nothing)",
        "long": f" ({recording.duration:.0f} s, taken as one utterance)",
    }
    cut = clip.start or clip.end is not None
    _log.warning(
        "warning: %s%s is %s",
        one_line(clip.name),
        f", {clip.start:g} to {clip.start + recording.duration:g} s," if cut else "",
        ", ".join(f"{one}{notes.get(one, '')}" for one in recording.problems),
    )
