"""Manifests: one row an utterance, as CSV, JSON lines or an Excel table.

```
file,speaker,emotion,gender,start,end
tapes/one.wav,ann,anger,f,0.0,2.5
tapes/one.wav,bob,neutral,m,2.5,4.0
```

The suffix says which of them it is: `.csv`, `.tsv` or `.txt`; `.jsonl`, with one object
a line; or `.xlsx` (see `rows.read_rows`).
"""

import csv
import io
import logging
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.sound_names import SUFFIXES
from dann_jax.data.identifiers import spelled
from dann_jax.data.moved_files import match_names
from dann_jax.data.raters import VOTES
from dann_jax.data.rows import TABLES, read_rows
from dann_jax.utils.files import on_disk, write_whole
from dann_jax.utils.walk import walk
from dann_jax.utils.words import shorten, shortened

NAMES = ("manifest.csv", "manifest.jsonl")
"""What a manifest in a folder is called."""

OTHER_NAMES = ("metadata.csv", "metadata.jsonl")
"""What Hugging Face's `audiofolder` calls it; read where there is none of `NAMES`."""

NUMBERS = ("start", "end", "turn", "valence", "activation", "dominance")
"""Columns that hold a finite number wherever they hold anything."""

_log = logging.getLogger(__name__)


def read_audio_manifest(
    source: epath.PathLike,
    *,
    table: epath.PathLike | None = None,
    given: Mapping[str, str] = {},
    labelled: bool = True,
) -> dict[str, np.ndarray]:
    """Read the manifest of a folder of audio.

    Args:
      source: a manifest, or the folder of a `manifest.csv` or a `manifest.jsonl` (or
        of Hugging Face's `metadata.csv`). It has columns `file` (relative to that
        folder) and `speaker`. Where it has no `emotion`, no row is labelled; where a
        row has no `utt_id`, its file without the suffix (and `@START` if it has a
        start) is taken. `start` and `end`, in seconds, are a cut inside the file;
        either may be empty. Every other column is kept.
      table: the manifest, if it lies elsewhere; files are relative to `source`.
      given: name in the table -> that of the column.
      labelled: whether it should have an emotion; False where raters say it.

    Returns:
      Column -> string array `[N]`, rows sorted by `utt_id`; empty strings where a
      value is not known. Where none of its files is there, those of these names
      anywhere below the folder are taken, if each can be one file only.

    Raises:
      CorpusError: there is no manifest, a column, a value or every file is missing, a
        number is none, a cut ends before it starts, or ids repeat. The message says
        in which line.

    Reference: the layout is the common part of the manifests of nkululeko
    (Burkhardt et al., LREC 2022) and EmoBox (Ma et al., Interspeech 2024).
    """
    path = epath.Path(table) if table else _manifest_path(epath.Path(source))
    root = epath.Path(source) if table else path.parent
    hoped = ("emotion",) if labelled else ()
    lines, rows = read_rows(path, ("file", "speaker"), hoped=hoped, given=given)
    for line, row in zip(lines, rows, strict=True):
        if not row["file"]:
            raise CorpusError(f"{path}, line {line}: the file is empty")
        row["utt_id"] = spelled(row.get("utt_id") or _default_id(row))
        _check_numbers(f"{path}, line {line}", row)
    if "emotion" not in rows[0]:
        if labelled and VOTES not in rows[0]:
            _log.warning("%s has no column 'emotion': no row is labelled", path)
        rows = [{**row, "emotion": ""} for row in rows]
    _check_ids(path, lines, rows)
    files = _files_there(path, root, dict.fromkeys(row["file"] for row in rows))
    rows = [{**row, "file": files[row["file"]]} for row in rows]
    rows.sort(key=lambda row: row["utt_id"])
    first = ("utt_id", "file", "speaker", "emotion")
    names = dict.fromkeys((*first, *rows[0]))
    return {name: np.array([row[name] for row in rows]) for name in names}


def read_manifest(
    path: epath.PathLike, required: Sequence[str] = ("utt_id", "speaker", "emotion")
) -> dict[str, np.ndarray]:
    """Read a manifest: column -> string array `[N]`, rows in file order.

    Args:
      path: of a file that `rows.read_rows` can read.
      required: columns that it must have.

    Raises:
      CorpusError: the file is no table, a required column is missing, or a row
        has other fields than the header.
    """
    _, rows = read_rows(epath.Path(path), required)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def write_manifest(path: epath.PathLike, columns: Mapping[str, np.ndarray]) -> None:
    """Write column -> string array `[N]` as CSV that `read_manifest` reads, or nothing.

    Example:
      >>> import tempfile
      >>> columns = {"utt_id": np.array(["a"]), "speaker": np.array(["Ann"])}
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_manifest(f"{folder}/manifest.csv", columns)
      ...     list(read_manifest(f"{folder}/manifest.csv", required=("speaker",)))
      ['utt_id', 'speaker']
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_whole(epath.Path(path), text.getvalue())


def _manifest_path(source: epath.Path) -> epath.Path:
    if not source.exists():
        raise CorpusError(f"no such file or folder: {source}")
    if not source.is_dir():
        return source
    for names in (NAMES, OTHER_NAMES):
        manifests = [source / name for name in names if (source / name).exists()]
        if len(manifests) == 1:
            return manifests[0]
        if manifests:
            break
    raise CorpusError(
        f"{source} holds {'two manifests' if manifests else 'no manifest'}; expected "
        f"one of {' and '.join(names if manifests else NAMES)}{_instead(source)}"
    )


def _instead(source: epath.Path) -> str:
    """For messages: which tables there are, and what to do without one."""
    tables = [p for p in sorted(source.iterdir()) if p.suffix.lower() in TABLES]
    tables = [path for path in tables if path.name not in NAMES]
    if tables:
        return f". To read another table: {shlex.quote(f'--source={tables[0]}')}"
    return ". If folders or names of files hold the labels: --corpus=folders"


def _default_id(row: Mapping[str, str]) -> str:
    stem = epath.Path(row["file"]).with_suffix("").as_posix()
    return f"{stem}@{row['start']}" if row.get("start") else stem


def _check_numbers(where: str, row: Mapping[str, str]) -> None:
    for name in NUMBERS:
        try:
            finite = math.isfinite(float(row.get(name) or 0))
        except ValueError:
            finite = False
        if not finite:
            raise CorpusError(
                f"{where}: {name} must be a number such as 0.5, not "
                f"{shorten(row[name])!r}"
            )
    start, end = float(row.get("start") or 0), float(row.get("end") or "inf")
    if not 0 <= start < end:
        raise CorpusError(
            f"{where}: start {start:g} and end {end:g} are no cut; expected seconds "
            f"with 0 <= start < end"
        )


def _check_ids(
    path: epath.Path, lines: Sequence[int], rows: Sequence[Mapping[str, str]]
) -> None:
    seen: dict[str, int] = {}
    for line, row in zip(lines, rows, strict=True):
        earlier = seen.setdefault(row["utt_id"], line)
        if earlier != line:
            raise CorpusError(
                f"{path}, line {line}: utt_id {shorten(row['utt_id'])!r} is that of "
                f"line {earlier} too; a column utt_id must give every row an id"
            )


def _files_there(
    path: epath.Path, root: epath.Path, names: Iterable[str]
) -> dict[str, str]:
    """Name of each file in the table -> where it is; itself but where none is there."""
    files = {name: root / name for name in names}
    # One listing a folder: asking for each file takes minutes on a bucket.
    folders = dict.fromkeys(file.parent for file in files.values())
    there = {
        folder / child.name
        for folder in folders
        if folder.is_dir()
        for child in folder.iterdir()
    }
    missing = [name for name, file in files.items() if file not in there]
    missing = [
        name for name in missing if on_disk(str(files[name])) == str(files[name])
    ]
    if not missing:
        return {name: name for name in files}
    absent = (
        f"{path}: {len(missing)} of its {len(files)} files do not exist, such as "
        f"{shortened(str(files[missing[0]]), 300)}"
    )
    # A bucket may be large beyond measure.
    look = len(missing) == len(files) and "://" not in str(root)
    there = walk(root, SUFFIXES).files if look else []
    elsewhere = match_names(missing, [p.relative_to(root).as_posix() for p in there])
    if elsewhere:
        name, file = next(iter(elsewhere.items()))
        # Whoever reads it sees whether they are the right ones.
        _log.warning(
            "%s; %d of them are found by their names below %s, such as %s for '%s'",
            *(absent, len(elsewhere), root, shorten(file), shorten(name)),
        )
    elif len(missing) == len(files):
        raise CorpusError(absent)
    else:
        # Checked when the files are read.
        _log.warning("%s", absent)
    return {name: elsewhere.get(name, name) for name in files}
