"""Databases of audformat, as one table: labels, raters, splits and what else they hold.

Reference: Wagner et al., "audb: Sharing and Versioning of Audio and Annotation Data",
2303.00645, section 3, for the format.
"""

import logging
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.raters import VOTES
from dann_jax.utils.words import listed, shorten

Key = tuple[str, str, str]
"""A file, and where a segment starts and ends, in seconds; empty for all of it."""

HEADER = "db.yaml"
"""The file of a database that says what its tables are."""

_log = logging.getLogger(__name__)


def read_database(
    source: epath.PathLike, given: Mapping[str, str] = {}
) -> dict[str, np.ndarray]:
    """Read what a database says of its recordings, a row for each that has an emotion.

    Args:
      source: the folder that holds `db.yaml`.
      given: name of a scheme -> that of the column: `{"categories": "emotion"}`.

    Returns:
      Column -> strings `[N]`: `file`, `start`, `end`, `speaker`, `emotion` (of a gold
      standard or the only rater), `raters.VOTES` where there are several human raters,
      `split`, and every other scheme.

    Raises:
      CorpusError: there is no database or no scheme of emotions, it cannot be read, or
        it says two things of a recording.
    """
    database = _load(epath.Path(source))
    names = {name: name for name in ("emotion", "speaker")}
    names |= {ours: theirs for theirs, ours in given.items()}
    labels, votes, splits = _emotions(database, names["emotion"], source)
    keys = sorted({*labels, *votes})
    columns = {
        name: [key[part] for key in keys]
        for part, name in enumerate(("file", "start", "end"))
    }
    if any(len(words) > 1 for words in votes.values()):
        columns[VOTES] = [";".join(votes.get(key, ())) for key in keys]
        columns |= {"emotion": [labels.get(k, "") for k in keys]} if labels else {}
    else:
        only = {key: words[0] for key, words in votes.items()}
        columns["emotion"] = [(only | labels)[key] for key in keys]
    if any(splits.values()):
        columns["split"] = [splits[key] for key in keys]
    others = {*database.schemes, "gender", "language"} - {*names, *names.values()}
    for name, scheme in (
        ("speaker", names["speaker"]),
        *((given.get(scheme, scheme), scheme) for scheme in sorted(others)),
    ):
        if (values := _values(database, scheme, keys, source)) is not None:
            columns[name] = values
    if "speaker" not in columns:
        raise CorpusError(
            f"{source}: the scheme {names['speaker']!r} says nothing; the schemes are "
            f"{listed(map(shorten, database.schemes), 20)}: name that of the speakers, "
            f"as in --columns=SCHEME:speaker"
        )
    return {name: np.array(values, str) for name, values in columns.items()}


def _load(folder: epath.Path) -> Any:
    if not (folder / HEADER).exists():
        raise CorpusError(f"{folder} holds no {HEADER}, so it is no audformat database")
    try:
        return _audformat().Database.load(str(folder), load_data=True)
    # What is wrong in YAML or in a table has many names.
    except Exception as error:
        raise CorpusError(f"{folder} cannot be read as audformat: {error}") from None


def _audformat() -> ModuleType:
    try:
        import audformat
    except ImportError:
        raise CorpusError(
            "audformat databases are read by the package audformat: "
            "pip install 'dann_jax[audformat]'"
        ) from None
    return audformat


def _emotions(
    database: Any, scheme: str, source: epath.PathLike
) -> tuple[dict[Key, str], dict[Key, list[str]], dict[Key, str]]:
    """Labels by gold standards, the words of raters, and splits, by recording."""
    labels: dict[Key, str] = {}
    votes: dict[Key, list[str]] = {}
    splits: dict[Key, str] = {}
    found = [
        (table, name, column)
        for table in database.tables.values()
        for name, column in table.columns.items()
        if scheme in (column.scheme_id, name)
    ]
    if not found:
        raise CorpusError(
            f"{source}: no table has a column of the scheme {scheme!r}; the schemes "
            f"are {listed(map(shorten, database.schemes), 20)}: name that of the "
            f"emotions, as in --columns=SCHEME:emotion"
        )
    for table, name, column in found:
        rater = database.raters[column.rater_id].type if column.rater_id else ""
        if rater == "machine":
            _log.warning("%s: column %s of a machine is left out", source, name)
            continue
        for key, word in _cells(table.df[name]):
            if rater == "human":
                votes.setdefault(key, []).append(word)
            elif labels.setdefault(key, word) != word:
                raise _contradiction(source, key, scheme, labels[key], word)
            split = table.split_id or ""
            if splits.setdefault(key, split) and split not in ("", splits[key]):
                raise _contradiction(source, key, "split", splits[key], split)
            splits[key] = splits[key] or split
    return labels, votes, splits


def _values(
    database: Any, scheme: str, keys: list[Key], source: epath.PathLike
) -> list[str] | None:
    """What a scheme says of each recording, or of its file; None where it says nothing.

    It may be a column, or belong to the labels of another scheme, as the gender of a
    speaker does.
    """
    try:
        frame = database.get(scheme)
    except ValueError as error:
        if scheme == "speaker":
            raise CorpusError(f"{source}: {error}") from None
        _log.warning("%s: %s is left out: %s", source, scheme, error)
        return None
    cells = dict(_cells(frame[scheme])) if scheme in frame else {}
    if not cells:
        return None
    return [cells.get(key, cells.get((key[0], "", ""), "")) for key in keys]


def _cells(series: Any) -> Iterator[tuple[Key, str]]:
    """The values of a column that are there, with the recording of each."""
    for index, value in series.dropna().items():
        if isinstance(index, tuple):
            yield (str(index[0]), _seconds(index[1]), _seconds(index[2])), str(value)
        else:
            yield (str(index), "", ""), str(value)


def _seconds(time: Any) -> str:
    """A time of pandas; that of no time, and 0, are those of the whole file."""
    seconds = time.total_seconds()
    return f"{seconds:g}" if seconds > 0 else ""


def _contradiction(
    source: epath.PathLike, key: Key, what: str, one: str, other: str
) -> CorpusError:
    return CorpusError(
        f"{source}: of {shorten(key[0])} {what} is both {shorten(one)!r} and "
        f"{shorten(other)!r}"
    )
