"""Detect damaged stores and caches when they are read."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.utils.checksums import CHECKSUMS, damaged_file


class DamageError(CorpusError):
    """A file has changed since it was written; the message names it."""


def verify(folder: epath.Path, names: Collection[str] = ()) -> None:
    """Compare files with their digests: one pass over what is in them.

    Files that were laid beside them later do not matter.

    Args:
      folder: with digests of its files.
      names: of the files to compare; all of them by default.

    Raises:
      DamageError: a file is missing or has other content than when it was written, or
        there are no digests.
      OSError: one cannot be read at all.
    """
    try:
        name = damaged_file(folder, names)
    except FileNotFoundError:
        name = CHECKSUMS
    if name:
        change = (
            "has changed since it was written"
            if (folder / name).exists()
            else ("is missing")
        )
        raise DamageError(
            f"{folder} is damaged: {name} {change} (or {CHECKSUMS} has changed)"
        )


def read_object(path: epath.Path) -> Mapping[str, Any]:
    """Read a JSON object; a `DamageError` names the file where it holds none."""
    where = f"{path.parent} is damaged: {path.name}"
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DamageError(f"{where} is missing") from None
    # Also what is no UTF-8, or nested without end.
    except (ValueError, RecursionError) as error:
        raise DamageError(f"{where} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise DamageError(f"{where} holds no object")
    return value
