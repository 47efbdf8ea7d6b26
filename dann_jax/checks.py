"""What is wrong with a config, said by the names of its keys, before all else."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from dann_jax.bundle.run import MEMBERS
from dann_jax.objectives import REGRESSIONS

RESERVED = ("label", "data", "generator")
"""No adversary may be called so: the network has parts of these names."""


class Range(NamedTuple):
    """Numbers from `low` to `high`, and whether each end is one of them."""

    low: float
    high: float = math.inf
    low_inside: bool = True
    high_inside: bool = True

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        above = value >= self.low if self.low_inside else value > self.low
        below = value <= self.high if self.high_inside else value < self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'at least' if self.low_inside else 'above'} {self.low:g}"
        first = "from" if self.low_inside else "above"
        last = "to" if self.high_inside else "to below"
        return f"{first} {self.low:g} {last} {self.high:g}"


_COUNT, _FROM_0, _ABOVE_0 = Range(1), Range(0), Range(0, low_inside=False)
_SHARE, _RATE = Range(0, 1), Range(0, 1, high_inside=False)

RANGES: Mapping[str, Range] = {
    **dict.fromkeys(("seeds", "timetable.epochs"), _COUNT),
    **dict.fromkeys(("timetable.evaluate_every", "timetable.checkpoint_every"), _COUNT),
    **dict.fromkeys(("timetable.gradients_every", "analysis.rows"), _FROM_0),
    "analysis.replicas": _COUNT,
    **dict.fromkeys(("batches.batch_size", "batches.num_buckets"), _COUNT),
    **dict.fromkeys(("batches.max_frames", "protocol.seed"), _FROM_0),
    **dict.fromkeys(("encoder.width", "encoder.heads", "heads.domain_hidden"), _COUNT),
    **dict.fromkeys(("encoder.own_heads", "heads.generator_hidden"), _FROM_0),
    **dict.fromkeys(("encoder.frames.width", "encoder.frames.stride"), _COUNT),
    **dict.fromkeys(("encoder.frames.kernels", "encoder.frames.dilations"), _COUNT),
    **dict.fromkeys(("encoder.dropout", "heads.head_dropout", "average_decay"), _RATE),
    **dict.fromkeys(("encoder.frames.dropout", "objective.label_smoothing"), _RATE),
    **dict.fromkeys(("encoder.augmentation.time_mask",), _SHARE),
    **dict.fromkeys(("encoder.augmentation.feature_mask",), _SHARE),
    **dict.fromkeys(("encoder.augmentation.gain",), _FROM_0),
    **dict.fromkeys(("encoder.augmentation.noise",), _FROM_0),
    **dict.fromkeys(("optimizer.weight_decay", "optimizer.clip_norm"), _FROM_0),
    "optimizer.learning_rate": _ABOVE_0,
}
"""Dotted key -> what its number, or each of its numbers, must be."""

_NEEDED = (
    *("data.source", "objective.name", "strength.name"),
    *("encoder.normalisation.name", "encoder.normalisation.column"),
    *("bundle.arm", "bundle.members"),
)


def check_config(config: ConfigDict) -> None:
    """Refuse a config that cannot be run, whatever the corpus.

    Raises:
      ValueError: the message names the key, its value and what would be right.

    Example:
      >>> from dann_jax.defaults import base_config
      >>> config = base_config()
      >>> config.data.source = "voices"
      >>> config.timetable.epochs = 0
      >>> check_config(config)
      Traceback (most recent call last):
      ...
      ValueError: config.timetable.epochs must be at least 1, got 0
    """
    for key in _NEEDED:
        if _value(config, key) is None:
            raise ValueError(f"config.{key} is missing")
    if not config.data.source:
        raise ValueError(
            "config.data.source is empty; it must be the folder of a feature table or "
            "a prepared store: --config.data.source=DIR"
        )
    for key, allowed in RANGES.items():
        found = _value(config, key)
        numbers = found if isinstance(found, tuple | list) else (found,)
        if found is not None and not all(number in allowed for number in numbers):
            raise ValueError(f"config.{key} must be {allowed}, got {found!r}")
    for key, known in (
        ("encoder.dtype", ("float32", "bfloat16")),
        ("bundle.members", MEMBERS),
        ("bundle.arm", ("", *config.arms)),
    ):
        if _value(config, key, known[0]) not in known:
            raise ValueError(
                f"config.{key} is {_value(config, key)!r}; choose from "
                f"{', '.join(word or repr('') for word in known)}"
            )
    _check_adversaries(config)
    _check_arms(config)
    _check_heads(config)
    _check_task(config)


def _check_adversaries(config: ConfigDict) -> None:
    for name, arguments in config.adversaries.items():
        if name in RESERVED or not name.isidentifier():
            raise ValueError(
                f"no adversary can be called {name!r}: use letters, digits and _, and "
                f"none of {', '.join(RESERVED)}, which are parts of the network"
            )
        if not isinstance(arguments, ConfigDict) or "column" not in arguments:
            raise ValueError(
                f"config.adversaries.{name} needs a column, such as "
                f"{{'column': 'speaker'}}"
            )
    for name in config.heads.get("conditional", ()):
        if name not in config.adversaries:
            raise ValueError(
                f"config.heads.conditional names {name!r}; the adversaries are "
                f"{', '.join(config.adversaries)}"
            )


def _check_arms(config: ConfigDict) -> None:
    for arm, strengths in config.arms.items():
        if not isinstance(strengths, ConfigDict):
            raise ValueError(
                f"config.arms.{arm} must map adversaries to strengths, such as "
                f"{{'speaker': 0.3}}, got {strengths!r}"
            )
        for name, strength in strengths.items():
            if strength not in _FROM_0:
                raise ValueError(
                    f"config.arms.{arm}.{name} must be {_FROM_0}, got {strength!r}"
                )


def _check_heads(config: ConfigDict) -> None:
    """The heads of the attention share the width of the encoder."""
    encoder = config.encoder
    if not encoder.get("context"):
        return
    if encoder.width % encoder.heads:
        raise ValueError(
            f"config.encoder.heads must divide config.encoder.width, {encoder.width}, "
            f"got {encoder.heads}"
        )
    if encoder.own_heads > encoder.heads:
        raise ValueError(
            f"config.encoder.own_heads must be at most config.encoder.heads, "
            f"{encoder.heads}, got {encoder.own_heads}"
        )


def _check_task(config: ConfigDict) -> None:
    """What is learned is what is asked: values or classes."""
    name, targets = config.objective.name, _value(config, "protocol.targets", ())
    if bool(targets) != (name in REGRESSIONS):
        raise ValueError(
            f"config.objective.name is {name!r}; it must be {' or '.join(REGRESSIONS)} "
            f"where config.protocol.targets names columns, and there only"
        )
    given_classes = [
        key for key in ("conditional", "class_wise") if config.heads.get(key)
    ]
    if targets and given_classes:
        raise ValueError(
            f"config.heads.{given_classes[0]} gives an adversary the predicted class, "
            f"and there are no classes where config.protocol.targets names columns"
        )


def _value(config: ConfigDict, key: str, default: Any = None) -> Any:
    here: Any = config
    for part in key.split("."):
        if not isinstance(here, ConfigDict) or part not in here:
            return default
        here = here[part]
    return here
