"""Tables of text (CSV, JSON lines, Excel), with the line that each row came from."""

import csv
import io
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.spreadsheet import read_sheet
from dann_jax.data.table_names import Names, column_name, count_known, name_columns
from dann_jax.data.table_text import DELIMITERS, decode, find_delimiter
from dann_jax.utils.words import listed, shorten

Row = tuple[int, dict[str, str]]
"""A line number, and column -> value."""

_INDEX = ("", "Unnamed: 0")
"""The name of the index of a table of pandas, once and twice written."""

_log = logging.getLogger(__name__)


def read_rows(
    path: epath.Path,
    required: Sequence[str],
    *,
    hoped: Sequence[str] = (),
    given: Mapping[str, str] | None = None,
) -> tuple[list[int], list[dict[str, str]]]:
    """Read a table of text.

    Encoding and delimiter are recognised; what is unusual about them is logged.

    Args:
      path: of a file that ends as one of `TABLES`; of `.jsonl` keys may be left out
        where they are not required.
      required: columns that it must have.
      hoped: columns that it may lack, unless one of another name looks like it.
      given: name in the table -> that of the column; None where nobody could give any.

    Returns:
      Line number of each row, and the rows; every row has every column. Columns are
      named as by `name_columns`.

    Raises:
      CorpusError: the file is no table, required columns are missing, or a line does
        not fit; the message says which.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise CorpusError(f"{path}: a manifest ends in {TABLES_TEXT}, not {suffix!r}")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"{path}: there is no such file") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error}") from None
    names = Names(tuple(required), tuple(hoped), given)
    numbered = list(_READERS[suffix](path, content, names))
    if not numbered:
        raise CorpusError(f"{path} has a header and no rows")
    return [line for line, _ in numbered], [row for _, row in numbered]


def _csv_rows(path: epath.Path, content: bytes, names: Names) -> Iterator[Row]:
    whole = decode(content, path)
    delimiter, text = find_delimiter(whole.content, lambda h: count_known(h, names))
    notes = [whole.note] if whole.note else []
    if delimiter != ",":
        notes.append(f"fields are separated by {DELIMITERS[delimiter]}")
    skipped = whole.content.count("\n") - text.count("\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines = []
    try:
        # An empty line holds no row.
        for values in reader:
            if values or not lines:
                lines.append((reader.line_num + skipped, values))
    except csv.Error as error:
        raise CorpusError(
            f"{path}, line {reader.line_num}: not CSV ({error})"
        ) from None
    yield from _table_rows(path, lines, names, notes)


def _sheet_rows(path: epath.Path, content: bytes, names: Names) -> Iterator[Row]:
    lines, note = read_sheet(content, path)
    yield from _table_rows(path, lines, names, [note] if note else [])


def _table_rows(
    path: epath.Path,
    lines: Sequence[tuple[int, Sequence[str]]],
    names: Names,
    notes: list[str],
) -> Iterator[Row]:
    """The rows below a header, which is the first line."""
    header, rows = list(lines[0][1]) if lines else [], lines[1:]
    if _numbers_rows(header, rows):
        notes.append("its first column, which numbers the rows, is left out")
        header = header[1:] if header[0] in _INDEX else header
        rows = [(line, values[1:]) for line, values in rows]
    if notes:
        _log.info("%s: %s", path, "; ".join(notes))
    header = name_columns(header, names, path)
    for line, values in rows:
        if len(values) != len(header):
            raise CorpusError(
                f"{path}, line {line}: expected {len(header)} fields, found "
                f"{len(values)}"
            )
        yield line, dict(zip(header, values, strict=True))


def _numbers_rows(
    header: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]]
) -> bool:
    """Whether the first column is the index of pandas or R, which has no name."""
    if not header or not rows:
        return False
    fields = len(header) + (header[0] not in _INDEX)
    if any(len(values) != fields for _, values in rows):
        return False
    first = [values[0] for _, values in rows]
    return all(map(str.isdecimal, first)) and len({*first}) == len(first)


def _json_rows(path: epath.Path, content: bytes, names: Names) -> Iterator[Row]:
    text = decode(content, path).content
    # Not `splitlines`, which also breaks at characters that JSON text may hold.
    lines = enumerate(re.split(r"\r\n|\n|\r", text), start=1)
    rows = [
        (number, _json_row(f"{path}, line {number}", line))
        for number, line in lines
        if line.strip()
    ]
    theirs = list(dict.fromkeys(name for _, row in rows for name in row))
    ours = dict(zip(theirs, name_columns(theirs, names, path), strict=True))
    for number, row in rows:
        named = {ours[name]: value for name, value in row.items()}
        missing = [name for name in names.required if name not in named]
        if missing:
            raise CorpusError(f"{path}, line {number}: no {', '.join(missing)}")
        yield number, {name: named.get(name, "") for name in ours.values()}


class _Pairs(list):
    """The keys and values of an object, those that occur twice too."""


def _json_row(where: str, line: str) -> dict[str, str]:
    try:
        pairs = json.loads(line, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not JSON ({error})") from None
    if not isinstance(pairs, _Pairs):
        raise CorpusError(f"{where}: expected an object such as {{'file': ...}}")
    names = Counter(column_name(name) for name, _ in pairs)
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise CorpusError(f"{where}: names {shorten(twice[0])!r} more than once")
    row = {column_name(name): value for name, value in pairs}
    nested = [name for name, value in row.items() if isinstance(value, list | dict)]
    if nested:
        raise CorpusError(
            f"{where}: {nested[0]!r} is a list or an object; expected text or a number"
        )
    return {name: "" if value is None else str(value) for name, value in row.items()}


_READERS: Mapping[str, Callable[[epath.Path, bytes, Names], Iterator[Row]]] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), _csv_rows),
    ".jsonl": _json_rows,
    ".xlsx": _sheet_rows,
}

TABLES = tuple(_READERS)
"""How the name of a table may end, in lower case."""

TABLES_TEXT = f"{listed(TABLES[:-1], 9)} or {TABLES[-1]}"
