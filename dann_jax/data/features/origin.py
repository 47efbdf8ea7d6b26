"""The table and the recordings that a store was made from: `recordings.json`.

```
{"columns": {column: text [N]}, "recordings": [[size, mtime, digest] or null] * N}
```

All rows of the table are there; null stands for what could not be used.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.features.current import Kept, file_of
from dann_jax.data.features.identity import FileIdentity, unchanged
from dann_jax.data.features.items import Columns, Item
from dann_jax.utils.files import on_disk

ORIGIN = "recordings.json"


class Origin(NamedTuple):
    """The table that a store was made from, and its recordings.

    Attributes:
      columns: column -> string array `[N]`, all rows of the table.
      files: of each row; None where it could not be used.
    """

    columns: Columns
    files: Sequence[FileIdentity | None]

    def rows(self, used: bool) -> np.ndarray:
        """Row indices `[n]` of the utterances in the store, or of those left out."""
        there = np.array([file is not None for file in self.files], bool)
        return np.flatnonzero(there == used)


def origin_json(columns: Columns, kept: Sequence[Kept]) -> str:
    """The text of `recordings.json`.

    Args:
      columns: all rows of the table.
      kept: the utterances that have features.
    """
    files: list[FileIdentity | None] = [None] * len(columns["utt_id"])
    for part in kept:
        for row, index in zip(part.rows, part.indices, strict=True):
            files[row] = file_of(part.part.arrays, index)
    table = {name: column.tolist() for name, column in columns.items()}
    return json.dumps({"columns": table, "recordings": files}) + "\n"


def read_origin(store: epath.Path) -> Origin | None:
    """The origin of a store; None for a store of a version that did not record it."""
    if not (store / ORIGIN).exists():
        return None
    content = json.loads((store / ORIGIN).read_text())
    return Origin(
        {name: np.array(column) for name, column in content["columns"].items()},
        [file and FileIdentity(*file) for file in content["recordings"]],
    )


def table_differences(old: Columns, new: Columns) -> list[str]:
    """How a table differs from an earlier one, in words; nothing where it does not.

    Args:
      old: column -> string array, with `utt_id`.
      new: the same of the table as it is now.

    Example:
      >>> old = {"utt_id": np.array(["a", "b"]), "speaker": np.array(["x", "y"])}
      >>> new = {"utt_id": np.array(["a", "c"]), "speaker": np.array(["z", "y"])}
      >>> for line in table_differences(old, new):
      ...     print(line)
      rows that are new (1): c
      rows that are gone (1): b
      rows with another speaker (1): a ('x' is now 'z')
    """
    before, after = (
        {utt_id: row for row, utt_id in enumerate(table["utt_id"].tolist())}
        for table in (old, new)
    )
    lines = _listed(
        {
            "rows that are new": [utt_id for utt_id in after if utt_id not in before],
            "rows that are gone": [utt_id for utt_id in before if utt_id not in after],
        }
    )
    both = [utt_id for utt_id in after if utt_id in before]
    shared_rows = [[rows[utt_id] for utt_id in both] for rows in (before, after)]
    for name in dict.fromkeys([*old, *new]):
        if name not in new or name not in old:
            lines.append(f"column {name} is {'gone' if name in old else 'new'}")
            continue
        was, now = old[name][shared_rows[0]], new[name][shared_rows[1]]
        changed = [
            f"{both[n]} ({str(was[n])!r} is now {str(now[n])!r})"
            for n in np.flatnonzero(was != now)
        ]
        lines += _listed({f"rows with another {name}": changed})
    if not lines and list(before) != list(after):
        lines.append("its rows are in another order")
    return lines


def recording_differences(origin: Origin, items: Mapping[str, Item]) -> list[str]:
    """Which recordings have changed, in words.

    Args:
      origin: of the store.
      items: utterance id -> where its recording is now.
    """
    changed, gone = {}, {}
    for row in origin.rows(used=True):
        item = items.get(str(origin.columns["utt_id"][row]))
        # Rows that left the table are in `table_differences`.
        if item and not unchanged(item.path, origin.files[row]):
            there = os.path.exists(on_disk(item.path))
            # Cuts of one file are one recording.
            (changed if there else gone)[item.path] = epath.Path(item.path).name
    return _listed(
        {
            "recordings that have changed": list(changed.values()),
            "recordings that are gone": list(gone.values()),
        }
    )


def _listed(names_of: Mapping[str, Sequence[str]], limit: int = 3) -> list[str]:
    """A line for each kind of which there are any: how many, and the first."""
    lines = []
    for what, names in names_of.items():
        shown = ", ".join(name[:80] for name in names[:limit])
        more = f" and {len(names) - limit} more" if len(names) > limit else ""
        if names:
            lines.append(f"{what} ({len(names)}): {shown}{more}")
    return lines
