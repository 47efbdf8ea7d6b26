"""Where a store was made from, and a quick look whether that was edited since.

```
{"roots": {corpus: folder}, "tables": [[path, size, mtime, digest]]}
```

The paths are of the machine that made the store; elsewhere there is nothing to see.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etils import epath

from dann_jax.data.features.identity import FileIdentity, identify, unchanged
from dann_jax.data.features.origin import ORIGIN
from dann_jax.data.manifest import NAMES
from dann_jax.utils.words import listed, shorten

SOURCE = "source.json"

_SECONDS = 0.1
"""After so many the look ends, whatever is left: a run is not to wait for it."""

_MOST_READ = 3
"""Recordings of another time whose content is compared: a copied folder has many."""


def source_json(
    sources: Mapping[str, epath.PathLike], others: Sequence[epath.PathLike] = ()
) -> str:
    """The text of `source.json`.

    Args:
      sources: name of a corpus -> folder or manifest.
      others: further tables of the user: a map of emotions, a manifest elsewhere.
    """
    paths = {name: os.path.abspath(str(source)) for name, source in sources.items()}
    roots = {
        name: path if os.path.isdir(path) else os.path.dirname(path)
        for name, path in paths.items()
    }
    wanted = [
        *(path for path in paths.values()),
        *(os.path.join(root, name) for root in roots.values() for name in NAMES),
        *(os.path.abspath(str(path)) for path in others),
    ]
    tables = [[p, *identify(p)] for p in dict.fromkeys(wanted) if os.path.isfile(p)]
    return json.dumps({"roots": roots, "tables": tables}) + "\n"


def edits_since(store: epath.PathLike) -> list[str]:
    """What was edited where a store was made from, in words, as far as is quick to see.

    Sizes and times of tables and recordings are looked at, for a tenth of a second at
    most. Nothing is said where they are not there, nor of new recordings.

    Args:
      store: its folder.
    """
    folder = epath.Path(store)
    if not all((folder / name).exists() for name in (SOURCE, ORIGIN)):
        return []
    until = time.perf_counter() + _SECONDS
    source = json.loads((folder / SOURCE).read_text())
    edited = [
        os.path.basename(path)
        for path, *before in source["tables"]
        if os.path.exists(path) and not unchanged(path, FileIdentity(*before))
    ]
    lines = [f"{listed(edited, 3)} edited"] if edited else []
    origin = json.loads((folder / ORIGIN).read_text())
    if changed := _changed(origin, source["roots"], until):
        names = listed([shorten(os.path.basename(path)) for path in changed], 3)
        lines.append(f"{len(changed)} recordings changed or gone ({names})")
    return lines


def _changed(
    origin: Mapping[str, Any], roots: Mapping[str, str], until: float
) -> list[str]:
    """Recordings of another content; none where none of those seen is there."""
    suspects, gone, seen = {}, [], 0
    for path, before in _recordings(origin, roots):
        if time.perf_counter() > until:
            break
        seen += 1
        try:
            status = os.stat(path)
        # A name that no system takes is a ValueError.
        except (OSError, ValueError):
            gone.append(path)
            continue
        if status.st_size != before.size or status.st_mtime_ns != before.mtime:
            suspects[path] = before
    if len(gone) == seen:
        return []
    first = dict(list(suspects.items())[:_MOST_READ])
    if all(unchanged(path, before) for path, before in first.items()):
        # Only their times are others, as of a folder that was copied.
        suspects = {p: b for p, b in suspects.items() if os.stat(p).st_size != b.size}
    return list(dict.fromkeys([*suspects, *gone]))


def _recordings(
    origin: Mapping[str, Any], roots: Mapping[str, str]
) -> Iterator[tuple[str, FileIdentity]]:
    columns: Mapping[str, Sequence[str]] = origin["columns"]
    (only, *others) = roots
    there = {name: root for name, root in roots.items() if os.path.isdir(root)}
    files, corpora = columns.get("file", []), columns.get("corpus", [])
    for row, (file, before) in enumerate(
        zip(files, origin["recordings"], strict=False)
    ):
        root = there.get(corpora[row] if others else only)
        if before and file and root:
            yield os.path.join(root, file), FileIdentity(*before)
