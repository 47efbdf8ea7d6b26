"""A table of the recordings that a model is to be adapted to."""

import os
import re
from collections.abc import Mapping

import numpy as np
from etils import epath

from dann_jax.bundle.recordings import MANIFESTS, find_clips
from dann_jax.data.corpus import CorpusError
from dann_jax.data.manifest import NAMES, read_manifest
from dann_jax.utils.words import shorten

BY_FOLDER = "folder"
"""The rule by which the folder of a recording names its speaker."""

ONE_PERSON = "target"
"""The speaker of recordings of which nothing is said."""

_KEPT = ("start", "end", "dialogue", "turn", "gender", "language", "emotion", "text")


def recordings_of(to: epath.PathLike, speakers: str = "") -> dict[str, np.ndarray]:
    """The recordings of a folder, a manifest or a single file.

    Args:
      to: a sound file; a manifest (one of `MANIFESTS` with a column `file`, relative
        to its folder); or a folder, of one `manifest.csv` or `manifest.jsonl`, or else
        of all sound below it.
      speakers: who speaks: `folder`, for the folder that a recording lies in; a
        regular expression that finds the name in the path below `to`, its first group
        if it has one; empty for the column `speaker` of a manifest, or else one person.

    Returns:
      Column -> string array `[N]`: `utt_id`, the path below `to`; `file`, absolute;
      `speaker`; `emotion`, empty but in a manifest that has it; and what else a
      manifest has of `start`, `end`, `dialogue`, `turn`, `gender`, `language`, `text`.

    Raises:
      CorpusError: there is no such file, it holds no sound, or the expression is none
        or does not find a speaker in a path.
    """
    path = epath.Path(to)
    if not path.exists():
        raise CorpusError(f"no such file or folder: {to}")
    manifests = [path / name for name in NAMES] if path.is_dir() else [path]
    manifests = [each for each in manifests if each.suffix.lower() in MANIFESTS]
    there = [each for each in manifests if each.exists()]
    rows = _of_manifest(there[0]) if there else _of_sound(path)
    if speakers or "speaker" not in rows:
        rows["speaker"] = [speaker_of(name, speakers) for name in rows["name"]]
    starts = rows.get("start", [""] * len(rows["name"]))
    rows["utt_id"] = [
        f"{name}@{start}" if start else name
        for name, start in zip(rows.pop("name"), starts, strict=True)
    ]
    rows.setdefault("emotion", [""] * len(starts))
    return {name: np.array(values) for name, values in rows.items()}


def speaker_of(path: str, rule: str) -> str:
    """The speaker of a recording, by a rule of `recordings_of`.

    Args:
      path: below the folder of all recordings.
      rule: `folder`, a regular expression, or empty.

    Raises:
      CorpusError: the expression is none, or finds nothing.

    Example:
      >>> speaker_of("ann/03.wav", "folder"), speaker_of("ann_03.wav", "([a-z]+)_")
      ('ann', 'ann')
      >>> speaker_of("03.wav", "folder"), speaker_of("03.wav", "")
      ('target', 'target')
    """
    if not rule:
        return ONE_PERSON
    if rule == BY_FOLDER:
        return os.path.dirname(path) or ONE_PERSON
    try:
        found = re.search(rule, path)
    except re.error as error:
        raise CorpusError(
            f"--speakers={rule} is neither 'folder' nor a regular expression: {error}"
        ) from None
    name = found and found[1 if found.re.groups else 0]
    if not name:
        raise CorpusError(
            f"--speakers={rule} finds no speaker in {shorten(path)!r}; it must find "
            f"one in the path of every recording"
        )
    return name


def _of_manifest(path: epath.Path) -> dict[str, list[str]]:
    columns: Mapping[str, np.ndarray] = read_manifest(path, required=("file",))
    if not len(columns["file"]):
        raise CorpusError(f"{path} names no recording")
    kept = {
        name: columns[name].tolist() for name in ("speaker", *_KEPT) if name in columns
    }
    names = columns["file"].tolist()
    files = [os.path.abspath(path.parent / name) for name in names]
    return {**kept, "name": names, "file": files}


def _of_sound(path: epath.Path) -> dict[str, list[str]]:
    problems: list[str] = []
    files = [
        clip.file for clip in find_clips([str(path)], listed=(), report=problems.append)
    ]
    if problems or not files:
        raise CorpusError(problems[0] if problems else f"{path}: holds no audio")
    root = path if path.is_dir() else path.parent
    names = [os.path.relpath(file, root) for file in files]
    return {"name": names, "file": [os.path.abspath(file) for file in files]}
