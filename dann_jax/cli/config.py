"""Find and load the config of a run, and apply `--config.KEY=VALUE`."""

import difflib
import importlib.util
import inspect
import pathlib
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from dann_jax.cli.options import add_options, unset_options
from dann_jax.experiment.checks import annotation_of
from dann_jax.experiment.config import base_config, value_at
from dann_jax.experiment.unused import without_effect
from dann_jax.utils.arguments import in_words
from dann_jax.utils.words import shortened, shown

_OVERRIDE = re.compile(r"--?(?:no)?config\.([^=]*)(=.*)?", re.DOTALL)
_ABSENT = object()
_CANDIDATES = re.compile(r"--?config\.choose\.settings\.([^=]+)=(.*)", re.DOTALL)


class ConfigError(ValueError):
    """There is no such config, or it cannot be used."""


def configs_folder() -> pathlib.Path:
    """The folder of the configs in the package."""
    package = pathlib.Path(__file__).parents[1]
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def find_config(name: str) -> pathlib.Path:
    """The path of a config file given by name.

    Args:
      name: of a file; what is not found from the working directory, such as
        `configs/voices.py`, `voices.py` or `voices`, is one of `configs_folder`.

    Raises:
      ConfigError: there is no such file; the message lists those of the package.
    """
    packaged = configs_folder()
    inside = packaged / pathlib.Path(name or "?").with_suffix(".py").name
    for path in (pathlib.Path(name), inside):
        if path.is_file():
            return path
    known = sorted(path.stem for path in packaged.glob("[!_]*.py"))
    hint = difflib.get_close_matches(inside.stem, known, 1)
    raise ConfigError(
        f"no config file {name!r}, from here or in {packaged}; "
        + (f"did you mean {hint[0]}? " if hint else "")
        + f"There are {', '.join(known)}"
    )


def load_config(named: str) -> ConfigDict:
    """The config of `FILE` or `FILE:VARIANT`, locked.

    Raises:
      ConfigError: there is no such file or variant, or the file is no config.
    """
    name, *variant = named.split(":", 1)
    path = find_config(name)
    module = _run_file(path)
    if not callable(getattr(module, "get_config", None)):
        raise ConfigError(f"{path} defines no function get_config()")
    if variant and not inspect.signature(module.get_config).parameters:
        raise ConfigError(f"{path} has no variants, so not {variant[0]!r} either")
    try:
        config = module.get_config(*variant)
    except Exception as error:
        raise _told(path, error) from None
    if not isinstance(config, ConfigDict):
        raise ConfigError(f"{path}: get_config() returned {config!r}, no ConfigDict")
    missing = [key for key in base_config() if key not in config]
    if missing:
        raise ConfigError(
            f"{path} lacks {', '.join(missing)}; start from dann_jax.base_config()"
        )
    return config.lock()


def change_config(config: ConfigDict, words: list[str]) -> list[str]:
    """Apply every `--config.KEY=VALUE` of a command line, and return the rest.

    `--config.choose.settings.KEY=VALUE,VALUE` gives a key several values to choose
    among; lists are divided by semicolons.

    Raises:
      ConfigError: there is no such key, or the value has the wrong type.
    """
    words = _with_settings(config, words)
    end = words.index("--") if "--" in words else len(words)
    changed = [*filter(None, map(_OVERRIDE.match, words[:end]))]
    add_options(config, {change[1]: (change[2] or "")[1:] for change in changed})
    for change in changed:
        _require_key(config, change[1])
    words = [*_with_lists(words[:end], config), *words[end:]]
    values = flags.FlagValues()
    try:
        config_flags.DEFINE_config_dict(
            "config", config, flag_values=values, sys_argv=words
        )
        others = values(words, known_only=True)
    except (flags.Error, ValueError, TypeError, SyntaxError) as error:
        raise ConfigError(_wrong_value(" ".join(str(error).split()), config)) from None
    _require_effect(config, [change[1] for change in changed])
    return others


def keys(config: ConfigDict) -> Iterator[tuple[str, Any]]:
    """Dotted name and value of every key; that of an empty section is `{}`."""
    for name, value in config.items():
        if isinstance(value, ConfigDict) and len(value):
            yield from (
                (f"{name}.{inner}", inner_value) for inner, inner_value in keys(value)
            )
        else:
            yield name, {} if isinstance(value, ConfigDict) else value


def _run_file(path: pathlib.Path) -> ModuleType:
    loader = SourceFileLoader("dann_jax_config", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(module)
    # It is the user's file, and may raise anything.
    except Exception as error:
        raise _told(path, error) from None
    return module


def _told(path: pathlib.Path, error: Exception) -> ConfigError:
    """The error of a config file as one line with its position."""
    if isinstance(error, SyntaxError):
        return ConfigError(f"{error.filename}, line {error.lineno}: {error.msg}")
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    reason = shortened(str(error))
    if isinstance(error, ValueError) and "does not accept dots" in reason:
        # The error of ml_collections for a name such as `s0.3`.
        named = reason.rpartition("the key ")[2].removesuffix(" contains one.")
        reason = f"the name {named!r} holds a dot; use letters, digits and _"
    if isinstance(error, ValueError):
        return ConfigError(f"{path}: {reason}")
    where = f", line {lines[-1]}" if lines else ""
    return ConfigError(f"{path}{where}: {type(error).__name__}: {reason}")


def _with_settings(config: ConfigDict, words: list[str]) -> list[str]:
    """Note the values of every `--config.choose.settings.KEY=...`; the other words."""
    end = words.index("--") if "--" in words else len(words)
    others, found = [], []
    for index, word in enumerate(words):
        match = _CANDIDATES.fullmatch(word) if index < end else None
        found.append(match) if match else others.append(word)
    for key, values in (match.groups() for match in found):
        candidates = []
        for value in values.split(";" if ";" in values else ","):
            one = config.copy_and_resolve_references()
            # The first word of a command line is its program.
            change_config(one, ["", f"--config.{key}={value}"])
            candidates.append(dict(keys(one))[key])
        section = config.choose.settings
        *parents, name = key.split(".")
        with config.unlocked():
            for parent in parents:
                section[parent] = section.get(parent, ConfigDict())
                section = section[parent]
            section[name] = tuple(candidates)
    return others


def _with_lists(arguments: list[str], config: ConfigDict) -> Iterator[str]:
    """Split `--config.KEY=a,b` where KEY is a list: one argument for a, one for b.

    In a list of words `3,4` are words as well, such as names of speakers.
    """
    values = dict(keys(config))
    for argument in arguments:
        match = _OVERRIDE.match(argument)
        listed = match and match[2] and isinstance(values.get(match[1]), tuple)
        text = match[2][1:] if listed else ""
        if text and text[0] not in "([\"'" and _holds_words(config, match[1], values):
            words = tuple(word.strip() for word in text.split(","))
            yield f"--config.{match[1]}={words!r}"
        elif listed and re.fullmatch(r"[\w-]+(,[\w-]+)+", text):
            yield from (f"--config.{match[1]}={item}" for item in text.split(","))
        else:
            yield argument


def _holds_words(config: ConfigDict, key: str, values: Mapping[str, Any]) -> bool:
    """Whether a key is a list of words; an empty list may be one of anything."""
    if values[key]:
        return isinstance(values[key][0], str)
    return annotation_of(config, key) == Sequence[str]


def _require_key(config: ConfigDict, key: str) -> None:
    if value_at(config, key, _ABSENT) is not _ABSENT:
        return
    known = [name for name, _ in (*keys(config), *unset_options(config))]
    inner = {name.rsplit(".", 1)[-1]: name for name in known}
    close = difflib.get_close_matches(key, known, 2, 0.7)
    last = difflib.get_close_matches(key.rsplit(".", 1)[-1], inner, 1, 0.7)
    close = list(dict.fromkeys([*(inner[name] for name in last), *close]))
    section, arm, *_ = [*key.split("."), ""]
    if section == "arms" and (arm not in config.arms or not last):
        raise ConfigError(
            f"the config has no {key!r}: its arms are {', '.join(config.arms)}, and a "
            f"flag sets strengths that they name; another arm or adversary takes a "
            f"config of your own (docs/guide.md, Arms of your own), and several "
            f"strengths take --sweep=arms.dann.speaker=0.1,1"
        )
    raise ConfigError(
        f"the config has no key {key!r}"
        + (f"; did you mean {' or '.join(close)}?" if close else "")
        + " (--show_config lists all)"
    )


def _require_effect(config: ConfigDict, changed: list[str]) -> None:
    """Refuse to change a key that nothing would read."""
    unread = without_effect(config)
    for key in changed:
        if key in unread:
            raise ConfigError(f"--config.{key} has no effect: {unread[key]}")


def _wrong_value(reason: str, config: ConfigDict) -> str:
    """Abseil's message on a value, with the expected type in words."""
    match = re.match(r"flag --config\.([^=]+)=(.*?): ", reason)
    was = dict(keys(config)).get(match[1]) if match else None
    if was is None:
        return reason
    # Abseil speaks of Python's types.
    kind = Sequence[Any] if isinstance(was, tuple) else type(was)
    return (
        f"--config.{match[1]}={shortened(match[2], 80)} must be {in_words(kind)}, as "
        f"its default {shown(was)} is"
    )
