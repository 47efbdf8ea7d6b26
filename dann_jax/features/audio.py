"""Audio files as mono samples at one rate, with what is wrong with them said aloud."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from etils import epath

from dann_jax.features.long_sound import StoredSamples, join_blocks

if TYPE_CHECKING:
    from dann_jax.features.sound_files import SoundFile

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
# libsndfile's number of frames where the header does not say it.
_UNKNOWN = 2**63 - 1


class AudioError(ValueError):
    """The file cannot be used as speech; the message says which and why."""


class Recording(NamedTuple):
    """One utterance as it is heard.

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
    aiff, ...). Channels are averaged; resampling is soxr's, high quality. Memory grows
    with what the file holds, never with what its header claims.

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
      dann_jax.features.audio.AudioError: nowhere.wav: there is no such file
    """
    with _opened(epath.Path(path)) as audio:
        measured = _Measured()
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
        tuple(word for word, is_so in signs.items() if is_so),
        measured.digest.hexdigest()[:16],
    )


def sound_duration(path: epath.PathLike) -> float:
    """Seconds that a file lasts, found by reading all of it in little memory.

    Raises:
      AudioError: as `read_audio`; a header is not believed.
    """
    with _opened(epath.Path(path)) as audio:
        measured = _Measured()
        for _ in measured.blocks(audio, 0.0, None):
            pass
        return measured.frames / audio.samplerate


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
    return hashlib.sha256(_in_16_bits(samples)).hexdigest()[:16]


def _in_16_bits(samples: np.ndarray) -> bytes:
    steps = np.clip(np.round(np.asarray(samples) * 32768.0), -32768, 32767)
    return steps.astype("<i2").tobytes()


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
    """The file, or an `AudioError` that names it, also while it is read."""
    import soundfile

    from dann_jax.features.sound_files import Truncated, open_sound

    if not path.exists():
        raise AudioError(f"{path}: there is no such file")
    if path.is_dir():
        raise AudioError(f"{path}: is a folder, not an audio file")
    if not path.stat().length:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    try:
        with open_sound(path) as audio:
            yield audio
    except (Truncated, AudioError) as error:
        raise AudioError(f"{path}: {error}") from None
    except (OSError, TypeError, soundfile.SoundFileError) as error:
        # soundfile raises TypeError for headerless files, whose rate it cannot know.
        reason = str(error).rpartition(": ")[2]
        if "is not a regular file" in reason:
            # So libsndfile says of text that is named .mp3.
            reason = "Format not recognised."
        raise AudioError(f"{path}: is not audio, or damaged: {reason}") from None


def _span(audio: "SoundFile", start: float, end: float | None) -> tuple[int, int]:
    """First frame and number of frames of the cut."""
    if not audio.frames:
        raise AudioError("holds no samples")
    seconds = audio.frames / audio.samplerate
    stop = seconds if end is None else end
    if not (0 <= start < stop <= seconds + SLACK and start < seconds):
        raise AudioError(
            f"the cut from {start:g} s to {stop:g} s lies outside of the file, "
            f"which lasts {seconds:g} s"
        )
    first = min(round(start * audio.samplerate), audio.frames - 1)
    last = audio.frames if end is None else round(stop * audio.samplerate)
    return first, max(min(last, audio.frames) - first, 1)


class _Measured:
    """What is known of a cut once its blocks have gone by.

    Attributes:
      frames: how many.
      full: how many values, of all channels, are at full scale.
      lowest: of the mono samples.
      highest: of the mono samples.
      digest: of the mono samples, as in `audio_hash`.
    """

    def __init__(self) -> None:
        self.frames = self.full = 0
        self.lowest, self.highest = np.inf, -np.inf
        self.digest = hashlib.sha256()

    def blocks(
        self, audio: "SoundFile", start: float, end: float | None
    ) -> Iterator[np.ndarray]:
        """The cut in parts, mono, float32 `[frames]`, finite."""
        import soundfile

        first, count = _span(audio, start, end)
        size = max(_BLOCK // audio.channels, 1)
        whole = False
        try:
            audio.skip_to(first)
            while self.frames < count:
                block = audio.read(
                    min(size, count - self.frames), "float32", always_2d=True
                )
                if not len(block):
                    # Of a header without a length, this is the end.
                    whole = audio.frames == _UNKNOWN and self.frames > 0
                    break
                yield self._mono(block)
        except soundfile.LibsndfileError:
            pass
        if self.frames < count and not whole:
            claimed = "more" if audio.frames == _UNKNOWN else count
            raise AudioError(
                f"truncated or damaged: {claimed} samples are claimed, "
                f"{self.frames} could be read"
            )

    def _mono(self, block: np.ndarray) -> np.ndarray:
        if not np.isfinite(block).all():
            raise AudioError("holds NaN or infinite samples")
        if (peak := np.abs(block).max()) > _LOUDEST:
            raise AudioError(
                f"holds samples of {peak:g}, full scale is 1: they look "
                "like integers kept as floats, to be divided by 32768"
            )
        self.frames += len(block)
        self.full += int(np.count_nonzero(np.abs(block) >= _FULL_SCALE))
        mono = np.clip(block, -1, 1).mean(1, dtype=np.float32)
        self.lowest = min(self.lowest, mono.min())
        self.highest = max(self.highest, mono.max())
        self.digest.update(_in_16_bits(mono))
        return mono
