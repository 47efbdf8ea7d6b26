"""What the server says of one recording, and of its model, as JSON values."""

import math
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from dann_jax.bundle.audio_features import rates_of
from dann_jax.bundle.calibration import is_calibrated
from dann_jax.bundle.model import Bundle
from dann_jax.bundle.predictions import ClipPrediction, predict_clips
from dann_jax.bundle.priors import statistics_of
from dann_jax.bundle.recordings import Clip, windows
from dann_jax.bundle.rejection import REJECTED
from dann_jax.bundle.segments import cut_into_segments
from dann_jax.data.features.audio import AudioError, decoded_sound, sound_duration
from dann_jax.data.features.speech import Detector

PROBLEMS = {
    "silent": "It is silent: what is predicted means nothing.",
    "clipped": "It is clipped: it was recorded too loud, which changes a voice.",
    "short": "It is shorter than a syllable.",
    "long": "It is long for one utterance: look at its parts rather than at the whole.",
}
"""`Recording.problems` in sentences."""


class Settings(NamedTuple):
    """How recordings are predicted, the same for all of them.

    Attributes:
      window: seconds.
      hop: seconds from one window to the next, at most `window`.
      detector: what finds the stretches of speech that are predicted in the place of
        windows; None for windows.
      reject: as in `Bundle.predict`.
      max_seconds: of a recording.
    """

    window: float
    hop: float
    detector: Detector | None = None
    reject: float = 0.0
    max_seconds: float = math.inf


class TooLongError(AudioError):
    """The recording has more seconds than the server takes."""


def answer(
    bundle: Bundle, path: pathlib.Path, name: str, settings: Settings
) -> dict[str, Any]:
    """The emotions of a recording as a whole, and of its parts.

    Args:
      bundle: the model.
      path: of the recording; alone in its folder, where what it decodes to is left.
      name: of the recording, for messages.
      settings: how it is predicted.

    Returns:
      `file`, `duration` in seconds; `whole`, a row, or None where only its parts can be
      predicted; `parts`, rows, of which there are none where a window holds everything;
      `problems`, sentences on the recording; `errors`, what could not be predicted. A
      row has `start` and `end` in seconds, the fields of a `Prediction` or `Rating`,
      and `problems`, words of `Recording.problems`.

    Raises:
      AudioError: it is no sound, or too short; it says which recording and why.
      TooLongError: it is longer than `settings.max_seconds`.
    """
    try:
        wave = path.with_name("decoded.w64")
        sound = decoded_sound(path, wave, at_most=settings.max_seconds)
        duration = sound_duration(sound, at_most=settings.max_seconds)
    except AudioError as error:
        raise AudioError(str(error).replace(str(path), name, 1)) from None
    if duration > settings.max_seconds:
        raise TooLongError(
            f"{name}: lasts longer than {settings.max_seconds:g} s, the most that this "
            f"server takes; cut it, or use dann-predict, which has no limit"
        )
    errors: list[str] = []
    whole = Clip(str(sound), name)
    clips = [whole, *_parts(whole, duration, settings, errors)]
    predicted = list(
        predict_clips(bundle, clips, report=errors.append, reject=settings.reject)
    )
    if not predicted:
        raise AudioError(errors[0])
    parts = [one for one in predicted if one.clip != whole]
    of_whole = [one for one in predicted if one.clip == whole]
    return {
        "file": name,
        "duration": round(duration, 3),
        "whole": _row(of_whole[0]) if of_whole else None,
        "parts": [_row(one) for one in parts],
        "problems": [PROBLEMS[word] for one in of_whole for word in one.problems],
        "errors": errors,
    }


def about(bundle: Bundle, settings: Settings) -> dict[str, Any]:
    """What can be known of the model before a recording is sent."""
    description = bundle.description
    return {
        "system": description.system,
        "corpora": list(description.corpora),
        "networks": len(description.members),
        "answer": description.answer,
        "labels": list(description.labels),
        "sample_rates": sorted(rates_of(bundle.extractors())),
        "parts": "speech" if settings.detector else "windows",
        "window": settings.window,
        "hop": settings.hop,
        "reject": settings.reject,
        "max_seconds": settings.max_seconds,
        "notes": list(_notes(bundle, settings)),
    }


def _notes(bundle: Bundle, settings: Settings) -> Iterable[str]:
    """Sentences on what its answers are worth."""
    how = statistics_of(bundle.description)
    if how is not None and bundle.people is None:
        yield (
            f"This model standardises each {how.column} by their own recordings, and "
            f"nobody is enrolled: the statistics of the training speakers stand in. "
            f"Start dann-serve with --enrol=CLIPS of the person who will speak."
        )
    elif bundle.people is not None:
        yield "Everybody is taken for the one person whose clips --enrol named."
    if is_calibrated(bundle.description):
        yield "Its probabilities are calibrated; the model card says how."
    elif bundle.description.answer == "classes":
        yield (
            "Its probabilities are not calibrated: 90 % does not mean that it is right "
            "nine times in ten."
        )
    if settings.reject:
        yield (
            f"Where no class has a probability of {settings.reject:g}, it answers "
            f"{REJECTED}."
        )


def _parts(
    whole: Clip, duration: float, settings: Settings, errors: list[str]
) -> Sequence[Clip]:
    if settings.detector is not None:
        cut = cut_into_segments([whole], settings.detector, report=errors.append)
        return list(cut)
    if duration <= settings.window:
        return []
    cuts = windows(duration, settings.window, settings.hop)
    return [whole._replace(start=start, end=end) for start, end in cuts]


def _row(one: ClipPrediction) -> dict[str, Any]:
    return {
        "start": round(one.clip.start, 3),
        "end": round(one.clip.start + one.duration, 3),
        **{name: _rounded(value) for name, value in one.prediction._asdict().items()},
        "problems": list(one.problems),
    }


def _rounded(value: Any) -> Any:
    """As in the tables of `dann-predict`."""
    if isinstance(value, dict):
        return {name: round(number, 6) for name, number in value.items()}
    return value
