"""Modules that the sections of a config name; the other keys are their arguments."""

from collections.abc import Mapping
from typing import Any

from flax import linen as nn

from dann_jax.utils.arguments import check
from dann_jax.utils.named import is_user_code, lookup


def make_named(
    section: str,
    options: Mapping[str, Any],
    table: Mapping[str, type[nn.Module]],
    *,
    default: str,
    **given: Any,
) -> nn.Module:
    """The module that a section describes.

    Args:
      section: its name, for messages.
      options: `name`, a key of `table` or `package.module:Name`, and arguments of its
        constructor.
      table: word -> class.
      default: the name where the section has none.
      **given: arguments that are not the section's to set.

    Raises:
      ValueError: there is no such class, it has no such argument, or a value is not as
        the annotation of the argument requires.
    """
    arguments = dict(options)
    name = arguments.pop("name", default)
    kind = lookup(f"{section}.name", name, table)
    valid = sorted(set(kind.__dataclass_fields__) - {"parent", "name", *given})
    if unknown := sorted(set(arguments) - set(valid)):
        raise ValueError(
            f"{section}: {name!r} has no argument {', '.join(unknown)}; "
            f"it has {', '.join(valid) or 'none'}"
        )
    check(section, kind, arguments)
    return kind(**arguments, **given)


def user_code(encoder: Mapping[str, Any]) -> list[str]:
    """The words of an encoder's section that would be imported to build it.

    Example:
      >>> user_code({"width": 4, "frames": {"name": "my_models:Frames"}})
      ['my_models:Frames']
    """
    words = [encoder.get("name"), encoder.get("context_encoder")]
    for part in ("frames", "utterance"):
        # A bundle may hold anything.
        if isinstance(section := encoder.get(part), Mapping):
            words.append(section.get("name"))
    return [word for word in words if is_user_code(word)]
