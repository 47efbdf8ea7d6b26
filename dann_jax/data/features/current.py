"""What is still true of parts that were made earlier."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dann_jax.data.features.extraction_worker import Part
from dann_jax.data.features.identity import FileIdentity, unchanged
from dann_jax.data.features.items import Item


class Kept(NamedTuple):
    """The utterances of a part that the corpus takes from it.

    Attributes:
      part: with all of its utterances.
      rows: int `[n]`, of the corpus.
      places: int `[n]`, of the same utterances among those of the part.
      problems: row, severity and reason; warnings of these rows, errors of any.
    """

    part: Part
    rows: np.ndarray
    places: np.ndarray
    problems: Sequence[tuple[int, str, str]]

    def values(self, name: str) -> np.ndarray:
        """One of the arrays of the part, of these rows."""
        return self.part.arrays[name][self.places]


def keep_current(
    parts: Sequence[Part], items: Sequence[Item], *, just_made: bool = False
) -> list[Kept]:
    """What parts say of utterances that are asked for, of recordings that are the same.

    Args:
      parts: in any order; of an utterance that several hold, the first counts.
      items: the utterances of the corpus, row by row.
      just_made: whether recordings are those that parts were made of, without a look:
        what changes meanwhile is noticed by the next call.
    """
    rows = {item.key: row for row, item in enumerate(items)}
    taken: set[int] = set()
    kept = []
    for part in parts:
        found = {}
        for place, key in enumerate(part.arrays["key"].tolist()):
            row = rows.get(key)
            if row is None or row in taken:
                continue
            file = file_of(part.arrays, place)
            if just_made or unchanged(items[row].path, file):
                found[row] = place
        taken |= found.keys()
        problems = [
            (rows[key], severity, reason)
            for key, severity, reason in part.problems
            if key in rows and (severity == "error" or rows[key] in found)
        ]
        numbers = (np.array(list(ints), int) for ints in (found, found.values()))
        kept.append(Kept(part, *numbers, problems))
    return kept


def file_of(arrays: Mapping[str, np.ndarray], place: int) -> FileIdentity:
    """The file that an utterance of a part was read from."""
    size, mtime, digest = (arrays[name][place] for name in FileIdentity._fields)
    return FileIdentity(int(size), int(mtime), str(digest))
