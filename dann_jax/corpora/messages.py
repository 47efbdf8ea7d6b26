"""Values in messages, short whatever a cell holds, and words where words are wanted."""

from collections.abc import Iterable
from typing import Any

MOST = 60
"""Characters of a value that a message shows."""


def shorten(value: object, most: int = MOST) -> str:
    r"""A value as text of at most `most` characters, in one line.

    Example:
      >>> shorten("a" * 100_000, 8), shorten("two\nlines")
      ('aaaaaaa…', 'two lines')
    """
    text = " ".join(str(value)[: 4 * most + 1].split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def listed(values: Iterable[object], limit: int = 5, between: str = ", ") -> str:
    """The first few values, and how many more there are.

    Example:
      >>> listed(["a", "b", "c"], 2)
      'a, b and 1 more'
    """
    values = list(values)
    shown = between.join(shorten(value, 4 * MOST) for value in values[:limit])
    more = len(values) - limit
    return f"{shown} and {more} more" if more > 0 else shown


def require_words(what: str, value: Any) -> tuple[str, ...]:
    """The value as a tuple of texts.

    Args:
      what: it is, for the message.
      value: a list or tuple of texts.

    Raises:
      ValueError: it is something else.

    Example:
      >>> require_words("labels", (0, 1))
      Traceback (most recent call last):
      ...
      ValueError: labels must be words such as ('0', '1'), got (0, 1)
    """
    several = isinstance(value, tuple | list)
    if several and all(isinstance(word, str) for word in value):
        return tuple(value)
    meant = tuple(map(str, value)) if several and value else (str(value),)
    raise ValueError(
        f"{what} must be words such as {shorten(repr(meant))}, got "
        f"{shorten(repr(value))}"
    )
