"""Atomic writing of files and folders, and digests of their content."""

import contextlib
import errno
import hashlib
import io
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np
from etils import epath


def strict(value: Any) -> Any:
    """The same nested value as JSON has it: arrays as lists, None for NaN.

    Example:
      >>> strict({"ends": (np.float32(0.5), float("nan"))})
      {'ends': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): strict(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [strict(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_json(path: epath.Path, value: Any) -> None:
    """Write strict JSON (see `strict`) so that `path` is never half a file."""
    text = json.dumps(strict(value), indent=1, allow_nan=False)
    write_whole(path, f"{text}\n")


def write_whole(path: epath.Path, content: str | bytes) -> None:
    """Write beside `path` and rename, so that `path` is never half a file."""
    with open_whole(path, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)


@contextlib.contextmanager
def open_whole(path: epath.Path, mode: str = "w") -> Iterator[IO]:
    """A file that is at `path` once the block has ended well, and not before."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; a file is needed")
    if os.path.exists(path) and not os.path.isfile(path):
        # A device or a pipe, such as /dev/stdout, is written to and never replaced.
        with path.open(mode) as file:
            yield file
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with named_errors(path), _opened(partial, mode) as file:
            yield file
            file.flush()
            _sync_file(file)
        partial.replace(path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def partial_folder(folder: epath.Path) -> Iterator[epath.Path]:
    """A folder beside `folder`, to be filled and put in its place; else it is removed.

    It need not be made. `leftovers.remove_leftovers` finds what a killed process left.
    """
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    try:
        yield partial
    finally:
        if partial.exists():
            partial.rmtree()


@contextlib.contextmanager
def named_errors(path: epath.PathLike) -> Iterator[None]:
    """Let errors of the system that name no file, as of a full disk, name this one."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = os.fspath(path)
        raise


def _opened(path: epath.Path, mode: str) -> IO:
    try:
        return path.open(mode, encoding=None if "b" in mode else "utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(f"no such folder: {path.parent}") from None


def replace_folder(partial: epath.Path, folder: epath.Path) -> None:
    """Rename a folder that is complete; after a power loss it is there whole or not.

    Args:
      partial: everything in it is on the disk before it is renamed.
      folder: its new name; an empty folder of that name is replaced.

    Raises:
      OSError: `folder` holds something.
    """
    sync_tree(partial)
    os.rename(partial, folder)
    _sync_folder(folder.parent)


def sync_tree(folder: epath.PathLike) -> None:
    """Wait until the disk holds all that was written below a local folder."""
    for directory, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(directory, name), "rb") as file:
                os.fsync(file.fileno())
        _sync_folder(directory)


def _sync_file(file: IO) -> None:
    # A file in a bucket has no descriptor, and is whole when it is closed.
    try:
        os.fsync(file.fileno())
    except (AttributeError, io.UnsupportedOperation):
        return
    except OSError as error:
        # Some file systems cannot; that a disk is full is told here by others.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def _sync_folder(folder: epath.PathLike) -> None:
    """So that a rename inside of it survives a power loss, where systems can do so."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def on_disk(path: str) -> str:
    """The path, or that of the file whose name is the same text, encoded otherwise.

    A table has names in UTF-8; an old disk may have them in Latin-1, and one of macOS
    with accents apart from their letters.
    """
    folder, name = os.path.split(path)
    if os.path.exists(path) or not name or not folder:
        return path
    folder = on_disk(folder)
    names = [name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))]
    with contextlib.suppress(UnicodeEncodeError):
        names.append(os.fsdecode(names[1].encode("latin-1")))
    paths = (os.path.join(folder, each) for each in names)
    return next(filter(os.path.exists, paths), path)


_BLOCK = 1 << 24


def digest_file(path: epath.PathLike) -> str:
    """A digest of the bytes of a file, 32 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=16)
    with epath.Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def digest_bytes(content: bytes) -> str:
    """A digest of bytes: that of a file with this content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_array(array: np.ndarray) -> str:
    """A digest of the type, shape and values of an array, 32 hexadecimal digits.

    A memory-mapped array is read block by block, so that any size fits.

    Args:
      array: `[...]` of any shape; numbers, or text of any width (equal text has an
        equal digest).

    Example:
      >>> digest_array(np.array(["a", "b"])) == digest_array(np.array(["a", "b"], "U9"))
      True
      >>> digest_array(np.zeros(4)) == digest_array(np.zeros((2, 2)))
      False
    """
    digest = hashlib.blake2b(digest_size=16)
    if array.dtype.kind == "U":
        digest.update(json.dumps([array.shape, array.ravel().tolist()]).encode())
        return digest.hexdigest()
    digest.update(f"{array.dtype.str} {array.shape}".encode())
    row = max(array[:1].nbytes, 1)
    step = max(_BLOCK // row, 1)
    for start in range(0, len(array) if array.ndim else 0, step):
        digest.update(np.ascontiguousarray(array[start : start + step]).data)
    if not array.ndim:
        digest.update(array.tobytes())
    return digest.hexdigest()


class WorkdirError(ValueError):
    """The work directory cannot be used for this run."""


def read_json(path: epath.Path) -> dict[str, Any]:
    """Read a JSON object; a `WorkdirError` names the file where it is none."""
    try:
        value = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise WorkdirError(f"{path} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise WorkdirError(
            f"{path} holds a {type(value).__name__}, not a JSON object: it is damaged"
        )
    return value
