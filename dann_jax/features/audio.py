"""Audio files as mono samples at one rate, with what is wrong with them said aloud."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from etils import epath

SILENT = 1e-3
"""A peak below -60 dB of full scale, 33 steps of 16 bits, is noise of the recorder."""

CLIPPED = 1e-3
"""A thousandth of the values at full scale: a normalised file has one or two of them,
a clipped one flattens every loud peak."""

SHORT, LONG = 0.1, 60.0
"""Seconds. Below, there is no syllable; above, it is rarely one utterance."""

SLACK = 0.05
"""Seconds that a cut may end after the file does: annotations are rounded."""

_FULL_SCALE = 0.9999
# 12 dB over full scale: a codec may overshoot, but more is integers kept as floats.
_LOUDEST = 4.0
_BLOCK = 1 << 18
# What recorders that write to a pipe put for a size they cannot know: ffmpeg, SoX.
_UNKNOWN_SIZES = {0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000}

# How libsndfile says that a header promises more bytes than the file has.
_CLAIM = re.compile(r"(?:data|SSND|riff) : (\d+) \(should be (\d+)\)")


class AudioError(ValueError):
    """The file cannot be used as speech; the message says which and why."""


class Recording(NamedTuple):
    """One utterance as it is heard.

    Attributes:
      samples: float32 `[n]`, mono, in [-1, 1].
      sample_rate: of `samples`, in Hz.
      duration: in seconds, of the cut at the rate of the file.
      problems: any of `silent`, `clipped`, `short`, `long`.
      audio_hash: of the cut at the rate of the file; equal for equal sound.
    """

    samples: np.ndarray
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
) -> Recording:
    """Read a file, or a cut of it, as mono samples at `sample_rate`.

    Any format, rate and number of channels that libsndfile knows (wav, flac, ogg, mp3,
    aiff, ...). Channels are averaged; resampling is soxr's, high quality. Memory grows
    with what the file holds, never with what its header claims.

    Args:
      path: the file.
      sample_rate: wanted, in Hz.
      start: of the cut, in seconds from 0.
      end: of the cut, in seconds; None is the end of the file.
      short: cuts of fewer seconds have the problem `short`.
      long: cuts of more seconds have the problem `long`.

    Returns:
      The recording.

    Raises:
      AudioError: there is no such file, it is a folder, empty, not audio or truncated,
        it holds no samples or NaN or infinite ones, or the cut lies outside of it.

    Example:
      >>> read_audio("nowhere.wav", sample_rate=16000)
      Traceback (most recent call last):
      dann_jax.features.audio.AudioError: nowhere.wav: there is no such file
    """
    cut, rate, full = _read_cut(epath.Path(path), start, end)
    duration = len(cut) / rate
    signs = {
        "silent": np.ptp(cut) < 2 * SILENT,
        "clipped": full >= CLIPPED,
        "short": duration < short,
        "long": duration > long,
    }
    return Recording(
        resample(cut, rate, sample_rate),
        sample_rate,
        duration,
        tuple(word for word, is_so in signs.items() if is_so),
        audio_hash(cut),
    )


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Samples at another rate, by soxr's high quality, in [-1, 1]; float32 `[n]`."""
    if rate != wanted:
        import soxr

        samples = soxr.resample(samples, rate, wanted, quality="HQ")
    # A band-limited curve through a clipped peak overshoots it.
    return np.clip(samples, -1, 1).astype(np.float32, copy=False)


def audio_hash(samples: np.ndarray) -> str:
    """What the sound is, whatever its file is called or how it is packed losslessly.

    Args:
      samples: float `[n]` in [-1, 1], at the rate of the file.

    Returns:
      The first 16 hexadecimal digits of the SHA-256 of the samples in 16 bits.

    Example:
      >>> tone = np.sin(np.arange(9.0))
      >>> audio_hash(tone) == audio_hash(tone + 1e-7)
      True
      >>> audio_hash(tone) == audio_hash(-tone)
      False
    """
    steps = np.clip(np.round(np.asarray(samples) * 32768.0), -32768, 32767)
    return hashlib.sha256(steps.astype("<i2").tobytes()).hexdigest()[:16]


def _read_cut(
    path: epath.Path, start: float, end: float | None
) -> tuple[np.ndarray, int, float]:
    """Mono samples, their rate and the share of values at full scale."""
    import soundfile

    if not path.exists():
        raise AudioError(f"{path}: there is no such file")
    if path.is_dir():
        raise AudioError(f"{path}: is a folder, not an audio file")
    if not path.stat().length:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    try:
        with contextlib.ExitStack() as stack:
            # libsndfile reads local files itself: quicker, and sound when damaged.
            remote = "://" in os.fspath(path)
            source = stack.enter_context(path.open("rb")) if remote else os.fspath(path)
            audio = stack.enter_context(soundfile.SoundFile(source))
            first, count = _span(path, audio, start, end)
            parts, full = [], 0
            for block in _blocks(path, audio, first, count):
                full += np.count_nonzero(np.abs(block) >= _FULL_SCALE)
                parts.append(np.clip(block, -1, 1).mean(1, dtype=np.float32))
            samples = np.concatenate(parts)
            return samples, audio.samplerate, full / (len(samples) * audio.channels)
    except (OSError, TypeError, soundfile.SoundFileError) as error:
        # soundfile raises TypeError for headerless files, whose rate it cannot know.
        reason = str(error).rpartition(": ")[2]
        if "is not a regular file" in reason:
            # So libsndfile says of text that is named .mp3.
            reason = "Format not recognised."
        raise AudioError(f"{path}: is not audio, or damaged: {reason}") from None


def _span(
    path: epath.Path, audio: Any, start: float, end: float | None
) -> tuple[int, int]:
    """First frame and number of frames of the cut."""
    claim = _CLAIM.search(audio.extra_info)
    if claim and int(claim[1]) not in _UNKNOWN_SIZES:
        raise AudioError(
            f"{path}: truncated: its header claims {claim[1]} bytes of sound, "
            f"the file holds {claim[2]}"
        )
    if not audio.frames:
        raise AudioError(f"{path}: holds no samples")
    seconds = audio.frames / audio.samplerate
    stop = seconds if end is None else end
    if not (0 <= start < stop <= seconds + SLACK and start < seconds):
        raise AudioError(
            f"{path}: the cut from {start:g} s to {stop:g} s lies outside of the file, "
            f"which lasts {seconds:g} s"
        )
    first = min(round(start * audio.samplerate), audio.frames - 1)
    last = min(round(stop * audio.samplerate), audio.frames)
    return first, max(last - first, 1)


def _blocks(
    path: epath.Path, audio: Any, first: int, count: int
) -> Iterator[np.ndarray]:
    """The cut in parts, float32 `[frames, channels]`, finite."""
    import soundfile

    done, size = 0, max(_BLOCK // audio.channels, 1)
    try:
        audio.seek(first)
        while done < count:
            block = audio.read(min(size, count - done), "float32", always_2d=True)
            if not len(block):
                break
            if not np.isfinite(block).all():
                raise AudioError(f"{path}: holds NaN or infinite samples")
            if (peak := np.abs(block).max()) > _LOUDEST:
                raise AudioError(
                    f"{path}: holds samples of {peak:g}, full scale is 1: they look "
                    "like integers kept as floats, to be divided by 32768"
                )
            done += len(block)
            yield block
    except soundfile.LibsndfileError:
        pass
    if done < count:
        raise AudioError(
            f"{path}: truncated or damaged: {count} samples are claimed, "
            f"{done} could be read"
        )
