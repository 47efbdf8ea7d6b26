"""Files that are whole or absent, and what identifies their content."""

import contextlib
import json
import os
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
        with _opened(partial, mode) as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _opened(path: epath.Path, mode: str) -> IO:
    try:
        return path.open(mode)
    except FileNotFoundError:
        raise FileNotFoundError(f"no such folder: {path.parent}") from None
