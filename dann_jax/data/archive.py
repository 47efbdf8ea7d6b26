"""Read `.npz` archives safely: names, types and shapes before any values.

A few kilobytes of zeros unpack to any number of gigabytes, so names, types and shapes
come from the headers, and the arrays are read one by one when requested.
"""

import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import IO, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.utils.resources import available_memory


class StoredArray(NamedTuple):
    """An array that has not been read.

    Attributes:
      shape: of it.
      dtype: of it; never of objects.
      read: reads it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


def open_archive(path: epath.PathLike) -> dict[str, StoredArray]:
    """What an .npz archive holds, from its headers alone.

    Args:
      path: of the archive.

    Returns:
      Name -> array. Reading one raises `CorpusError` where it is damaged.

    Raises:
      CorpusError: it is no .npz archive of plain arrays; nothing is unpickled.
    """
    path = epath.Path(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return {
                member.filename.removesuffix(".npy"): _stored(path, archive, member)
                for member in archive.infolist()
            }
    except _DAMAGED as error:
        raise _no_archive(path, error) from None


def read_archive(path: epath.PathLike) -> dict[str, np.ndarray]:
    """All arrays of an .npz archive: name -> array `[...]` of any shape.

    Raises:
      CorpusError: it is none, or it takes more memory than there is.
    """
    arrays = open_archive(path)
    require_memory(path, arrays)
    return {name: array.read() for name, array in arrays.items()}


def open_array(path: epath.PathLike) -> StoredArray:
    """An array in a `.npy` file; read, it stays on disk until it is used."""
    try:
        array = np.load(os.fspath(path), mmap_mode="r", allow_pickle=False)
    except _DAMAGED as error:
        raise CorpusError(
            f"{path} is not a plain array: {_without_advice(error)}"
        ) from None
    return StoredArray(array.shape, array.dtype, lambda: array)


def require_memory(path: epath.PathLike, arrays: Mapping[str, StoredArray]) -> None:
    """Raise `CorpusError` where arrays that shall be read take more than there is."""
    needed, free = sum(array.nbytes for array in arrays.values()), available_memory()
    if needed > free:
        largest = max(arrays, key=lambda name: arrays[name].nbytes)
        raise CorpusError(
            f"{path} unpacks to {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB of "
            f"memory are free; the largest array is {largest!r} of shape "
            f"{arrays[largest].shape}. Frames in NAME.npy stay on disk"
        )


_DAMAGED = (
    *(ValueError, TypeError, OSError, EOFError, SyntaxError, OverflowError),
    *(zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError),
    *(zlib.error, struct.error, KeyError, MemoryError),
)
"""What damaged or hostile archives raise; a password is a `RuntimeError`."""


def _stored(
    path: epath.Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> StoredArray:
    with archive.open(member) as file:
        shape, dtype = _header(file)
        size = member.file_size - file.tell()
    array = StoredArray(shape, dtype, lambda: _read_member(path, member.filename))
    if array.nbytes != size:
        raise ValueError(
            f"{member.filename} declares shape {shape} of {dtype}, and has {size} bytes"
        )
    return array


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"arrays of version {version} are not read")
    if dtype.hasobject or dtype.fields is not None:
        raise ValueError("Object arrays and records are not plain arrays")
    if any(length < 0 for length in shape):
        raise ValueError(f"a shape of {shape}")
    return shape, dtype


def _read_member(path: epath.Path, name: str) -> np.ndarray:
    try:
        with (
            path.open("rb") as file,
            zipfile.ZipFile(file) as archive,
            archive.open(name) as member,
        ):
            return np.lib.format.read_array(member, allow_pickle=False)
    except _DAMAGED as error:
        raise _no_archive(path, error) from None


def _no_archive(path: epath.Path, error: Exception) -> CorpusError:
    return CorpusError(
        f"{path} is not an .npz archive of plain arrays: {_without_advice(error)}"
    )


def _without_advice(error: Exception) -> str:
    """Of NumPy's advice, to unpickle what is no archive, nothing is passed on."""
    return str(error).split(". If you trust")[0]
