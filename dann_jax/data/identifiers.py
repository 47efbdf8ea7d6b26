"""One spelling for each speaker (or other name), and an empty one for unknown ones.

Two spellings of one person are two people to a split: each half would be tested by a
model that was trained on the other half. So every entrance of data goes through
`clean_columns`, and doubtful cases are logged by `doubts.report_doubts`.
"""

import unicodedata
from collections.abc import Mapping

import numpy as np

IDENTIFIERS = (
    *("speaker", "session", "corpus", "gender", "language", "dialogue", "accent"),
)
"""Columns whose values are names, so that a word of `NOBODY` in them is none."""

NOBODY = frozenset(
    ("", "nan", "none", "null", "na", "n/a", "<na>", "#n/a", "unknown", "?", "-")
)
"""What stands for a value that is not known, in lower case."""

_AS_WRITTEN = ("file", "text")
"""A path must be that of the file; a transcript is no name."""


def spelled(value: str) -> str:
    r"""The value in one spelling: Unicode NFC, single spaces, none at the ends.

    Invisible characters, such as a zero-width space, are removed.

    Example:
      >>> spelled(" Mu\u0308ller\u00a0 \u200bjr"), spelled("ann ")
      ('Müller jr', 'ann')
    """
    text = str(value)
    if not text.isascii():
        visible_characters = (c for c in text if unicodedata.category(c) != "Cf")
        text = unicodedata.normalize("NFC", "".join(visible_characters))
    return " ".join(text.split())


def is_unknown_name(value: str) -> bool:
    """Whether a value means that the name is unknown.

    Example:
      >>> [is_unknown_name(name) for name in ("N/A", " unknown", "Nan Goldin")]
      [True, True, False]
    """
    return spelled(value).casefold() in NOBODY


def clean_columns(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The columns with every name in one spelling.

    Args:
      columns: name -> strings `[N]`. `file` and `text` stay as they are written.

    Returns:
      The same columns; in those of `IDENTIFIERS` a word of `NOBODY` is empty.

    Example:
      >>> columns = {"speaker": np.array(["ann ", "ann", "n/a"])}
      >>> clean_columns(columns)["speaker"].tolist()
      ['ann', 'ann', '']
    """
    return {
        name: values if name in _AS_WRITTEN else _clean(name, values)
        for name, values in columns.items()
    }


def codes(values: np.ndarray) -> np.ndarray:
    """Index of each value among the sorted ones, int32 `[N]`; -1 for an empty value.

    Example:
      >>> codes(np.array(["b", "", "a", "b"])).tolist()
      [1, -1, 0, 1]
    """
    names, index = np.unique(values, return_inverse=True)
    # The empty string sorts first.
    return (index - int("" in names[:1])).astype(np.int32)


def _clean(name: str, values: np.ndarray) -> np.ndarray:
    words, index = np.unique(np.asarray(values, str), return_inverse=True)
    cleaned = [spelled(word) for word in words]
    if name in IDENTIFIERS:
        cleaned = ["" if is_unknown_name(word) else word for word in cleaned]
    return np.array(cleaned, str)[index]
