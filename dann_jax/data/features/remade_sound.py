"""A sound file whose header is replaced, without a copy of its samples."""

import io
from typing import IO

from dann_jax.data.features.sound_sizes import Sound


class RemadeSound(io.RawIOBase):
    """The samples of a file behind a corrected header, read-only."""

    def __init__(self, file: IO[bytes], sound: Sound) -> None:
        super().__init__()
        self._file, self._header, self._start = file, sound.header, sound.start
        there = sound.there if sound.claimed is None else sound.claimed
        self._size, self._place = len(sound.header) + there, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}
        self._place = max(base[whence] + offset, 0)
        return self._place

    def readinto(self, buffer: memoryview) -> int:
        count = max(min(len(buffer), self._size - self._place), 0)
        content = self._header[self._place : self._place + count]
        if rest := count - len(content):
            self._file.seek(
                self._start + self._place + len(content) - len(self._header)
            )
            content += self._file.read(rest)
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)
