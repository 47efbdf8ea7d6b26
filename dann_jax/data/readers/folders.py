"""Any folder of sound whose labels are in the names of its folders and files."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.sound_names import SUFFIXES
from dann_jax.data.readers.filenames import audio_files
from dann_jax.data.readers.paths import (
    Level,
    emotion_word,
    found_by,
    is_emotion,
    is_speaker,
    is_split,
    levels_of,
    speaker_pattern,
    stem_of,
)
from dann_jax.utils.words import listed, shorten

_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """The values of a column, and where they are from.

    Attributes:
      values: one of each file; empty where it is not known.
      source: where they are from, for people.
      level: the depth of the folders that hold them; None for no folder.
    """

    values: Sequence[str]
    source: str
    level: int | None = None


def read_folders(
    root: epath.PathLike,
    *,
    known: Mapping[str, str],
    emotion: str | None = None,
    speaker: str | None = None,
) -> dict[str, np.ndarray]:
    """Read the columns that the paths of a folder of sound hold; log where they are.

    Args:
      root: with sound at any depth below it.
      known: emotion word -> emotion, which recognises the folders of emotions.
      emotion: regular expression, as in `paths.found_by`; unset for the folders that
        are named by emotions, or else such a word in the name of each file.
      speaker: likewise; unset for folders named as `spk01` or `Actor_03` are; empty
        for nobody.

    Returns:
      Columns, rows sorted by `utt_id`: `utt_id`, the path without suffix; `file`;
      `speaker`; `emotion`, the word as it is written; `split`, if there are folders of
      such names; and `folder1`, ..., the other levels of folders.

    Raises:
      CorpusError: there is no sound, no emotion is found, two levels of folders have
        them, or a level of folders is neither emotions nor speakers as far as can be
        seen. The message proposes what to add.
    """
    folder = epath.Path(root)
    if not folder.is_dir():
        raise CorpusError(f"no such folder: {folder}")
    paths = audio_files(folder, SUFFIXES)
    files = [path.relative_to(folder).as_posix() for path in paths]
    if not files:
        raise CorpusError(f"{folder} holds no sound")
    levels = levels_of(files)
    emotions = _emotions(folder, files, levels, known, emotion)
    speakers = _speakers(folder, files, levels, emotions, speaker)
    _log.info(
        "%s: emotion from %s; speaker from %s",
        *(folder, emotions.source, speakers.source),
    )
    columns = {
        "utt_id": _ids(files),
        "file": files,
        "speaker": speakers.values,
        "emotion": emotions.values,
    }
    columns |= {
        "split" if is_split(level) else f"folder{level.depth + 1}": level.values
        for level in levels
        if level.depth not in (emotions.level, speakers.level)
    }
    order = np.argsort(np.array(columns["utt_id"]), kind="stable")
    return {name: np.array(values)[order] for name, values in columns.items()}


def _ids(files: Sequence[str]) -> list[str]:
    """Each path without its suffix, or with it where that tells two apart."""
    stems = [file.rpartition(".")[0] for file in files]
    times = Counter(stems)
    return [
        file if times[stem] > 1 else stem
        for file, stem in zip(files, stems, strict=True)
    ]


def _emotions(
    folder: epath.Path,
    files: Sequence[str],
    levels: Sequence[Level],
    known: Mapping[str, str],
    pattern: str | None,
) -> Found:
    if pattern:
        values = found_by(pattern, files, "emotion")
        return Found(values, f"--emotion='{pattern}'", _level_of(values, levels))
    named = [level for level in levels if is_emotion(level, known)]
    if len(named) > 1:
        raise CorpusError(
            f"{folder}: two levels of folders are named by emotions, "
            f"{_shown(named[0])} and {_shown(named[1])}; say which: "
            f"--emotion='{named[0].pattern}' or --emotion='{named[1].pattern}'"
        )
    if named:
        (level,) = named
        # A file that lies higher may say it itself; an unknown word is reported.
        values = [
            emotion_word(value or stem_of(file), known) or value
            for value, file in zip(level.values, files, strict=True)
        ]
        return Found(values, f"the folders {_shown(level)}", level.depth)
    values = [emotion_word(stem_of(file), known) for file in files]
    if not any(values):
        raise CorpusError(f"{folder}: {_no_emotion(files, levels)}")
    return Found(values, "words in the names of the files")


def _no_emotion(files: Sequence[str], levels: Sequence[Level]) -> str:
    example = shorten(files[0])
    if not levels:
        return (
            f"no known emotion word is in the names of the files, such as {example}; "
            f"--emotion=REGEX says where it is, such as --emotion='_([a-z]+)_', and "
            f"--emotions=MAP.csv (columns word,emotion) what words or codes mean"
        )
    return (
        f"no folder and no name of a file has a known emotion word; if the folders "
        f"{_shown(levels[-1])} are emotions: --emotion='{levels[-1].pattern}' "
        f"--emotions=MAP.csv (columns word,emotion); if the names of the files say it, "
        f"such as {example}: --emotion=REGEX"
    )


def _speakers(
    folder: epath.Path,
    files: Sequence[str],
    levels: Sequence[Level],
    emotions: Found,
    pattern: str | None,
) -> Found:
    if pattern:
        values = found_by(pattern, files, "speaker")
        return Found(values, f"--speaker='{pattern}'", _level_of(values, levels))
    nobody = [""] * len(files)
    if pattern is not None:
        return Found(nobody, "nowhere (--speaker is empty)")
    others = [level for level in levels if level.depth != emotions.level]
    others = [level for level in others if not is_split(level)]
    named = [level for level in others if is_speaker(level)]
    if len(named) == 1:
        return Found(named[0].values, f"the folders {_shown(named[0])}", named[0].depth)
    if others:
        raise CorpusError(
            f"{folder}: the folders {_shown(others[0])} are no known emotions; if they "
            f"are speakers: --speaker='{others[0].pattern}'; if the names of files say "
            f"who speaks, such as {shorten(files[0])}: --speaker=REGEX; if nothing "
            f"does: --speaker="
        )
    likely = speaker_pattern(files, emotions.values)
    hint = ""
    if likely:
        found = sorted({*found_by(likely, files, "speaker")} - {""})
        hint = f"; perhaps --speaker='{likely}', which finds {listed(found, 3)}"
    return Found(nobody, f"nowhere{hint}")


def _level_of(values: Sequence[str], levels: Sequence[Level]) -> int | None:
    """The level of folders that a regular expression looked at, as far as it shows."""
    for level in levels:
        pairs = zip(values, level.values, strict=True)
        if all(value in name for value, name in pairs):
            return level.depth
    return None


def _shown(level: Level) -> str:
    names = listed(map(shorten, level.names), 3)
    return f"{names} (level {level.depth + 1})"
