"""Encoding and delimiter of a table of text, recognised from its content."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dann_jax.data.corpus import CorpusError
from dann_jax.utils.words import listed, shorten

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may separate the fields of a line -> its name, the most usual first."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", ""),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
"""A mark, its codec, and what to say of it; that of UTF-32 begins as UTF-16's."""

_SAID = re.compile(r"sep=([,;\t|])\r?\n", re.IGNORECASE)
"""A first line by which Excel is told the delimiter."""


class Text(NamedTuple):
    """The text of a file.

    Attributes:
      content: its characters.
      note: how it was decoded, for people; empty for UTF-8.
    """

    content: str
    note: str


def decode(content: bytes, where: object) -> Text:
    r"""The text of a file in UTF-8, UTF-16 or Windows-1252 (Latin-1 with quotes).

    Args:
      content: of the file.
      where: begins the message of an error.

    Raises:
      CorpusError: it is none of them, or holds NUL characters. What is UTF-8 in one
        place and not in another is not taken for Windows-1252.

    Example:
      >>> decode("Zoë".encode("latin-1"), "a.csv")
      Text(content='Zoë', note="read as Windows-1252, such as 'Zoë'")
      >>> decode(b"\xef\xbb\xbfann", "a.csv")
      Text(content='ann', note='')
    """
    codec, name = _codec(content)
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as error:
        if codec != "utf-8" or _is_partly_utf8(content):
            raise CorpusError(_not_text(content, error, where)) from None
        try:
            text, name = content.decode("cp1252"), "Windows-1252"
        except UnicodeDecodeError as undefined:
            raise CorpusError(_not_text(content, undefined, where)) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise CorpusError(
            f"{where}, line {line}: holds a NUL character, so it is damaged"
        )
    return Text(text, _note(text, name))


def find_delimiter(text: str, count: Callable[[Sequence[str]], int]) -> tuple[str, str]:
    r"""What separates the fields, and the text without a line that says so.

    Args:
      text: of a table with a header.
      count: from the fields of a header to how many are known.

    Returns:
      That of `DELIMITERS` by which the header has the most known fields or, of as many,
      the most fields; a comma where there is one field.

    Example:
      >>> find_delimiter("a;b,c\n1;2,3\n", lambda names: "a" in names)
      (';', 'a;b,c\n1;2,3\n')
      >>> find_delimiter("sep=;\na;b\n", len)
      (';', 'a;b\n')
    """
    if said := _SAID.match(text):
        return said[1], text[said.end() :]

    def rank(delimiter: str) -> tuple[int, int]:
        header = _header(text, delimiter)
        return count(header), len(header)

    return max(DELIMITERS, key=rank), text


def _header(text: str, delimiter: str) -> list[str]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return next(reader, [])
    except csv.Error:
        return []


def _codec(content: bytes) -> tuple[str, str]:
    """By the mark; else UTF-16 where every other byte of the beginning is NUL."""
    for mark, codec, name in _MARKS:
        if content.startswith(mark):
            return codec, name
    head = content[:200]
    for first, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) > 3 and not any(head[first::2]) and any(head[1 - first :: 2]):
            return codec, "UTF-16"
    return "utf-8", ""


def _is_partly_utf8(content: bytes) -> bool:
    text = content.decode("utf-8", "surrogateescape")
    return any(c > "\x7f" and not "\udc80" <= c <= "\udcff" for c in text)


def _not_text(content: bytes, error: UnicodeDecodeError, where: object) -> str:
    line = content.count(b"\n", 0, error.start) + 1
    return (
        f"{where}, line {line}: cannot be read as UTF-8, nor as UTF-16 or "
        f"Windows-1252; save the table as UTF-8"
    )


def _note(text: str, name: str) -> str:
    if not name:
        return ""
    foreign = dict.fromkeys(re.findall(r"\w*[^\x00-\x7f]\w*", text))
    # Whoever looks at it sees whether that is how the word is spelled.
    such_as = listed((repr(shorten(word)) for word in foreign), 1).split(" and ")[0]
    return f"read as {name}{f', such as {such_as}' if foreign else ''}"
