"""What the words of a config stand for: rows of a table, or code of the user's own."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from dann_jax.utils.words import shown


def is_user_code(word: Any) -> bool:
    """Whether a word of a config names code of the user's own, `package.module:Name`.

    Example:
      >>> is_user_code("my_models.context:Recurrent"), is_user_code("attentive")
      (True, False)
    """
    return isinstance(word, str) and ":" in word


def lookup(what: str, word: Any, table: Mapping[str, Any]) -> Any:
    """The row of a table; or, of a word such as `package.module:Name`, what it imports.

    Args:
      what: where the word stands, for the message.
      word: from a config or a bundle.
      table: word -> what it stands for.

    Raises:
      ValueError: the word is in no row and names no module, or the module cannot be
        imported or has nothing of that name.

    Example:
      >>> lookup("config.data", "math:sqrt", {})(9.0)
      3.0
      >>> lookup("config.objective.name", "dan", {"dann": print, "addi": print})
      Traceback (most recent call last):
      ...
      ValueError: unknown name 'dan' in config.objective.name; did you mean dann? \
choose from dann, addi, or name your own as package.module:Name
    """
    if isinstance(word, str) and word in table:
        return table[word]
    if not is_user_code(word):
        close = difflib.get_close_matches(str(word), table, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ValueError(
            f"unknown name {shown(word)} in {what}; {hint}choose from "
            f"{', '.join(table)}, or name your own as package.module:Name"
        )
    module, _, name = word.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    # It is the user's module: what it raises is theirs to mend.
    except Exception as error:
        raise ValueError(
            f"{what} is {word!r}, which cannot be imported "
            f"({type(error).__name__}: {error}); the folder of the module must be on "
            f"PYTHONPATH, or its package installed"
        ) from error
