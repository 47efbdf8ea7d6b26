"""Audio files as mono samples at one rate, with warnings about their faults."""

import contextlib
import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.features.long_sound import StoredSamples, join_blocks
from dann_jax.data.features.sound_sizes import Unusable

if TYPE_CHECKING:
    from dann_jax.data.features.sound_files import SoundFile

SILENT = 1e-3
"""A peak below -60 dB of full scale, 33 steps of 16 bits, is noise of the recorder."""

CLIPPED = 1e-3
"""A thousandth of the values at full scale: a normalised file has one or two of them,
a clipped one flattens every loud peak."""

SHORT, LONG = 0.1, 60.0
"""Seconds. Below, there is no syllable; above, it is rarely one utterance."""


class AudioError(ValueError):
    """The file cannot be used as speech; the message says which and why."""


class Recording(NamedTuple):
    """The samples of one utterance.

    Attributes:
      samples: float32 `[n]`, mono, in [-1, 1]; see `in_memory` of `read_audio`.
      sample_rate: of `samples`, in Hz.
      duration: in seconds, of the cut at the rate of the file.
      problems: any of `silent`, `clipped`, `short`, `long`.
      audio_hash: of the cut at the rate of the file; equal for equal sound.
    """

    samples: np.ndarray | StoredSamples
    sample_rate: int
    duration: float
    problems: tuple[str, ...]
    audio_hash: str


def read_audio(
    path: epath.PathLike,
    *,
    sample_rate: int,
    start: float = 0.0,
    end: float | None = None,
    short: float = SHORT,
    long: float = LONG,
    in_memory: bool = True,
) -> Recording:
    """Read a file, or a cut of it, as mono samples at `sample_rate`.

    Any format, rate and number of channels that libsndfile knows (wav, flac, ogg, mp3,
    aiff, ...), and others (m4a, mp4, webm, wma, ...) where PyAV or ffmpeg is installed.
    Channels are averaged; resampling is soxr's, high quality. Memory grows with what
    the file holds, never with what its header claims.

    Args:
      path: the file.
      sample_rate: wanted, in Hz.
      start: of the cut, in seconds from 0.
      end: of the cut, in seconds; None is the end of the file.
      short: cuts of fewer seconds have the problem `short`.
      long: cuts of more seconds have the problem `long`.
      in_memory: whether `samples` is an array however long the cut is; if not, that
        of a long one is a `StoredSamples`, which is sliced like one.

    Returns:
      The recording.

    Raises:
      AudioError: there is no such file, it is a folder, empty, not audio or truncated,
        it holds no samples or NaN or infinite ones, or the cut lies outside of it.

    Example:
      >>> read_audio("nowhere.wav", sample_rate=16000)
      Traceback (most recent call last):
      dann_jax.data.features.audio.AudioError: nowhere.wav: there is no such file
    """
    from dann_jax.data.features.sound_files import Measured

    with _opened(epath.Path(path)) as audio:
        measured = Measured()
        blocks = measured.blocks(audio, start, end)
        samples = join_blocks(
            _resampled(blocks, audio.samplerate, sample_rate), in_memory
        )
        duration = measured.frames / audio.samplerate
    signs = {
        "silent": measured.highest - measured.lowest < 2 * SILENT,
        "clipped": measured.full / (measured.frames * audio.channels) >= CLIPPED,
        "short": duration < short,
        "long": duration > long,
    }
    return Recording(
        samples,
        sample_rate,
        duration,
        tuple(problem for problem, is_so in signs.items() if is_so),
        measured.digest.hexdigest()[:16],
    )


def sound_duration(path: epath.PathLike, *, at_most: float = math.inf) -> float:
    """Duration of a file in seconds, measured by reading it block by block.

    Args:
      path: of the file.
      at_most: seconds after which it is read no further: of a longer file the duration
        is infinity.

    Raises:
      AudioError: as `read_audio`; a header is not believed.
    """
    from dann_jax.data.features.sound_files import Measured

    with _opened(epath.Path(path)) as audio:
        measured = Measured()
        for _ in measured.blocks(audio, 0.0, None):
            if measured.frames > at_most * audio.samplerate:
                return math.inf
        return measured.frames / audio.samplerate


def decoded_sound(
    path: epath.PathLike, wave: epath.PathLike, *, at_most: float = math.inf
) -> epath.PathLike:
    """A file of the same sound that libsndfile can read, for whoever limits its size.

    Args:
      path: of a file in any format that `read_audio` takes.
      wave: where to decode it to, if libsndfile cannot read it.
      at_most: seconds after which it is decoded no further; `wave` is a little longer.

    Returns:
      `path` or `wave`.

    Raises:
      AudioError: as `read_audio`.
    """
    from dann_jax.data.features.media import decode_to
    from dann_jax.data.features.sound_names import media_format

    path = epath.Path(path)
    with _named_errors(path):
        with path.open("rb") as file:
            name = media_format(file.read(16), path.suffix)
        if not name:
            return path
        decode_to(os.fspath(path), os.fspath(wave), name, at_most)
        return wave


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Samples at another rate, by soxr's high quality, in [-1, 1]; float32 `[n]`."""
    if rate != wanted:
        import soxr

        samples = soxr.resample(samples, rate, wanted, quality="HQ")
    # A band-limited curve through a clipped peak overshoots it.
    return np.clip(samples, -1, 1).astype(np.float32, copy=False)


def _resampled(
    blocks: Iterator[np.ndarray], rate: int, wanted: int
) -> Iterator[np.ndarray]:
    """Blocks at another rate: together, what `resample` makes of the whole."""
    if rate == wanted:
        yield from (resample(block, rate, wanted) for block in blocks)
        return
    import soxr

    stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield np.clip(stream.resample_chunk(block), -1, 1)
    yield np.clip(stream.resample_chunk(np.zeros(0, np.float32), last=True), -1, 1)


@contextlib.contextmanager
def _opened(path: epath.Path) -> "Iterator[SoundFile]":
    """The open file; errors, also of reading, become an `AudioError` that names it."""
    from dann_jax.data.features.sound_files import open_sound

    with _named_errors(path), open_sound(path) as audio:
        yield audio


@contextlib.contextmanager
def _named_errors(path: epath.Path) -> Iterator[None]:
    """What is wrong with a file is an `AudioError` that names it."""
    import soundfile

    try:
        if not path.exists():
            raise AudioError("there is no such file")
        if path.is_dir():
            raise AudioError("is a folder, not an audio file")
        if not path.stat().length:
            raise AudioError("the file is empty (0 bytes)")
        yield
    except (Unusable, AudioError) as error:
        raise AudioError(f"{path}: {error}") from None
    except (OSError, TypeError, ValueError, soundfile.SoundFileError) as error:
        # soundfile raises TypeError for headerless files, whose rate it cannot know.
        raise AudioError(
            f"{path}: is not audio, or damaged: {_reason(error)}"
        ) from None


def _reason(error: Exception) -> str:
    """Why a file cannot be opened."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    reason = str(error).rpartition(": ")[2]
    if "is not a regular file" in reason:
        # libsndfile's message for text that is named .mp3.
        reason = "Format not recognised."
    return reason
