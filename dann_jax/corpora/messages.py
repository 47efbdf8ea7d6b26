"""Values of the data in messages: short, whatever a cell holds."""

from collections.abc import Iterable

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
