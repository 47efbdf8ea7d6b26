"""Datasets of Hugging Face in parquet files, unpacked as sound with a manifest."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.sound_names import suffix_of
from dann_jax.data.own_table import write_once
from dann_jax.utils.files import write_whole
from dann_jax.utils.walk import walk
from dann_jax.utils.words import listed, shorten

Row = dict[str, Any]


def unpack_parquet(source: epath.PathLike, folder: epath.PathLike) -> epath.Path:
    """Write the sound of parquet files into a folder, and its manifest.

    Args:
      source: a `.parquet` file, or the folder that holds some; names tell the split:
        `train-00000-of-00004.parquet` or `train/0000.parquet`.
      folder: to write to; a file whose content is there is left as it is.

    Returns:
      The folder, with `manifest.csv`: `file`, `recording` (its name in the dataset),
      `split`, and every column of text and numbers; classes by their names.

    Raises:
      CorpusError: there is no parquet file, one cannot be read, it has no column of
        sound (a struct with `bytes`, as `datasets.Audio` writes it) or several, or the
        manifest that is there says something else.
    """
    source, folder = epath.Path(source), epath.Path(folder)
    paths = walk(source, (".parquet",)).files if source.is_dir() else [source]
    if not paths:
        raise CorpusError(f"{source} holds no parquet file")
    rows = []
    for path in paths:
        stem = os.path.relpath(path, source if source.is_dir() else path.parent)
        stem = stem.removesuffix(path.suffix)
        for number, row in enumerate(_rows(path)):
            audio = row.pop("audio") or {}
            file = _write_sound(path, folder, f"{stem}/{number:06d}", audio)
            own = str(audio.get("path") or "")
            rows.append({"file": file, "recording": own, "split": _split(stem), **row})
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {n: np.array([row.get(n, "") for row in rows]) for n in names}
    again = f"--corpus=manifest --source={folder}"
    write_once(folder / "manifest.csv", columns, source, again)
    return folder


def _split(stem: str) -> str:
    """Of `train-00000-of-00001` or `default/train/0000`; empty for another name."""
    named = re.fullmatch(r"(?:.*/)?([^/]+)-\d+-of-\d+|(?:.*/)?([^/]+)/\d+", stem)
    return (named[1] or named[2]) if named else ""


def _rows(path: epath.Path) -> Iterator[Row]:
    """Each row: text by column, and `audio` with its bytes and its name."""
    import pyarrow
    from pyarrow import parquet

    try:
        with path.open("rb") as file:
            table = parquet.ParquetFile(file)
            schema = table.schema_arrow
            sound = _sound_column(path, schema)
            classes = _classes(schema.metadata or {})
            for batch in table.iter_batches(batch_size=256):
                for row in batch.to_pylist():
                    audio = row.pop(sound)
                    yield {"audio": audio, **_texts(row, classes)}
    except (pyarrow.ArrowException, OSError) as error:
        raise CorpusError(f"{path} cannot be read as parquet: {error}") from None


def _sound_column(path: epath.Path, schema: Any) -> str:
    import pyarrow

    found = [
        field.name
        for field in schema
        if pyarrow.types.is_struct(field.type)
        and field.type.get_field_index("bytes") >= 0
    ]
    if len(found) != 1:
        raise CorpusError(
            f"{path}: expected one column of sound, a struct with `bytes` as "
            f"datasets.Audio writes it; found {listed(found) or 'none'} among "
            f"{listed(map(shorten, schema.names), 20)}"
        )
    return found[0]


def _classes(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Column -> names of its classes, as `datasets.ClassLabel` records them."""
    info = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {})
    return {
        name: feature["names"]
        for name, feature in info.get("features", {}).items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    }


def _texts(row: Row, classes: Mapping[str, list[str]]) -> dict[str, str]:
    """Columns of text and numbers as text; -1 of a class is an unknown one."""
    texts = {}
    for name, value in row.items():
        if name in classes and value is not None:
            value = classes[name][value] if value >= 0 else None
        if not isinstance(value, dict | list | bytes):
            texts[name] = "" if value is None else str(value)
    return texts


def _write_sound(
    path: epath.Path, folder: epath.Path, name: str, audio: Mapping[str, Any]
) -> str:
    """Write the sound of a row, if it is not there; its file below the folder."""
    content = audio.get("bytes")
    own = str(audio.get("path") or "")
    if not content:
        raise CorpusError(
            f"{path}: row {name} holds no sound (the name {own!r} alone); save the "
            f"dataset with its sound embedded"
        )
    file = folder / f"{name}{epath.Path(own).suffix or suffix_of(content)}"
    if not (file.exists() and file.read_bytes() == content):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)
    return file.relative_to(folder).as_posix()
