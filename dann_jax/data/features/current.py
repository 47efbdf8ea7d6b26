"""Which utterances of parts made earlier are still valid."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dann_jax.data.features.extraction_worker import Part
from dann_jax.data.features.identity import FileIdentity, unchanged
from dann_jax.data.features.items import Item


class Kept(NamedTuple):
    """The utterances of a part that are used for the corpus.

    Attributes:
      part: the part, with all of its utterances.
      rows: int `[n]`, of the corpus.
      indices: int `[n]`, of the same utterances within the part.
      problems: row, severity and reason; warnings of these rows, errors of any.
    """

    part: Part
    rows: np.ndarray
    indices: np.ndarray
    problems: Sequence[tuple[int, str, str]]

    def values(self, name: str) -> np.ndarray:
        """One array of the part, for these rows: `[n, ...]`."""
        return self.part.arrays[name][self.indices]


def keep_current(
    parts: Sequence[Part], items: Sequence[Item], *, just_made: bool = False
) -> list[Kept]:
    """The utterances of parts that are in `items` and whose recordings are unchanged.

    Args:
      parts: in any order; of an utterance in several parts, the first is used.
      items: the utterances of the corpus, row by row.
      just_made: take recordings as unchanged, without a check: the next call notices
        changes.
    """
    rows = {item.key: row for row, item in enumerate(items)}
    taken: set[int] = set()
    kept = []
    for part in parts:
        index_of_row = {}
        for index, key in enumerate(part.arrays["key"].tolist()):
            row = rows.get(key)
            if row is None or row in taken:
                continue
            file = file_of(part.arrays, index)
            if just_made or unchanged(items[row].path, file):
                index_of_row[row] = index
        taken |= index_of_row.keys()
        problems = [
            (rows[key], severity, reason)
            for key, severity, reason in part.problems
            if key in rows and (severity == "error" or rows[key] in index_of_row)
        ]
        numbers = (
            np.array(list(ints), int) for ints in (index_of_row, index_of_row.values())
        )
        kept.append(Kept(part, *numbers, problems))
    return kept


def file_of(arrays: Mapping[str, np.ndarray], index: int) -> FileIdentity:
    """The file that an utterance of a part was read from.

    Args:
      arrays: of the part, `[n]` each.
      index: of the utterance within the part.
    """
    size, mtime, digest = (arrays[name][index] for name in FileIdentity._fields)
    return FileIdentity(int(size), int(mtime), str(digest))
