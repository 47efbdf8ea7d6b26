"""The name of a protocol, derived from its split."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dann_jax.tasks.splits import ProtocolError
from dann_jax.utils.words import listed

_LEAVE_ONE_OUT = re.compile(r"leave[-_ ]one[-_ ](?:(?P<what>[\w /]+?)[-_ ])?out")
_PAIRS = re.compile(r"every (?P<what>\w+) to every other")
_FOLDS = re.compile(r"\b(?P<count>\d+)[-_ ]?fold")
_GROUPS = re.compile(r"\b(?P<count>\d+) (?:\w+ )?groups\b")


def split_name(split: str, arguments: Mapping[str, Any]) -> str:
    """The name of a protocol, from a key of `SPLITS` and its arguments.

    Example:
      >>> split_name("leave_one_out", {"column": "session"})
      'leave-one-session-out'
      >>> split_name("group_k_fold", {"column": "speaker", "k": 3})
      '3 speaker groups'
      >>> split_name("fixed_split", {"column": "corpus", "train": "a", "test": "bc"})
      'corpus a -> b, c'
    """
    column = arguments.get("column", "value")
    if split == "leave_one_out":
        sides = [
            f"{side} {name} {listed(arguments[side][name])}"
            for side in ("train", "test")
            for name in arguments.get(side) or ()
        ]
        return f"leave-one-{column}-out" + (f" ({'; '.join(sides)})" if sides else "")
    if split == "group_k_fold":
        return f"{arguments.get('k')} {column} groups"
    if split == "ordered_pairs":
        return f"every {column} to every other"
    if split == "adapt":
        sides = ("source", "target")
        source, target = (listed(arguments.get(side, (side,))) for side in sides)
        return f"{arguments.get('column', 'side')} {source} adapted to {target}"
    source, target = (listed(arguments.get(side, ())) for side in ("train", "test"))
    return f"{column} {source} -> {target}"


def protocol_name(
    name: str, split: str, arguments: Mapping[str, Any], folds: Sequence[str]
) -> str:
    """The name of a config if it has one and it is true, else `split_name`.

    Args:
      name: of the config; empty for that of the split.
      split: a key of `SPLITS`.
      arguments: of the split.
      folds: that it made.

    Raises:
      ProtocolError: the name is that of another split.

    Example:
      >>> arguments = {"column": "speaker", "k": 3}
      >>> protocol_name("", "group_k_fold", arguments, ["1", "2", "3"])
      '3 speaker groups'
    """
    if split == "group_k_fold":
        # They may be fewer than `k`.
        arguments = {**arguments, "k": len(folds)}
    default = split_name(split, arguments)
    if name and _contradicts(str(name).lower(), split, arguments, len(folds)):
        raise ProtocolError(
            f"protocol.name is {name!r}, but the split is {default}: leave the name "
            f"empty, and it follows the split"
        )
    return str(name) or default


def _contradicts(
    name: str, split: str, arguments: Mapping[str, Any], folds: int
) -> bool:
    column = str(arguments.get("column", "")).lower()
    for pattern, kind in ((_LEAVE_ONE_OUT, "leave_one_out"), (_PAIRS, "ordered_pairs")):
        for match in pattern.finditer(name):
            what = match["what"] or column
            if split != kind or re.sub(r"\W", "_", what) != re.sub(r"\W", "_", column):
                return True
    counts = {int(match["count"]) for match in _FOLDS.finditer(name)}
    groups = {int(match["count"]) for match in _GROUPS.finditer(name)}
    grouped = split == "group_k_fold"
    return bool(counts - {folds}) or bool(groups - ({folds} if grouped else set()))
