"""Options that a config leaves at their defaults: those of its split, objective, ...

Each section of `experiment.checks.NAMED` has the arguments of a constructor that a word
names. A flag may change the word, or set an argument that the config does not mention.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from dann_jax.experiment.checks import NAMED
from dann_jax.experiment.config import value_at

_OPEN = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
_NOTHING = {int: 0, float: 0.0, bool: False, str: ""}
"""What an argument without a default is until a flag sets it; a list is empty."""


def unset_options(config: ConfigDict) -> Iterator[tuple[str, Any]]:
    """Dotted name and default of every option that the config does not mention.

    Example:
      >>> from dann_jax.experiment.config import base_config
      >>> dict(unset_options(base_config()))["objective.label_balanced"]
      False
    """
    for section, (key, table) in NAMED.items():
        here = value_at(config, section, {})
        for name, parameter in _parameters(table.get(value_at(config, key))).items():
            plain = parameter.default is not inspect.Parameter.empty
            if name not in here and plain and not isinstance(parameter.default, dict):
                yield f"{section}.{name}", parameter.default


def add_options(config: ConfigDict, changes: Mapping[str, str]) -> None:
    """Make room in the config for what flags set of such options.

    Another split gets the arguments of the one before that it takes too.

    Args:
      config: changed in place; options are added with their defaults.
      changes: key -> what its flag says.
    """
    with config.unlocked():
        split = changes.get("protocol.split", "")
        table = NAMED["protocol.split_args"][1]
        if split in table and split != config.protocol.split:
            known, before = _parameters(table[split]), config.protocol.split_args
            config.protocol.split = split
            config.protocol.split_args = ConfigDict(
                {name: before[name] for name in before if name in known}
            )
        for section, (key, table) in NAMED.items():
            parameters = _parameters(table.get(value_at(config, key)))
            for name, parameter in parameters.items():
                here = value_at(config, section, {})
                if f"{section}.{name}" in changes and name not in here:
                    here[name] = _initial(parameter)


def _parameters(constructor: Any) -> dict[str, inspect.Parameter]:
    """The arguments that a config may set, but for a corpus, which none can."""
    if constructor is None:
        return {}
    return {
        name: parameter
        for name, parameter in inspect.signature(constructor).parameters.items()
        if name != "corpus" and parameter.kind not in _OPEN
    }


def _initial(parameter: inspect.Parameter) -> Any:
    default = parameter.default
    if default is inspect.Parameter.empty:
        return _NOTHING.get(parameter.annotation, ())
    return tuple(default) if isinstance(default, list | tuple) else default
