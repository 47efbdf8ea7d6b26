"""Standard input of `dann-predict`: a list of paths, a recording, or live sound."""

import io
import os
import shutil
import wave
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

import numpy as np

from dann_jax.bundle.live import Stream
from dann_jax.bundle.recordings import Clip, Report
from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.sound_names import media_format, suffix_of
from dann_jax.data.features.sound_sizes import is_placeholder

RAW_RATE = 16000
"""In Hz, of samples without a header."""

_HEAD = 4096
_HINT = (
    "ffmpeg -i INPUT -f wav -acodec pcm_s16le - makes 16 bits of anything, "
    "arecord -f S16_LE -r 16000 records them"
)


class Head(NamedTuple):
    """How standard input begins.

    Attributes:
      kind: `wave`, `raw` (16-bit samples without a header), `file` (of another format)
        or `list` (of paths).
      file: all of it, from its first byte.
    """

    kind: str
    file: BinaryIO

    def paths(self) -> Iterable[str]:
        """The lines of a list."""
        # Not every name of a file is text; as an argument it comes like this, too.
        return io.TextIOWrapper(self.file, encoding="utf-8", errors="surrogateescape")

    def recording(self, folder: str) -> Clip:
        """All of it as a file in this folder, once it has ended."""
        # A pipe cannot be sought in, which many a format needs.
        path = os.path.join(folder, "recording")
        with open(path, "wb") as file:
            shutil.copyfileobj(self.file, file)
        return Clip(path, "-")

    def stream(self, report: Report) -> Stream:
        """Sound as it comes, of the kinds `wave` and `raw`.

        Raises:
          AudioError: it is not of 16 bits.
        """
        if self.kind == "raw":
            return Stream(_Samples(self.file, 1, None, report), RAW_RATE)
        try:
            header = wave.open(self.file)  # noqa: SIM115 (what follows is read on)
        except (wave.Error, EOFError) as error:
            raise AudioError(
                f"-: the header of this WAV stream cannot be used ({error}); {_HINT}"
            ) from None
        if header.getsampwidth() != 2:
            bits = 8 * header.getsampwidth()
            raise AudioError(f"-: has {bits} bits, 16 are needed; {_HINT}")
        channels, claimed = header.getnchannels(), header.getnframes()
        open_ended = not claimed or is_placeholder(2 * channels * claimed)
        read = _Samples(self.file, channels, None if open_ended else claimed, report)
        return Stream(read, header.getframerate())


def open_head(file: BinaryIO) -> Head:
    """Look at the first bytes, waiting for no more than are needed."""
    head = b""
    while len(head) < _HEAD and (more := file.read1(_HEAD)):
        head += more
        if kind := _kind(head):
            break
    kind = _kind(head) or ("list" if b"\0" not in head else "raw")
    return Head(kind, io.BufferedReader(_Joined(head, file)))


def _kind(head: bytes) -> str:
    """What begins like this; empty where it takes more to tell.

    Text has no zero bytes; 16-bit samples have some soon, and in silence only these.
    """
    if len(head) < 12:
        return ""
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "wave"
    if (
        media_format(head, "")
        or suffix_of(head) != ".wav"
        or head[:2] in (b"RI", b"RF")
    ):
        return "file"
    if b"\0" in head:
        return "raw"
    line, end, _ = head.partition(b"\n")
    return "list" if end and line.isascii() else ""


class _Joined(io.RawIOBase):
    """Bytes that were read already, and the rest."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        part = self._head[: len(buffer)] or self._rest.read1(len(buffer))
        self._head = self._head[len(part) :]
        buffer[: len(part)] = part
        return len(part)


class _Samples:
    """`Stream.read` of a file of 16-bit samples."""

    def __init__(
        self, file: BinaryIO, channels: int, claimed: int | None, report: Report
    ) -> None:
        self._file, self._channels, self._left = file, channels, claimed
        self._report, self._began = report, False

    def __call__(self, count: int) -> np.ndarray:
        wanted = count if self._left is None else min(count, self._left)
        size = 2 * self._channels
        content = self._file.read(wanted * size)
        came = len(content) // size
        if not came and not self._began:
            self._report("-: no sound came")
        self._began = True
        if self._left is not None:
            self._left -= came
            if came < wanted:
                self._report(
                    f"-: ended {self._left} samples before its header says; what came "
                    f"is predicted"
                )
                self._left = 0
        samples = np.frombuffer(content, "<i2", came * self._channels)
        return samples.reshape(came, self._channels)
