"""The feature table: a folder with `manifest.csv` and `features.npz`.

The manifest has one row an utterance; every array of the archive whose first axis has
as many rows is a modality. A modality may have a vector for every frame instead:
`NAME` is then `[frames of all utterances, dim]`, one utterance after the other, and
`NAME_lengths` (integers `[N]`) says how many frames each one has. `NAME_names`
documents the columns of `NAME`, and an optional `NAME_present` (bool) says which
utterances have it. If the archive holds `utt_id`, the rows are matched by id, not by
position.

An array may also lie beside the archive, or instead of it, as `NAME.npy`: such frames
stay on disk until they are used.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from dann_jax.data.archive import StoredArray, open_archive, open_array, require_memory
from dann_jax.data.corpus import Corpus, CorpusError, check, corpus_name
from dann_jax.data.frames import Frames
from dann_jax.data.identifiers import clean_columns, spelled
from dann_jax.data.manifest import read_manifest
from dann_jax.utils.words import listed, shorten

Arrays = Mapping[str, StoredArray]


def read_feature_table(source: epath.PathLike) -> Corpus:
    """Read a feature table.

    Args:
      source: folder with `manifest.csv` (columns `utt_id`, `speaker` and `emotion`
        at least) and `features.npz` or `NAME.npy`; `provenance.json` is kept if it is
        there.

    Returns:
      A checked corpus.

    Raises:
      CorpusError: the folder, a file, a column or an array is missing, ids repeat or
        do not match, or features are not finite. Nothing is unpickled.
    """
    folder = epath.Path(source)
    if not folder.is_dir():
        raise CorpusError(f"no such folder: {folder}")
    if not (folder / "manifest.csv").exists():
        raise CorpusError(
            f"{folder} has no manifest.csv; a feature table needs one{_inside(folder)}"
        )
    arrays = _open_arrays(folder)
    columns = clean_columns(read_manifest(folder / "manifest.csv"))
    order = _row_order(folder, columns["utt_id"], arrays)
    features, present = _modalities(folder, arrays, len(columns["utt_id"]))
    return check(
        Corpus(
            name=corpus_name(columns) or folder.name,
            columns=columns,
            features={key: _in_order(array, order) for key, array in features.items()},
            present={key: array[order] for key, array in present.items()},
            provenance=_provenance(folder, features),
        )
    )


def _inside(folder: epath.Path) -> str:
    """For messages: stores and tables below the folder."""
    stores = [
        str(path)
        for path in sorted(folder.iterdir())
        if (path / "manifest.csv").exists()
        or any(path.glob("*/dataset_info.json") if path.is_dir() else ())
    ]
    return f"; did you mean {' or '.join(stores[:5])}?" if stores else ""


def _open_arrays(folder: epath.Path) -> dict[str, StoredArray]:
    archive = folder / "features.npz"
    separate = sorted(folder.glob("*.npy"))
    if not archive.exists() and not separate:
        raise CorpusError(
            f"{folder} has no features.npz (nor NAME.npy); a feature table needs one, "
            f"and recordings become a store by dann-prepare"
        )
    arrays = open_archive(archive) if archive.exists() else {}
    for path in separate:
        if path.stem in arrays:
            raise CorpusError(f"{path}: {path.stem!r} is in features.npz too")
        arrays[path.stem] = open_array(path)
    return arrays


def _row_order(folder: epath.Path, ids: np.ndarray, arrays: Arrays) -> np.ndarray:
    if "utt_id" not in arrays:
        return np.arange(len(ids))
    stored = arrays["utt_id"]
    if len(stored.shape) != 1 or stored.dtype.kind not in "USiu":
        raise CorpusError(
            f"{folder}: array 'utt_id' has shape {stored.shape} and type "
            f"{stored.dtype}, expected ({len(ids)},) texts, one for each row"
        )
    require_memory(folder, {"utt_id": stored})
    position = _positions(folder, stored.read())
    absent = [name for name in ids if name not in position]
    extra = len(position) - (len(set(ids)) - len(set(absent)))
    if absent or extra:
        raise CorpusError(
            f"{folder}: manifest.csv and features.npz do not match: {len(absent)} "
            f"manifest ids have no features (such as "
            f"{listed(map(repr, map(shorten, absent)), 3) or 'none'}), {extra} feature "
            f"rows have no manifest row"
        )
    return np.array([position[name] for name in ids])


def _positions(folder: epath.Path, ids: np.ndarray) -> dict[str, int]:
    """Id -> row of the arrays."""
    if ids.dtype.kind == "S":
        ids = np.char.decode(ids, "utf-8", "replace")
    names = [spelled(name) for name in ids.tolist()]
    position = {name: index for index, name in enumerate(names)}
    if len(position) < len(names):
        twice = [name for name, times in Counter(names).items() if times > 1]
        raise CorpusError(
            f"{folder}: {len(twice)} utterance ids occur more than once in array "
            f"'utt_id': {listed(map(shorten, twice))}"
        )
    return position


def _modalities(
    folder: epath.Path, arrays: Arrays, rows: int
) -> tuple[dict[str, np.ndarray | Frames], dict[str, np.ndarray]]:
    expected = {
        name: array
        for name, array in arrays.items()
        if name != "utt_id"
        and not name.endswith(("_names", "_present", "_lengths"))
        and np.issubdtype(array.dtype, np.floating)
    }
    for name, array in expected.items():
        if f"{name}_lengths" in arrays:
            continue
        if len(array.shape) != 2 or array.shape[0] != rows:
            raise CorpusError(
                f"{folder}: array {name!r} has shape {array.shape}, "
                f"expected ({rows}, dim): one row for each row of the manifest, or "
                f"frames with '{name}_lengths'"
            )
    if not expected:
        raise CorpusError(f"{folder}: features.npz holds no float array")
    # What stays on disk takes no memory.
    archived = {n: a for n, a in expected.items() if not (folder / f"{n}.npy").exists()}
    require_memory(folder, archived)
    features, present = {}, {}
    for name, array in expected.items():
        features[name] = (
            _frames(folder, arrays, name, rows)
            if f"{name}_lengths" in arrays
            else array.read().astype(np.float32)
        )
        present[name] = _flags(folder, arrays, name, rows)
    return features, present


def _frames(folder: epath.Path, arrays: Arrays, name: str, rows: int) -> Frames:
    lengths = arrays[f"{name}_lengths"]
    fitting = lengths.shape == (rows,) and np.issubdtype(lengths.dtype, np.integer)
    counts = lengths.read() if fitting else None
    if counts is None or (counts < 0).any():
        raise CorpusError(
            f"{folder}: '{name}_lengths' has shape {lengths.shape} and type "
            f"{lengths.dtype}, expected ({rows},) whole numbers, none negative"
        )
    try:
        return Frames(arrays[name].read(), counts.astype(np.int64))
    except ValueError as error:
        raise CorpusError(f"{folder}: {name!r}: {error}") from None


def _in_order(array: np.ndarray | Frames, order: np.ndarray) -> np.ndarray | Frames:
    if isinstance(array, np.ndarray):
        return array[order]
    # Taking frames copies them into memory.
    as_they_are = np.array_equal(order, np.arange(len(array)))
    return array if as_they_are else array.take(order)


def _flags(folder: epath.Path, arrays: Arrays, name: str, rows: int) -> np.ndarray:
    flags = arrays.get(f"{name}_present")
    if flags is None:
        return np.ones(rows, bool)
    if flags.shape != (rows,) or flags.dtype.kind not in "biuf":
        raise CorpusError(
            f"{folder}: '{name}_present' has shape {flags.shape} and type "
            f"{flags.dtype}, expected ({rows},) of True and False"
        )
    return flags.read().astype(bool)


def _provenance(folder: epath.Path, features: dict) -> dict[str, Any]:
    recorded = folder / "provenance.json"
    try:
        content = json.loads(recorded.read_text()) if recorded.exists() else {}
    # RecursionError: nested without end.
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{recorded} is not JSON: {error}") from None
    by_name = content.get("features", {}) if isinstance(content, dict) else None
    if not isinstance(by_name, dict) or not all(
        isinstance(about, dict | None) for about in by_name.values()
    ):
        raise CorpusError(
            f"{recorded} must hold an object, whose `features`, if it has any, map the "
            f"name of an array to an object that says how it was made"
        )
    dims = {name: array.shape[-1] for name, array in features.items()}
    return {"layout": "feature table", "dims": dims, **content}
