"""Keyword arguments that come from a person, not from a program."""

import inspect
from collections.abc import Callable
from typing import Any


def words(what: str, value: Any) -> tuple[str, ...]:
    """What a person wrote where words are wanted.

    Args:
      what: they are, for the message.
      value: a list or tuple of texts.

    Raises:
      ValueError: it is something else.

    Example:
      >>> words("the labels", (0, 1))
      Traceback (most recent call last):
      ...
      ValueError: the labels must be words such as ('0', '1'), got (0, 1)
    """
    listed = isinstance(value, tuple | list)
    if listed and all(isinstance(word, str) for word in value):
        return tuple(value)
    meant = tuple(map(str, value)) if listed and value else (str(value),)
    raise ValueError(f"{what} must be words such as {meant!r:.200}, got {value!r:.200}")


def call(what: str, function: Callable, *arguments: Any, **options: Any) -> Any:
    """Call a function with what a person wrote.

    Args:
      what: whose arguments they are, for the message.
      function: to call.
      *arguments: from the program.
      **options: from the person.

    Raises:
      ValueError: the function takes no argument of that name, or one is missing.

    Example:
      >>> call("the divisor", divmod, 7, z=2)
      Traceback (most recent call last):
      ...
      ValueError: the divisor: missing a required argument: 'y'; there are y
    """
    signature = inspect.signature(function)
    try:
        signature.bind(*arguments, **options)
    except TypeError as error:
        known = [
            name for name in signature.parameters if name not in ("parent", "name")
        ]
        raise ValueError(
            f"{what}: {error}; there are {', '.join(known[len(arguments) :])}"
        ) from None
    return function(*arguments, **options)
