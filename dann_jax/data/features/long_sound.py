"""Samples of a recording that is too long for the memory."""

import tempfile
from collections.abc import Iterable
from typing import IO

import numpy as np

LONGEST = 1 << 23
"""Samples that are kept in memory, 32 MiB: nearly nine minutes at 16 kHz."""


class StoredSamples:
    """Samples in a temporary file that is gone with this object; sliced as an array.

    `samples[a:b]` is a float32 array in memory, and `np.asarray(samples)` all of it.
    """

    ndim = 1

    def __init__(self, file: IO[bytes], length: int) -> None:
        """Samples that were written to a file.

        Args:
          file: of float32, open; its descriptor is read from.
          length: number of samples.
        """
        self._file, self._length = file, length

    def __del__(self) -> None:
        self._file.close()

    @property
    def shape(self) -> tuple[int]:
        """Number of samples, as of an array `[n]`."""
        return (self._length,)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, span: slice) -> np.ndarray:
        start, stop, step = span.indices(self._length)
        self._file.seek(start * 4)
        content = self._file.read(max(stop - start, 0) * 4)
        return np.frombuffer(content, np.float32)[::step]

    def __array__(
        self, dtype: np.dtype | None = None, copy: bool | None = None
    ) -> np.ndarray:
        del copy
        return self[:].astype(dtype or np.float32, copy=False)


def join_blocks(
    blocks: Iterable[np.ndarray], in_memory: bool
) -> np.ndarray | StoredSamples:
    """Blocks one after the other, float32 `[n]`.

    Args:
      blocks: float32 `[any]`, in [-1, 1].
      in_memory: whether to keep them there even if they are more than `LONGEST`.

    Example:
      >>> join_blocks([np.zeros(2, np.float32), np.ones(1, np.float32)], True)
      array([0., 0., 1.], dtype=float32)
    """
    parts, length, file = [np.zeros(0, np.float32)], 0, None
    for block in blocks:
        parts.append(block)
        length += len(block)
        if not in_memory and length > LONGEST:
            file = file or tempfile.TemporaryFile()  # noqa: SIM115 (lives as long)
            file.writelines(part.tobytes() for part in parts)
            parts = []
    return StoredSamples(file, length) if file else np.concatenate(parts)


def in_16_bits(samples: np.ndarray) -> bytes:
    """Samples `[n]` in [-1, 1] as little-endian 16-bit integers."""
    steps = np.clip(np.round(np.asarray(samples) * 32768.0), -32768, 32767)
    return steps.astype("<i2").tobytes()
