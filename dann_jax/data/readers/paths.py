"""Emotions and speakers in the names of folders and files."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dann_jax.data.corpus import CorpusError
from dann_jax.data.harmonise import plain
from dann_jax.data.identifiers import spelled
from dann_jax.utils.words import listed, shorten

SPLITS = frozenset(("train", "training", "test", "testing", "dev", "val", "valid"))
"""Folders of these names, and `validation`, are splits."""

_SPEAKER = re.compile(
    r"(?:spk|speaker|actor|actress|subject|subj|sub|participant|person|talker|s|p)"
    r"[-_ ]?\d+[a-z]?",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[_\-. ]+")


class Level(NamedTuple):
    """The folders at one depth below the source.

    Attributes:
      depth: from 0, the folders in the source itself.
      values: the name of the folder of each file; empty for a file that lies higher.
    """

    depth: int
    values: Sequence[str]

    @property
    def names(self) -> list[str]:
        """Each name once, sorted."""
        return sorted({*self.values} - {""})

    @property
    def pattern(self) -> str:
        """The regular expression by which a path gives the name."""
        return f"^{f'(?:[^/]+/){{{self.depth}}}' if self.depth else ''}([^/]+)/"


def levels_of(files: Sequence[str]) -> list[Level]:
    """The levels of folders that tell files apart.

    Args:
      files: paths below the source, with `/`.

    Example:
      >>> levels = levels_of(["data/angry/1.wav", "data/sad/2.wav"])
      >>> [(level.depth, level.names, level.pattern) for level in levels]
      [(1, ['angry', 'sad'], '^(?:[^/]+/){1}([^/]+)/')]
    """
    folders = [file.split("/")[:-1] for file in files]
    levels = [
        Level(depth, [names[depth] if depth < len(names) else "" for names in folders])
        for depth in range(max(map(len, folders), default=0))
    ]
    return [level for level in levels if len({*level.values}) > 1]


def emotion_word(name: str, known: Mapping[str, str]) -> str:
    """The word for an emotion in the name of a folder or of a file without suffix.

    Args:
      name: all of it is the word, or one of its parts between `_` and the like, without
        digits at its end.
      known: emotion word -> emotion.

    Returns:
      The word as it is written; empty for none, or where two emotions are named.

    Example:
      >>> known = {"angry": "anger", "sad": "sadness"}
      >>> [emotion_word(name, known) for name in ("OAF_angry", "Sad2", "sad_angry")]
      ['angry', 'Sad', '']
    """
    if plain(name) in known:
        return name
    parts = [part.rstrip("0123456789") for part in _SEPARATORS.split(name)]
    words = [part for part in parts if known.get(plain(part))]
    return words[0] if len({known[plain(word)] for word in words}) == 1 else ""


def is_emotion(level: Level, known: Mapping[str, str]) -> bool:
    """Whether all folders, or at least half and several, are named by emotions.

    Somebody may be called Joy.

    Example:
      >>> known = {"angry": "anger", "sad": "sadness", "joy": "happiness"}
      >>> is_emotion(Level(0, ["Angry", "sad clips", "grumpy"]), known)
      True
      >>> is_emotion(Level(0, ["Ann", "Joy"]), known)
      False
    """
    words = [emotion_word(name, known) for name in level.names]
    named = [known[plain(word)] for word in words if known.get(plain(word))]
    several = len({*named}) > 1 and 2 * len(named) >= len(words)
    return several or len(named) == len(words) > 0


def is_speaker(level: Level) -> bool:
    """Whether all folders are named as `spk01`, `Actor_03` or `p7` are.

    Example:
      >>> is_speaker(Level(0, ["Actor_01", "Actor_02"])), is_speaker(Level(0, ["ann"]))
      (True, False)
    """
    return all(_SPEAKER.fullmatch(name) for name in level.names)


def is_split(level: Level) -> bool:
    """Whether all folders are named as parts of a split are."""
    return {name.casefold() for name in level.names} <= SPLITS | {"validation", "eval"}


def stem_of(file: str) -> str:
    """The name of a file without its folders and its suffix.

    Example:
      >>> stem_of("angry/spk1.take.wav")
      'spk1.take'
    """
    return file.rpartition("/")[2].rpartition(".")[0]


def found_by(pattern: str, files: Sequence[str], flag: str) -> list[str]:
    r"""What a regular expression finds in each path; empty where it finds nothing.

    Args:
      pattern: searched for in the name of a file and, if it is not there, in its path
        below the source. Its first group is what is found, or all of it.
      files: paths below the source.
      flag: for messages.

    Raises:
      CorpusError: it is no regular expression, or finds nothing anywhere.

    Example:
      >>> found_by(r"spk(\d+)", ["angry/spk01_3.wav", "angry/x.wav"], "speaker")
      ['01', '']
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise CorpusError(
            f"--{flag}='{pattern}' is no regular expression: {error}"
        ) from None

    def find(file: str) -> str:
        # A folder far above must not name everybody below it.
        name = file.rpartition("/")[2]
        found = expression.search(name) or expression.search(file)
        group = found and found[1 if expression.groups else 0]
        return spelled(group or "")

    values = [find(file) for file in files]
    if not any(values):
        raise CorpusError(
            f"--{flag}='{pattern}' finds nothing in {len(files)} paths, such as "
            f"{listed(map(shorten, files), 2)}"
        )
    return values


def speaker_pattern(files: Sequence[str], emotions: Sequence[str]) -> str:
    r"""A regular expression that may find the speaker in names; empty for none.

    It finds the first part of the names, between `_` and the like, that has several
    values, each of which occurs in two files or more, and is no emotion.

    Args:
      files: paths below the source.
      emotions: the word for the emotion of each file.

    Example:
      >>> speaker_pattern(["spk1_a.wav", "spk2_a.wav", "spk1_b.wav", "spk2_b.wav"], [])
      '^(spk\\d+)'
    """
    parts = [_SEPARATORS.split(stem_of(file)) for file in files]
    for index in range(min(map(len, parts), default=0)):
        values = [part[index] for part in parts]
        names, times = {*values}, Counter(values)
        if len(names) < 2 or min(times.values()) < 2:
            continue
        if names & {*emotions} - {""}:
            continue
        letters = {name.rstrip("0123456789") for name in names}
        digits = len(letters) == 1 and not names & letters
        what = rf"{re.escape(letters.pop())}\d+" if digits else r"[^_\-. ]+"
        skipped = rf"(?:[^_\-. ]+[_\-. ]+){{{index}}}" if index else ""
        return f"^{skipped}({what})"
    return ""
