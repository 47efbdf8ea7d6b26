"""Parameters of features as flags: `--pretrained.layers=2,3`."""

import json
import re
from typing import Any

from absl import app

_FLAG = re.compile(r"--?(\w+)\.(\w+)(?:=(.*))?", re.DOTALL)


def split_feature_flags(
    words: list[str],
) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Take the flags of the form `--FEATURE.PARAMETER=VALUE` out of a command line.

    Args:
      words: of the command line.

    Returns:
      The other words; feature -> parameter -> value.

    Raises:
      app.UsageError: a parameter is given twice.

    Example:
      >>> split_feature_flags(["--x=1", "--logmel.n_mels=40", "--a.b=c", "--a.d"])
      (['--x=1'], {'logmel': {'n_mels': 40}, 'a': {'b': 'c', 'd': True}})
    """
    others: list[str] = []
    features: dict[str, dict[str, Any]] = {}
    for number, word in enumerate(words):
        if word == "--":
            return others + words[number:], features
        match = _FLAG.fullmatch(word)
        if match is None:
            others.append(word)
            continue
        name, parameter, text = match.groups()
        parameters = features.setdefault(name, {})
        if parameter in parameters:
            raise app.UsageError(f"--{name}.{parameter} is given twice")
        parameters[parameter] = True if text is None else parse_value(text)
    return others, features


def parse_value(text: str) -> Any:
    """JSON where it is, several values separated by commas as a list, else the text.

    Example:
      >>> [parse_value(text) for text in ("3", "2,3", "True", "a/b", "0.5")]
      [3, [2, 3], True, 'a/b', 0.5]
    """
    if text in ("True", "False"):
        return text == "True"
    for candidate in (text, f"[{text}]"):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    return text
