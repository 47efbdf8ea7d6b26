"""The feature table: a folder with `manifest.csv` and `features.npz`.

The manifest has one row an utterance; every array of the archive whose first axis has
as many rows is a modality. A modality may have a vector for every frame instead:
`NAME` is then `[frames of all utterances, dim]`, one utterance after the other, and
`NAME_lengths` (integers `[N]`) says how many frames each one has. `NAME_names`
documents the columns of `NAME`, and an optional `NAME_present` (bool) says which
utterances have it. If the archive holds `utt_id`, the rows are matched by id, not by
position.

An array may also lie beside the archive, or instead of it, as `NAME.npy`: such frames
stay on disk until they are asked for.
"""

import json
import os
import zipfile
from typing import Any

import numpy as np
from etils import epath

from dann_jax.corpora.corpus import Corpus, CorpusError, check
from dann_jax.corpora.frames import Frames
from dann_jax.corpora.manifest import read_manifest


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
    arrays = _read_arrays(folder)
    columns = read_manifest(folder / "manifest.csv")
    name = np.unique(columns["corpus"])[0] if "corpus" in columns else folder.name
    order = _row_order(folder, columns["utt_id"], arrays)
    features, present = _modalities(folder, arrays, len(columns["utt_id"]))
    return check(
        Corpus(
            name=str(name),
            columns=columns,
            features={key: _in_order(array, order) for key, array in features.items()},
            present={key: array[order] for key, array in present.items()},
            provenance=_provenance(folder, features),
        )
    )


def _inside(folder: epath.Path) -> str:
    """For messages: what below the folder may have been meant."""
    found = [
        str(place)
        for place in sorted(folder.iterdir())
        if (place / "manifest.csv").exists()
        or any(place.glob("*/dataset_info.json") if place.is_dir() else ())
    ]
    return f"; did you mean {' or '.join(found[:5])}?" if found else ""


def _read_arrays(folder: epath.Path) -> dict[str, np.ndarray]:
    archive = folder / "features.npz"
    separate = sorted(folder.glob("*.npy"))
    if not archive.exists() and not separate:
        raise CorpusError(
            f"{folder} has no features.npz (nor NAME.npy); a feature table needs one, "
            f"and recordings become a store by dann-prepare"
        )
    arrays = read_archive(archive) if archive.exists() else {}
    for path in separate:
        if path.stem in arrays:
            raise CorpusError(f"{path}: {path.stem!r} is in features.npz too")
        arrays[path.stem] = _read_array(path)
    return arrays


def read_archive(path: epath.Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz archive; a `CorpusError` where it is none."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        # Of NumPy's advice, to unpickle what is no archive, nothing is passed on.
        reason = str(error).split(". If you trust")[0]
        raise CorpusError(
            f"{path} is not an .npz archive of plain arrays: {reason}"
        ) from None


def _read_array(path: epath.Path) -> np.ndarray:
    try:
        return np.load(os.fspath(path), mmap_mode="r", allow_pickle=False)
    except (ValueError, TypeError, OSError, EOFError) as error:
        raise CorpusError(f"{path} is not a plain array: {error}") from None


def _row_order(folder: epath.Path, ids: np.ndarray, arrays: dict) -> np.ndarray:
    if "utt_id" not in arrays:
        return np.arange(len(ids))
    position = {name: index for index, name in enumerate(arrays["utt_id"].astype(str))}
    absent = [name for name in ids if name not in position]
    extra = len(position) - (len(set(ids)) - len(set(absent)))
    if absent or extra:
        raise CorpusError(
            f"{folder}: manifest.csv and features.npz do not match: {len(absent)} "
            f"manifest ids have no features (such as {absent[:3]}), {extra} feature "
            f"rows have no manifest row"
        )
    return np.array([position[name] for name in ids])


def _modalities(
    folder: epath.Path, arrays: dict, rows: int
) -> tuple[dict[str, np.ndarray | Frames], dict[str, np.ndarray]]:
    features, present = {}, {}
    for name, array in arrays.items():
        documents = name == "utt_id" or name.endswith(("_names", "_present"))
        if documents or not np.issubdtype(array.dtype, np.floating):
            continue
        if f"{name}_lengths" in arrays:
            features[name] = _frames(folder, arrays, name, rows)
        elif array.ndim != 2 or len(array) != rows:
            raise CorpusError(
                f"{folder}: array {name!r} has shape {array.shape}, "
                f"expected ({rows}, dim): one row for each row of the manifest, or "
                f"frames with '{name}_lengths'"
            )
        else:
            features[name] = array.astype(np.float32)
        present[name] = _flags(folder, arrays, name, rows)
    if not features:
        raise CorpusError(f"{folder}: features.npz holds no float array")
    return features, present


def _frames(folder: epath.Path, arrays: dict, name: str, rows: int) -> Frames:
    values, lengths = arrays[name], np.asarray(arrays[f"{name}_lengths"])
    counts = np.issubdtype(lengths.dtype, np.integer) and (lengths >= 0).all()
    if lengths.shape != (rows,) or not counts:
        raise CorpusError(
            f"{folder}: '{name}_lengths' has shape {lengths.shape} and type "
            f"{lengths.dtype}, expected ({rows},) whole numbers, none negative"
        )
    try:
        return Frames(values, lengths.astype(np.int64))
    except ValueError as error:
        raise CorpusError(f"{folder}: {name!r}: {error}") from None


def _in_order(array: np.ndarray | Frames, order: np.ndarray) -> np.ndarray | Frames:
    if isinstance(array, np.ndarray):
        return array[order]
    # Taking frames copies them into memory.
    as_they_are = np.array_equal(order, np.arange(len(array)))
    return array if as_they_are else array.take(order)


def _flags(folder: epath.Path, arrays: dict, name: str, rows: int) -> np.ndarray:
    flags = arrays.get(f"{name}_present", np.ones(rows, bool))
    if flags.shape != (rows,):
        raise CorpusError(
            f"{folder}: '{name}_present' has shape {flags.shape}, expected ({rows},)"
        )
    return flags.astype(bool)


def _provenance(folder: epath.Path, features: dict) -> dict[str, Any]:
    recorded = folder / "provenance.json"
    try:
        made = json.loads(recorded.read_text()) if recorded.exists() else {}
    except ValueError as error:
        raise CorpusError(f"{recorded} is not JSON: {error}") from None
    dims = {name: array.shape[-1] for name, array in features.items()}
    return {"layout": "feature table", "dims": dims, **made}
