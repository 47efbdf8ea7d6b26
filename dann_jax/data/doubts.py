"""Warnings about names that may be the same person, and about rows without a name."""

import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from dann_jax.data.identifiers import IDENTIFIERS
from dann_jax.utils.words import listed, shorten

_NO_NAMES = (
    *("utt_id", "file", "recording", "text", "emotion", "emotion_word", "audio_hash"),
)
"""Columns in which similar values are not suspicious."""

_MOST_VALUES = 1000
"""A column of more values is no domain, unless it is one of `IDENTIFIERS`."""

_PLURALS = {name: f"{name}s" for name in IDENTIFIERS} | {"corpus": "corpora"}

_log = logging.getLogger(__name__)


def report_doubts(columns: Mapping[str, np.ndarray], where: str) -> None:
    """Log the `doubts` of columns.

    Args:
      columns: column -> string array `[N]`, as `clean_columns` returns them.
      where: begins every line.
    """
    for doubt in doubts(columns):
        _log.warning("%s: %s", where, doubt)


def doubts(columns: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Sentences on rows without a name, and on names that differ only in spelling.

    Args:
      columns: column -> string array `[N]`, as `clean_columns` returns them.

    Example:
      >>> list(doubts({"speaker": np.array(["Bea", "bea", "bo"])}))
      ["speakers 'Bea' and 'bea' differ only in case: one person or two?"]
    """
    for name in IDENTIFIERS:
        values = columns.get(name)
        # An utterance without a dialogue stands alone, which is nothing unusual.
        if values is None or name == "dialogue":
            continue
        missing = int((values == "").sum())
        if missing:
            yield (
                f"{missing} of {len(values)} rows have no {name}: it is empty, or a "
                f"word such as nan, unknown or ?"
                f"{_without_speakers(values) if name == 'speaker' else ''}"
            )
    for name, values in columns.items():
        if name not in _NO_NAMES:
            yield from _near_doubles(name, np.unique(values[values != ""]))
    if {"speaker", "corpus"} <= {*columns}:
        yield from _shared_names(columns["speaker"], columns["corpus"])


def _without_speakers(values: np.ndarray) -> str:
    """What rows without a speaker are good for; loudly where no row has one."""
    if (values == "").all():
        return (
            ". WITHOUT SPEAKERS nothing is labelled or tested, and every protocol that "
            "leaves speakers out is refused"
        )
    return "; they are neither labelled nor tested, nor taken for one person"


def _near_doubles(name: str, values: np.ndarray) -> Iterator[str]:
    named = name in IDENTIFIERS
    if not named and (len(values) > _MOST_VALUES or all(map(_is_number, values))):
        return
    alike = defaultdict(list)
    for value in values.tolist():
        alike[_key(value)].append(value)
    doubles: dict[str, list[str]] = defaultdict(list)
    for spellings in alike.values():
        if len(spellings) > 1:
            pair = " and ".join(repr(shorten(value)) for value in spellings[:4])
            doubles[_difference(spellings)].append(pair)
    what = _PLURALS.get(name, f"values of {name!r}")
    end = "one person or two?" if name == "speaker" else "one or two?"
    for difference, pairs in doubles.items():
        yield f"{what} {listed(pairs, 3, '; ')} differ only in {difference}: {end}"


def _shared_names(speaker: np.ndarray, corpus: np.ndarray) -> Iterator[str]:
    known = (speaker != "") & (corpus != "")
    pairs = np.unique(np.stack([speaker[known], corpus[known]]), axis=1)
    names, times = np.unique(pairs[0], return_counts=True)
    shared = names[times > 1]
    if len(shared):
        first = shorten(shared[0])
        homes = pairs[1][pairs[0] == shared[0]]
        yield (
            f"{len(shared)} speakers have the same name in several corpora, such as "
            f"{first!r} in {listed(homes, 3)}: {unique_names(first, homes[0])}"
        )


def unique_names(speaker: str, corpus: str) -> str:
    """Advice for messages: how to distinguish speakers of the same name."""
    return (
        f"if they are other people, give every corpus names of its own, such as "
        f"'{corpus}:{speaker}' (dann-prepare does, for several corpora)"
    )


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _without_zero(value: str) -> str:
    return re.sub(r"(?<=\d)\.0+$", "", value)


def _without_zeros(value: str) -> str:
    return re.sub(r"\d+", lambda digits: digits[0].lstrip("0") or "0", value)


def _without_marks(value: str) -> str:
    """Letters and digits alone; a mark between two digits tells two numbers apart."""
    parted = re.sub(r"(?<=\d)[\W_]+(?=\d)", "\0", value)
    return re.sub(r"[^\w\0]|_", "", parted)


def _folded(value: str) -> str:
    return unicodedata.normalize("NFKC", value).casefold()


_DIFFERENCES = {
    "case": _folded,
    "a trailing .0": _without_zero,
    "leading zeros": _without_zeros,
    "punctuation": _without_marks,
}
"""What two spellings may differ in -> the value without it."""


def _key(value: str) -> str:
    """The same for values that differ in nothing but how they are written."""
    key = value
    for without in (_without_zero, _folded, _without_zeros, _without_marks):
        key = without(key)
    # Of marks alone, such as + and -, nothing is left.
    return key or value


def _difference(values: Iterable[str]) -> str:
    for name, without in _DIFFERENCES.items():
        if len({without(value) for value in values}) == 1:
            return name
    return "how they are written"
