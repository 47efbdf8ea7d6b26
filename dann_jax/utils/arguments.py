"""Checks of arguments that users give in configs and on the command line.

The annotation of an argument says what it may be: `Annotated[int, Range(1)]` is a whole
number of at least 1. `call_checked` and `check` compare values with it before
anything is computed from them.
"""

import inspect
import math
import numbers
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from dann_jax.utils.words import shown


class Range(NamedTuple):
    """Numbers from `low` to `high`, and whether each end is one of them.

    Example:
      >>> 1.0 in Range(0, 1, high_inside=False), str(Range(0, low_inside=False))
      (False, 'above 0')
    """

    low: float = -math.inf
    high: float = math.inf
    low_inside: bool = True
    high_inside: bool = True

    def __contains__(self, value: Any) -> bool:
        above = value >= self.low if self.low_inside else value > self.low
        below = value <= self.high if self.high_inside else value < self.high
        return above and below

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'at least' if self.low_inside else 'above'} {self.low:g}"
        last = "at most" if self.high_inside else "below"
        if self.low == -math.inf:
            return f"{last} {self.high:.15g}"
        first = "from" if self.low_inside else "above"
        last = "to" if self.high_inside else "to below"
        return f"{first} {self.low:g} {last} {self.high:g}"


Count = Annotated[int, Range(1), Range(high=10**6)]
"""A number of things; a million is more than any run has."""

CountOrNone = Annotated[int, Range(0), Range(high=10**6)]
"""The same, or 0 for none."""

Width = Annotated[int, Range(1), Range(high=2**15)]
"""Values of a layer; a square matrix of the largest takes 4 GiB."""

FrameCount = Annotated[int, Range(1), Range(high=1000)]
"""Frames in the kernel, dilation or stride of a layer."""

Share = Annotated[float, Range(0, 1)]
Rate = Annotated[float, Range(0, 1, high_inside=False)]
"""A share below 1, such as dropout."""

Weight = Annotated[float, Range(0), Range(high=1e4)]
"""A factor of a loss: a strength or a weight of a term."""

Positive = Annotated[float, Range(0, low_inside=False), Range(high=1e4)]
"""A divisor: a temperature or a scale."""

Seed = Annotated[int, Range(0), Range(high=2**32 - 1)]


def call_checked(what: str, function: Callable, *arguments: Any, **options: Any) -> Any:
    """Call a function with a user's arguments.

    Args:
      what: begins the name of each argument in messages.
      function: to call.
      *arguments: from the program.
      **options: from the user.

    Raises:
      ValueError: the function takes no argument of that name, one is missing, or one is
        not as its annotation requires.

    Example:
      >>> call_checked("the divisor", divmod, 7, z=2)
      Traceback (most recent call last):
      ...
      ValueError: the divisor: missing a required argument: 'y'; there are y
    """
    signature = inspect.signature(function)
    known = list(signature.parameters)
    # Every Flax module takes these two; they are for programs.
    implied = {"parent", "name"} if "parent" in known else set()
    try:
        if implied & options.keys():
            raise TypeError(f"unexpected {', '.join(sorted(implied & options.keys()))}")
        signature.bind(*arguments, **options)
    except TypeError as error:
        known = [name for name in known if name not in implied]
        raise ValueError(
            f"{what}: {error}; there are {', '.join(known[len(arguments) :])}"
        ) from None
    check(what, function, options)
    return function(*arguments, **options)


def check(what: str, function: Callable, options: Mapping[str, Any]) -> None:
    """Compare values with the annotations of the arguments of these names.

    Args:
      what: begins the name of each argument in messages.
      function: that takes them; it is not called.
      options: name -> value; other names are ignored.

    Raises:
      ValueError: a value is not as its annotation requires.

    Example:
      >>> def draw(*, rows: Annotated[int, Range(1)]) -> None: ...
      >>> check("config.sample", draw, {"rows": 0})
      Traceback (most recent call last):
      ...
      ValueError: config.sample.rows must be at least 1, got 0
    """
    parameters = inspect.signature(function).parameters
    for name, value in options.items():
        known = parameters.get(name)
        if known is not None and known.kind is not known.VAR_KEYWORD:
            require(f"{what}.{name}" if what else name, value, known.annotation)


def require(name: str, value: Any, annotation: Any) -> None:
    """Raise a `ValueError` that names the value unless it is as annotated.

    Annotations that are not about numbers, words, lists or mappings of them ask for
    nothing.

    Example:
      >>> require("seeds", "abc", Count)
      Traceback (most recent call last):
      ...
      ValueError: seeds must be a whole number, at least 1, got 'abc'
    """
    fault = _fault(name, value, annotation)
    if fault is not None:
        raise ValueError(f"{fault.name} must be {fault.wanted}, got {shown(fault.got)}")


class _Fault(NamedTuple):
    name: str
    wanted: str
    got: Any


def _fault(name: str, value: Any, annotation: Any) -> _Fault | None:
    """The first fault of a value."""
    kind, ranges = annotation, ()
    if typing.get_origin(annotation) is Annotated:
        kind, *ranges = typing.get_args(annotation)
    if not _is_of(value, kind):
        return _Fault(name, ", ".join([in_words(kind), *map(str, ranges[:1])]), value)
    for allowed in ranges:
        if value not in allowed:
            return _Fault(name, str(allowed), value)
    if _is_list(kind):
        inner = typing.get_args(kind)[0]
        faults = filter(None, (_fault(name, item, inner) for item in value))
        for fault in faults:
            return _Fault(name, f"a list, each of it {fault.wanted}", value)
    if typing.get_origin(kind) is Mapping:
        _, inner = typing.get_args(kind)
        faults = (_fault(f"{name}.{key}", item, inner) for key, item in value.items())
        return next(filter(None, faults), None)
    return None


_WORDS: Mapping[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a word",
    type(None): "None",
    os.PathLike: "a path",
}


def _is_of(value: Any, kind: Any) -> bool:
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return any(_fault("", value, one) is None for one in typing.get_args(kind))
    if typing.get_origin(kind) is Literal:
        return isinstance(value, str) and value in typing.get_args(kind)
    if _is_list(kind):
        return isinstance(value, tuple | list)
    if typing.get_origin(kind) is Mapping:
        # A `ConfigDict` is no `Mapping`.
        return hasattr(value, "items")
    if kind in (int, float):
        wanted = numbers.Integral if kind is int else numbers.Real
        if not isinstance(value, wanted) or isinstance(value, bool):
            return False
        # A whole number may be too large to be a float.
        return isinstance(value, int) or math.isfinite(value)
    return not isinstance(kind, type) or kind not in _WORDS or isinstance(value, kind)


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) in (Sequence, tuple)


def in_words(kind: Any) -> str:
    """A type in words.

    Example:
      >>> in_words(tuple[int, ...]), in_words(float | None)
      ('a list, each of it a whole number', 'a number or None')
    """
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return " or ".join(in_words(one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is Annotated:
        return in_words(typing.get_args(kind)[0])
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        return f"one of {', '.join(choice or repr('') for choice in choices)}"
    if _is_list(kind):
        inner = typing.get_args(kind)[0]
        return "a list" if inner is Any else f"a list, each of it {in_words(inner)}"
    if typing.get_origin(kind) is Mapping:
        return "a section of keys with values"
    return _WORDS.get(kind, getattr(kind, "__name__", str(kind)))
