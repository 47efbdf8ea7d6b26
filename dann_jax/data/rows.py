"""Tables of text, as CSV or as JSON lines, with the line that each row came from."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.identifiers import spelled
from dann_jax.utils.words import listed, shorten

KNOWN = frozenset(
    (
        *(
            "utt_id",
            "file",
            "speaker",
            "emotion",
            "word",
            "session",
            "corpus",
            "gender",
        ),
        *("language", "dialogue", "turn", "start", "end", "text", "accent", "style"),
        *("valence", "activation", "arousal", "dominance", "style", "split"),
    )
)
"""Columns that this package reads by name."""


def column_name(name: str) -> str:
    """The name of a column without additions of spreadsheets.

    Example:
      >>> column_name(" Speaker"), column_name("UTT ID"), column_name("Room A")
      ('speaker', 'utt_id', 'Room A')
    """
    text = spelled(name)
    folded = text.casefold().replace(" ", "_")
    return folded if folded in KNOWN else text


def read_rows(
    path: epath.Path, required: Sequence[str]
) -> tuple[list[int], list[dict[str, str]]]:
    """Read a table of text.

    Args:
      path: of a `.csv`, or of a `.jsonl` whose keys may be left out where they are not
        required.
      required: columns that it must have.

    Returns:
      Line number of each row, and the rows; every row has every column. Columns are
      named as by `column_name`.

    Raises:
      CorpusError: the file is none of the two, a required column is missing, or a line
        does not fit; the message says which.
    """
    readers = {".csv": _csv_rows, ".jsonl": _json_rows}
    if path.suffix.lower() not in readers:
        raise CorpusError(
            f"{path}: a manifest ends in {' or '.join(readers)}, not {path.suffix!r}"
        )
    try:
        # Spreadsheets put a byte order mark first.
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise CorpusError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{path}, line {line}: cannot be read as UTF-8; save the table as UTF-8"
        ) from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise CorpusError(
            f"{path}, line {line}: holds a NUL character, so it is damaged"
        )
    numbered = list(readers[path.suffix.lower()](path, text, required))
    if not numbered:
        raise CorpusError(f"{path} has a header and no rows")
    return [line for line, _ in numbered], [row for _, row in numbered]


def _csv_rows(
    path: epath.Path, text: str, required: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column_name(name) for name in next(reader, [])]
        _check_header(path, header, required)
        for values in reader:
            # An empty line holds no row.
            if values and len(values) != len(header):
                raise CorpusError(
                    f"{path}, line {reader.line_num}: expected {len(header)} fields, "
                    f"found {len(values)}"
                )
            if values:
                yield reader.line_num, dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise CorpusError(
            f"{path}, line {reader.line_num}: not CSV ({error})"
        ) from None


def _json_rows(
    path: epath.Path, text: str, required: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    # Not `splitlines`, which also breaks at characters that JSON text may hold.
    lines = enumerate(re.split(r"\r\n|\n|\r", text), start=1)
    rows = [
        (number, _json_row(f"{path}, line {number}", line))
        for number, line in lines
        if line.strip()
    ]
    header = list(dict.fromkeys(name for _, row in rows for name in row))
    _check_header(path, header, required)
    for number, row in rows:
        missing = [name for name in required if name not in row]
        if missing:
            raise CorpusError(f"{path}, line {number}: no {', '.join(missing)}")
        yield number, {name: row.get(name, "") for name in header}


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


def _check_header(
    path: epath.Path, header: Sequence[str], required: Sequence[str]
) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        raise CorpusError(
            f"{path}: no column {', '.join(missing)}; it has "
            f"{listed(map(shorten, header), 20)}"
        )
    repeated = [name for name, times in Counter(header).items() if times > 1]
    if repeated or "" in header:
        raise CorpusError(
            f"{path}: the header names {shorten(repeated[0])!r} more than once"
            if repeated
            else f"{path}: column {header.index('') + 1} has no name"
        )
