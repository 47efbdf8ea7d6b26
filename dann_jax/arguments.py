"""Keyword arguments that come from a person, not from a program."""

import inspect
from collections.abc import Callable
from typing import Any


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
