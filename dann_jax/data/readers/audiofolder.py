"""Hugging Face's `audiofolder` with a `metadata.csv` in the folder of each split."""

import os
from collections.abc import Mapping

import numpy as np
from etils import epath

from dann_jax.data.manifest import NAMES, OTHER_NAMES, read_audio_manifest
from dann_jax.data.stacked import stack_columns


def splits_of(source: epath.PathLike) -> list[str]:
    """The folders of a folder that have metadata, where it has none itself."""
    folder = epath.Path(source)
    names = (*NAMES, *OTHER_NAMES)
    if not folder.is_dir() or any((folder / name).exists() for name in names):
        return []
    return [
        child.name
        for child in sorted(folder.iterdir())
        if any((child / name).exists() for name in OTHER_NAMES)
    ]


def read_splits(
    source: epath.PathLike, given: Mapping[str, str], *, labelled: bool = True
) -> dict[str, np.ndarray]:
    """Read the metadata of all `splits_of` a folder; its name is the column `split`.

    Args:
      source: the folder.
      given: name in a table -> that of the column.
      labelled: as in `read_audio_manifest`.

    Returns:
      As `read_audio_manifest`, with files and ids below the folder.

    Raises:
      CorpusError: as `read_audio_manifest`.
    """
    tables = []
    for split in splits_of(source):
        table = read_audio_manifest(
            epath.Path(source) / split, given=given, labelled=labelled
        )
        below = {
            name: np.array([os.path.join(split, value) for value in table[name]])
            for name in ("utt_id", "file")
        }
        tables.append({**table, "split": np.full(len(table["file"]), split), **below})
    return stack_columns(tables)
