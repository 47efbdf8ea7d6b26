"""Open audio files of any format, and refuse truncated ones."""

import contextlib
import functools
import hashlib
import io
import logging
import os
import re
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

import numpy as np
import soundfile
from etils import epath

from dann_jax.data.features.long_sound import in_16_bits
from dann_jax.data.features.media import decode_media
from dann_jax.data.features.remade_sound import RemadeSound
from dann_jax.data.features.sound_names import media_format
from dann_jax.data.features.sound_sizes import (
    SLACK,
    Sound,
    Unusable,
    find_sound,
    ogg_is_whole,
)

_log = logging.getLogger(__name__)

_FULL_SCALE = 0.9999
# 12 dB over full scale: a codec may overshoot, but more is integers kept as floats.
_LOUDEST = 4.0
_BLOCK = 1 << 18
# libsndfile's number of frames where the header has none.
_UNKNOWN = 2**63 - 1

# libsndfile's message where a header promises more bytes than the file has, of formats
# that `find_sound` does not know.
_CLAIM = re.compile(
    r"(?:data|BODY) : (\d+) \(should be (\d+)\)|Data length (\d+) should be (\d+)"
)
_UNKNOWABLE = (
    *("AVR", "IRCAM", "MAT4", "MAT5", "MPC2K"),
    *("PAF", "PVF", "SDS", "VOC", "XI"),
)
"""Formats of which libsndfile reads what there is, however much there should be."""


class SoundFile(soundfile.SoundFile):
    """An audio file that is read sequentially, as some formats require.

    `soundfile` seeks after every block where it can, and fails where it cannot.
    """

    def seekable(self) -> bool:
        """Never, so that blocks are read one after the other."""
        return False

    def skip_to(self, first: int) -> None:
        """Go to a frame, by reading up to it where there is no other way."""
        if super().seekable():
            # To 0 as well: a decoder of mp3 rounds otherwise after a seek.
            self.seek(first)
            return
        while first > 0 and (passed := len(self.read(min(first, 1 << 16)))):
            first -= passed


@contextlib.contextmanager
def open_sound(path: epath.Path) -> Iterator[SoundFile]:
    """Open an audio file, checked against the size in its header.

    A size that no recorder could know, or that it never filled in, is no claim: all
    that follows is the sound.

    Raises:
      Unusable: the file is shorter than it should be, of a format without a length, or
        of one that needs a decoder and there is none.
      OSError, TypeError, soundfile.SoundFileError: it cannot be read.
    """
    # libsndfile reads local files itself: quicker, and sound when damaged.
    remote = "://" in os.fspath(path)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        if name := media_format(file.read(16), path.suffix):
            decoded = decode_media(path, name)
            yield stack.enter_context(SoundFile(decoded.file))
            return
        size = file.seek(0, io.SEEK_END)
        sound = find_sound(file, size)
        if sound and sound.claimed is not None and sound.claimed > sound.there:
            raise Unusable(_too_short(sound.claimed, sound.there))
        if sound:
            _note(path, sound)
        audio = stack.enter_context(_opened(file if remote else path, file, sound))
        _require_whole(audio, file, size, known=sound is not None)
        yield audio


@functools.lru_cache(maxsize=64)
def _note(path: epath.Path, sound: Sound) -> None:
    """Log once, not for every cut of the file, how its size was determined."""
    if sound.claimed is None:
        _log.warning(
            "warning: %s: its header has no number of samples; the %d "
            "bytes that follow it are read",
            *(path, sound.there),
        )
    elif sound.unread:
        _log.warning(
            "warning: %s: its header claims %d bytes of sound; %d more follow and are "
            "not read",
            *(path, sound.claimed, sound.unread),
        )


def _opened(
    source: epath.Path | IO[bytes], file: IO[bytes], sound: Sound | None
) -> SoundFile:
    """By libsndfile as it is, or behind a header that libsndfile understands."""
    # As bytes: not every name is text.
    source = source if source is file else os.fsencode(source)
    remade = None
    if sound and sound.header:
        remade = cast("BinaryIO", RemadeSound(file, sound))
        if sound.claimed is None:
            return SoundFile(remade)
    try:
        file.seek(0)
        return SoundFile(source)
    except soundfile.LibsndfileError:
        if not remade:
            raise
    return SoundFile(remade)


def _require_whole(
    audio: SoundFile, file: IO[bytes], size: int, *, known: bool
) -> None:
    """Refuse truncated files of formats that `find_sound` does not know."""
    claim = _CLAIM.search(audio.extra_info)
    if claim and not known:
        raise Unusable(_too_short(*(int(n) for n in claim.groups() if n)))
    if audio.format in _UNKNOWABLE:
        raise Unusable(
            f"of the format {audio.format} a truncated file cannot be told from a "
            f"whole one; convert it to wav or flac"
        )
    if audio.format == "OGG" and not ogg_is_whole(file, size):
        raise Unusable(
            "truncated or damaged: its last page is cut off, or not marked as the end"
        )


def _too_short(claimed: int, there: int) -> str:
    return (
        f"truncated: its header claims {claimed} bytes of sound, the file holds {there}"
    )


def _span(audio: SoundFile, start: float, end: float | None) -> tuple[int, int]:
    """First frame and number of frames of the cut."""
    if not audio.frames:
        raise Unusable("holds no samples")
    seconds = audio.frames / audio.samplerate
    stop = seconds if end is None else end
    if not (0 <= start < stop <= seconds + SLACK and start < seconds):
        raise Unusable(
            f"the cut from {start:g} s to {stop:g} s lies outside of the file, "
            f"which lasts {seconds:g} s"
        )
    first = min(round(start * audio.samplerate), audio.frames - 1)
    last = audio.frames if end is None else round(stop * audio.samplerate)
    return first, max(min(last, audio.frames) - first, 1)


class Measured:
    """Statistics of a cut, complete after its last block.

    Attributes:
      frames: how many.
      full: how many values, of all channels, are at full scale.
      lowest: of the mono samples.
      highest: of the mono samples.
      digest: SHA-256 of the mono samples in 16 bits.
    """

    def __init__(self) -> None:
        self.frames = self.full = 0
        self.lowest, self.highest = np.inf, -np.inf
        self.digest = hashlib.sha256()

    def blocks(
        self, audio: SoundFile, start: float, end: float | None
    ) -> Iterator[np.ndarray]:
        """The cut in parts, mono, float32 `[frames]`, finite."""
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
            raise Unusable(
                f"truncated or damaged: {claimed} samples are claimed, "
                f"{self.frames} could be read"
            )

    def _mono(self, block: np.ndarray) -> np.ndarray:
        if not np.isfinite(block).all():
            raise Unusable("holds NaN or infinite samples")
        if (peak := np.abs(block).max()) > _LOUDEST:
            raise Unusable(
                f"holds samples of {peak:g}, full scale is 1: they look "
                "like integers kept as floats, to be divided by 32768"
            )
        self.frames += len(block)
        self.full += int(np.count_nonzero(np.abs(block) >= _FULL_SCALE))
        mono = np.clip(block, -1, 1).mean(1, dtype=np.float32)
        self.lowest = min(self.lowest, mono.min())
        self.highest = max(self.highest, mono.max())
        self.digest.update(in_16_bits(mono))
        return mono
