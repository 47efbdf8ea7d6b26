"""Corpora whose labels are in the names of their files."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.utils.walk import walk

SUFFIXES = (".wav", ".flac")
"""Of audio, in lower case."""

_log = logging.getLogger(__name__)


class Counts(NamedTuple):
    """What a corpus holds when it is whole.

    Attributes:
      speakers: how many.
      emotions: utterances of each emotion, in the corpus' own words.
    """

    speakers: int
    emotions: Mapping[str, int]


def read_file_names(
    root: epath.PathLike,
    *,
    corpus: str,
    language: str,
    example: str,
    pattern: str,
    derive: Callable[[Mapping[str, str]], Mapping[str, str]],
    expected: Counts,
) -> dict[str, np.ndarray]:
    """Read the columns that the names of audio files hold, in any tree of folders.

    Audio files of other names, and a second file of the same name (a copy, or the same
    recording in another format), are left out; the log counts them. Files that macOS
    adds to archives do not count.

    Args:
      root: folder with the files somewhere below it.
      corpus: value of the column `corpus`.
      language: value of the column `language`, an ISO 639-1 code.
      example: a file name, for the message if there is none like it.
      pattern: regular expression that a path without its suffix must end in; its named
        groups are columns, `speaker` and `emotion` among them.
      derive: row -> further columns. `utt_id`, the name without suffix, may be among
        them.
      expected: what the whole corpus holds; the log says how the tree differs.

    Returns:
      Column -> string array `[N]`, rows sorted by `utt_id`.

    Raises:
      CorpusError: there is no such folder, or no file in it has such a name.
    """
    folder = epath.Path(root)
    if not folder.is_dir():
        raise CorpusError(f"no such folder: {folder}")
    name = re.compile(rf"(?:.*/)?{pattern}")
    rows: dict[str, dict[str, str]] = {}
    left_out: Counter[str] = Counter()
    for path in audio_files(folder):
        file = path.relative_to(folder).as_posix()
        match = name.fullmatch(file.removesuffix(path.suffix))
        if not match:
            left_out["of other names"] += 1
            continue
        row = {"utt_id": path.stem, "file": file, **match.groupdict(default="")}
        row |= {"language": language, "corpus": corpus, **derive(row)}
        if row["utt_id"] in rows:
            left_out["of a name that occurs before"] += 1
        rows.setdefault(row["utt_id"], row)
    if not rows:
        raise CorpusError(
            f"{folder} holds {left_out.total()} audio files, none with a name as in "
            f"{corpus}, such as {example}"
        )
    for why, number in left_out.items():
        _log.warning("%s: left out %d audio files %s", folder, number, why)
    columns = {
        key: np.array([rows[utt_id][key] for utt_id in sorted(rows)])
        for key in next(iter(rows.values()))
    }
    log_differences(corpus, columns, expected)
    return columns


def audio_files(
    folder: epath.Path, suffixes: Sequence[str] = SUFFIXES
) -> Sequence[epath.Path]:
    """All audio files below a folder, sorted; the log lists ignored ones."""
    walked = walk(folder, suffixes)
    for note in walked.notes:
        _log.info("%s: %s", folder, note)
    return walked.files


def log_differences(
    corpus: str, columns: Mapping[str, np.ndarray], expected: Counts
) -> None:
    """Log how a corpus differs from the published one; see `differences`.

    Args:
      corpus: its name.
      columns: column -> string array `[N]`.
      expected: counts of the published corpus.
    """
    text = differences(columns, expected)
    if text:
        _log.warning("%s is not the corpus as published: %s", corpus, text)


def differences(columns: Mapping[str, np.ndarray], expected: Counts) -> str:
    """How the columns `speaker` and `emotion` differ from what is expected.

    Args:
      columns: column -> string array `[N]`.
      expected: counts of the published corpus.

    Example:
      >>> columns = {"speaker": np.array(["1", "1"]), "emotion": np.array(["W", "F"])}
      >>> differences(columns, Counts(speakers=2, emotions={"W": 1, "F": 3}))
      '1 of 2 speakers, 2 of 4 utterances (F 1 of 3)'
      >>> differences(columns, Counts(speakers=1, emotions={"W": 1, "F": 1}))
      ''
    """
    counts = Counter(columns["emotion"].tolist())
    parts = []
    speakers = len(np.unique(columns["speaker"]))
    if speakers != expected.speakers:
        parts.append(f"{speakers} of {expected.speakers} speakers")
    emotions = [
        f"{emotion or 'unlabelled'} {counts[emotion]} of "
        f"{expected.emotions.get(emotion, 0)}"
        for emotion in dict.fromkeys((*expected.emotions, *counts))
        if counts[emotion] != expected.emotions.get(emotion, 0)
    ]
    if emotions:
        total = sum(expected.emotions.values())
        parts.append(f"{counts.total()} of {total} utterances ({', '.join(emotions)})")
    return ", ".join(parts)
