"""Which settings a config asks to choose among: its section `choose`."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from flax.traverse_util import flatten_dict
from ml_collections import ConfigDict

from dann_jax.experiment.config import value_at
from dann_jax.utils.arguments import Range, call_checked, require
from dann_jax.utils.words import shown

CHOOSABLE = (
    *("data", "batches", "encoder", "heads", "objective", "strength", "optimizer"),
    *("average_decay", "selection", "timetable"),
)
"""The sections and keys that settings may differ in."""


_WHAT_IS_TESTED = ("data.source", "data.rows", "data.emotions")

Folds = Annotated[int, Range(0), Range(high=1000)]
"""Inner folds; 0 for no choice at all."""

Seeds = Annotated[int, Range(0), Range(high=10_000)]
"""Seeds of the inner folds; 0 for those of the run."""


def chooses(config: ConfigDict) -> bool:
    """Whether a config, perhaps of an older version, asks for a choice."""
    return bool(getattr(config, "choose", {}).get("folds"))


def check_choice(config: ConfigDict) -> None:
    """Refuse a section `choose` that cannot be followed.

    Raises:
      ValueError: the message names the key.

    Example:
      >>> from dann_jax.experiment.config import base_config
      >>> config = base_config()
      >>> config.choose.folds = 1
      >>> check_choice(config)
      Traceback (most recent call last):
      ...
      ValueError: config.choose.folds must be 0 or at least 2, got 1
    """
    section = getattr(config, "choose", {})
    if isinstance(section, ConfigDict):
        section = section.to_dict()
    require("config.choose", section, Mapping[str, Any])
    call_checked("config.choose", _Choice, **section)
    if not hasattr(config, "choose"):
        return
    if config.choose.folds == 1:
        raise ValueError("config.choose.folds must be 0 or at least 2, got 1")
    candidates = len(config.arms) * math.prod(
        map(len, candidate_values(config).values())
    )
    if not chooses(config) and candidate_values(config):
        raise ValueError(
            "config.choose.settings has no effect: config.choose.folds is 0; it is in "
            "how many parts training speakers are held out, such as 3"
        )
    if chooses(config) and candidates < 2:
        raise ValueError(
            "config.choose.folds asks for a choice, and there is one arm and one "
            "setting: give config.choose.settings values, or leave folds at 0"
        )


class _Choice(NamedTuple):
    """The section `choose`, as annotations for messages."""

    folds: Folds = 0
    seeds: Seeds = 0
    rule: Literal["best", "plainest"] = "best"
    settings: Mapping[str, Any] = {}


def candidate_values(config: ConfigDict) -> dict[str, tuple[Any, ...]]:
    """Dotted key -> the values to choose among.

    Raises:
      ValueError: a key is none of the config or must not differ, or its values are not
        a list of different ones.

    Example:
      >>> from dann_jax.experiment.config import base_config
      >>> config = base_config()
      >>> config.choose.settings.encoder = {"width": (32, 64)}
      >>> candidate_values(config)
      {'encoder.width': (32, 64)}
    """
    found: dict[str, Any] = dict(
        flatten_dict(config.choose.settings.to_dict(), sep=".")
    )
    for key, values in found.items():
        named = f"config.choose.settings.{key}"
        if isinstance(value_at(config, key, ConfigDict()), ConfigDict):
            raise ValueError(f"{named}: the config has no key {key!r}")
        if key.partition(".")[0] not in CHOOSABLE or key in _WHAT_IS_TESTED:
            raise ValueError(
                f"{named}: settings must not differ in what is tested or compared; "
                f"they may in {', '.join(CHOOSABLE)}, but for "
                f"{', '.join(_WHAT_IS_TESTED)}"
            )
        require(named, values, Sequence[Any])
        if not values or any(values.count(value) > 1 for value in values):
            raise ValueError(
                f"{named} must be one or more different values, got {shown(values)}"
            )
    return {key: tuple(values) for key, values in found.items()}


def settings_of(config: ConfigDict) -> dict[str, ConfigDict]:
    """Every combination of the values: name -> the config of its run.

    In the order of the config, so that the first has the first value of every key.

    Example:
      >>> from dann_jax.experiment.config import base_config
      >>> config = base_config()
      >>> config.choose.folds = 3
      >>> config.choose.settings.data = {"standardise_by": ("", "speaker")}
      >>> configs = settings_of(config)
      >>> list(configs)
      ['standardise_by=none', 'standardise_by=speaker']
      >>> configs["standardise_by=speaker"].data.standardise_by, config.choose.folds
      ('speaker', 3)
    """
    values, configs = candidate_values(config), {}
    for combination in itertools.product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        name = setting_name(chosen)
        if name in configs:
            raise ValueError(f"config.choose.settings: two settings are called {name}")
        configs[name] = _with(config, chosen)
    return configs


def setting_name(values: Mapping[str, Any]) -> str:
    """A name for values of keys, which a folder may have too.

    Example:
      >>> setting_name({"encoder.width": 32, "data.modalities": ("text", "audio")})
      'width=32,modalities=text+audio'
      >>> setting_name({})
      'as_given'
    """
    parts = [
        f"{key.rpartition('.')[2]}={_word(value)}" for key, value in values.items()
    ]
    return ",".join(parts) or "as_given"


def _with(config: ConfigDict, values: Mapping[str, Any]) -> ConfigDict:
    """The config of one setting, which chooses nothing itself."""
    changed = config.copy_and_resolve_references().unlock()
    for key, value in values.items():
        try:
            changed.update_from_flattened_dict({key: value})
        except (TypeError, ValueError) as error:
            raise ValueError(f"config.choose.settings.{key}: {error}") from None
    changed.choose.update(folds=0, rule="best")
    changed.choose.settings = ConfigDict({})
    return changed.lock()


def _word(value: Any) -> str:
    """A value in letters that a folder's name may have."""
    if isinstance(value, tuple | list):
        return "+".join(map(_word, value)) or "none"
    return re.sub(r"[^\w.+-]", "_", str(value)) or "none"
