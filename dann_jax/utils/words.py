"""Values and messages in a line that a person can read."""

from collections.abc import Iterable, Sequence
from typing import Any

MOST = 600
"""Characters of a message: a cell of a table may have 100,000."""


def shown(value: Any, most: int = 80) -> str:
    """A value as Python writes it, shortened in the middle.

    Example:
      >>> shown("a" * 1000, most=21)
      "'aaaaaaa ... aaaaaaa'"
    """
    # NumPy's texts and numbers name their type, which does not belong into messages.
    plain = value.item() if hasattr(value, "dtype") and not value.shape else value
    try:
        text = repr(plain)
    except (RecursionError, ValueError):
        # Nested too deeply; or a whole number of more digits than Python writes.
        text = f"a {type(plain).__name__} too large to show"
    return shortened(text, most)


def shortened(text: str, most: int = MOST) -> str:
    """Text on one line, of at most so many characters: its beginning and its end.

    Example:
      >>> shortened("one two three four", most=11)
      'one ... our'
    """
    # What splits the lines of a message would be a line of its own.
    text = " ".join(text.split()) if len(text) <= most else text
    if len(text) <= most:
        return text
    kept = most - len(" ... ")
    text = text[: kept - kept // 2] + " ... " + text[len(text) - kept // 2 :]
    return " ".join(text.split())


def shorten(value: object) -> str:
    r"""A value as text without quotation marks, in one line of at most 60 characters.

    Example:
      >>> shorten("two\nlines"), len(shorten("a" * 100_000))
      ('two lines', 60)
    """
    return shortened(str(value), most=60)


def listed(values: Iterable[object], limit: int = 5, between: str = ", ") -> str:
    """The first few values, and how many more there are.

    Example:
      >>> listed(["a", "b", "c"], 2)
      'a, b and 1 more'
    """
    values = list(values)
    first = between.join(shortened(str(value), 240) for value in values[:limit])
    more = len(values) - limit
    return f"{first} and {more} more" if more > 0 else first


def counted(count: int, one: str, many: str = "") -> str:
    """A number and what it counts; `many` is by default `one` with an s.

    Example:
      >>> counted(1, "clip"), counted(3, "clip"), counted(2, "person", "people")
      ('1 clip', '3 clips', '2 people')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def and_listed(names: Sequence[str]) -> str:
    """Names as a sentence has them, one at least.

    Example:
      >>> and_listed(["a"]), and_listed(["a", "b", "c"])
      ('a', 'a, b and c')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
