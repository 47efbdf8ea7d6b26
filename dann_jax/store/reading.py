"""Reading a store back, through a cache of memory-mapped arrays."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from etils import epath

from dann_jax.corpora.corpus import Corpus, CorpusError, check
from dann_jax.store.arrays import Modality, Piece, open_arrays, write_arrays
from dann_jax.store.layout import SPLIT, read_metadata, tensorflow_datasets


def read_store(directory: epath.PathLike) -> Corpus:
    """Read back what `write_store` wrote.

    The records are read once, into arrays under `cache_folder()`, and found there the
    next time. So any corpus fits, whatever the memory; the cache may be deleted at any
    time that no run uses it.

    Args:
      directory: the folder that `write_store` returned.

    Returns:
      The corpus as it was: rows, columns and modalities in their old order, features
      bit for bit and memory-mapped. The provenance has been through JSON: its tuples
      are lists.

    Raises:
      CorpusError: the folder is not a complete store, or it is damaged.
    """
    folder = epath.Path(directory)
    metadata = read_metadata(folder)
    cached = cache_folder() / "stores" / _fingerprint(folder)
    if cached.exists():
        try:
            return open_arrays(cached)
        except (OSError, ValueError, KeyError):
            # Somebody tidied up inside of it.
            cached.rmtree()
    return check(_unpack(folder, metadata, cached))


def cache_folder() -> epath.Path:
    """Where this package keeps what it can make again, `$XDG_CACHE_HOME/dann_jax`."""
    home = os.environ.get("XDG_CACHE_HOME") or epath.Path("~/.cache").expanduser()
    return epath.Path(home) / "dann_jax"


def _fingerprint(folder: epath.Path) -> str:
    """Changes with anything in the folder, but not when the folder is moved."""
    digest = hashlib.sha256((folder / "metadata.json").read_bytes())
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        stat = path.stat()
        digest.update(f"\n{path.name} {stat.length} {stat.mtime}".encode())
    return digest.hexdigest()[:32]


def _unpack(folder: epath.Path, metadata: dict[str, Any], to: epath.Path) -> Corpus:
    """Two passes: what is small decides where what is large goes."""
    table, shapes = _without_features(folder, metadata)
    pieces = (
        Piece(example["row"], example["features"])
        for example in _examples(folder, features=True)
    )
    try:
        return write_arrays(to, table, shapes, pieces)
    except OSError as error:
        raise CorpusError(
            f"the arrays of {folder} cannot be unpacked to {to}: {error}; let "
            f"XDG_CACHE_HOME name a folder on a disk with room"
        ) from None


def _without_features(
    folder: epath.Path, metadata: dict[str, Any]
) -> tuple[Corpus, dict[str, Modality]]:
    """The corpus without its features, and what shape they have."""
    examples = list(_examples(folder, features=False))
    row = np.concatenate([example["row"] for example in examples])
    if not np.array_equal(np.sort(row), np.arange(metadata["rows"])):
        raise CorpusError(
            f"{folder} is damaged: it holds {len(row)} of {metadata['rows']} utterances"
        )
    place = np.argsort(row)

    def joined(group: str, name: str) -> np.ndarray:
        return np.concatenate([example[group][name] for example in examples])[place]

    shapes = {}
    for name, dim in metadata["dims"].items():
        framewise = name in metadata["framewise"]
        lengths = joined("lengths", name) if framewise else np.ones(len(row), np.int64)
        shapes[name] = Modality(dim, framewise, lengths)
    table = Corpus(
        name=metadata["name"],
        columns={
            name: np.array([text.decode() for text in joined("columns", name)])
            for name in metadata["columns"]
        },
        features={},
        present={name: joined("present", name) for name in metadata["modalities"]},
        provenance=metadata["provenance"],
    )
    return table, {name: shapes[name] for name in metadata["modalities"]}


def _examples(folder: epath.Path, *, features: bool) -> Iterator[dict[str, Any]]:
    """Examples with `row` and either their features or all the rest."""
    tfds = tensorflow_datasets()
    import tensorflow as tf

    builder = tfds.builder_from_directory(folder)
    wanted = {
        name: True
        for name in builder.info.features
        if name == "row" or (name == "features") == features
    }
    with _quiet_about_dtypes():
        dataset = builder.as_dataset(
            split=SPLIT,
            decoders=tfds.decode.PartialDecoding(wanted),
            # By default, TFDS keeps a small data set in memory.
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        )
    try:
        yield from tfds.as_numpy(dataset)
    except tf.errors.OpError as error:
        raise CorpusError(f"{folder} is damaged: {error.message}") from None


@contextlib.contextmanager
def _quiet_about_dtypes() -> Iterator[None]:
    """TFDS uses an attribute of its own that it has deprecated, and says so often."""
    log = logging.getLogger("absl")

    def keep(record: logging.LogRecord) -> bool:
        return "dtype` is deprecated" not in record.getMessage()

    log.addFilter(keep)
    try:
        yield
    finally:
        log.removeFilter(keep)
