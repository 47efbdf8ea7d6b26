"""Reading a store back, through a cache of memory-mapped arrays."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from etils import epath

from dann_jax.data.corpus import Corpus, CorpusError, check
from dann_jax.data.store.arrays import ModalityShape, Piece, open_arrays, write_arrays
from dann_jax.data.store.damage import DamageError, verify
from dann_jax.data.store.folders import cache_folder
from dann_jax.data.store.layout import (
    SPLIT,
    read_metadata,
    tensorflow_datasets,
    verify_store,
)
from dann_jax.utils.locks import locked

_log = logging.getLogger(__name__)


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
    cached = cached_arrays(folder)
    corpus = _from_cache(cached, folder)
    if corpus is not None:
        return corpus
    try:
        with locked(cached.with_name(f"{cached.name}.lock"), wait=True):
            # Another process may have made it meanwhile.
            corpus = _from_cache(cached, folder)
            return check(corpus or _unpack(folder, metadata, cached))
    except OSError as error:
        raise CorpusError(
            f"the arrays of {folder} cannot be unpacked to {cached}: {error}; let "
            f"XDG_CACHE_HOME name a folder on a disk with room"
        ) from None


def cached_arrays(store: epath.Path) -> epath.Path:
    """The cache folder of the arrays of a store."""
    return cache_folder() / "stores" / _fingerprint(store)


def _from_cache(cached: epath.Path, folder: epath.Path) -> Corpus | None:
    """The cached corpus, if there is an undamaged one; a damaged one is removed."""
    if not cached.exists():
        return None
    try:
        verify(cached)
        return open_arrays(cached)
    except (OSError, ValueError, KeyError) as error:
        _log.warning("%s; it is the cache of %s and is made again", error, folder)
    aside = cached.with_name(f"{cached.name}.{os.getpid()}.partial")
    # Another process may have found the same.
    with contextlib.suppress(FileNotFoundError):
        os.rename(cached, aside)
        aside.rmtree()
    return None


def _fingerprint(folder: epath.Path) -> str:
    """A digest of the files of a folder, independent of its path."""
    digest = hashlib.sha256((folder / "metadata.json").read_bytes())
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        stat = path.stat()
        digest.update(f"\n{path.name} {stat.length} {stat.mtime}".encode())
    return digest.hexdigest()[:32]


def _unpack(folder: epath.Path, metadata: dict[str, Any], to: epath.Path) -> Corpus:
    """Two passes: the lengths first, which give the positions of the features."""
    for left in to.parent.glob(f"{to.name}.*.partial"):
        # Of a process that was killed: one that lives would hold the lock.
        left.rmtree()
    verify_store(folder, metadata)
    try:
        table, shapes = _without_features(folder, metadata)
        pieces = (
            Piece(example["row"], example["features"])
            for example in _examples(folder, features=True)
        )
        return write_arrays(to, table, shapes, pieces)
    except CorpusError:
        raise
    except (LookupError, ValueError) as error:
        raise DamageError(
            f"{folder} is damaged: metadata.json and the records contradict each other "
            f"({error!r})"
        ) from None


def _without_features(
    folder: epath.Path, metadata: dict[str, Any]
) -> tuple[Corpus, dict[str, ModalityShape]]:
    """The corpus without its features, and their shapes."""
    examples = list(_examples(folder, features=False))
    row = np.concatenate([example["row"] for example in examples])
    if not np.array_equal(np.sort(row), np.arange(metadata["rows"])):
        raise DamageError(
            f"{folder} is damaged: it holds {len(row)} of {metadata['rows']} utterances"
        )
    order = np.argsort(row)

    def merged(group: str, name: str) -> np.ndarray:
        return np.concatenate([example[group][name] for example in examples])[order]

    shapes = {}
    for name, dim in metadata["dims"].items():
        framewise = name in metadata["framewise"]
        lengths = merged("lengths", name) if framewise else np.ones(len(row), np.int64)
        dtype = (metadata.get("dtypes") or {}).get(name, "float32")
        shapes[name] = ModalityShape(dim, framewise, lengths, dtype)
    table = Corpus(
        name=metadata["name"],
        columns={
            name: np.array([text.decode() for text in merged("columns", name)])
            for name in metadata["columns"]
        },
        features={},
        present={name: merged("present", name) for name in metadata["modalities"]},
        provenance=metadata["provenance"],
    )
    return table, {name: shapes[name] for name in metadata["modalities"]}


def _examples(folder: epath.Path, *, features: bool) -> Iterator[dict[str, Any]]:
    """Examples with `row` and either their features or all the rest."""
    tfds = tensorflow_datasets()
    try:
        builder = tfds.builder_from_directory(folder)
        fields = {
            name: True
            for name in builder.info.features
            if name == "row" or (name == "features") == features
        }
        with _quiet_about_dtypes():
            dataset = builder.as_dataset(
                split=SPLIT,
                decoders=tfds.decode.PartialDecoding(fields),
                # By default, TFDS keeps a small data set in memory.
                read_config=tfds.ReadConfig(
                    interleave_cycle_length=1, try_autocache=False
                ),
            )
        yield from tfds.as_numpy(dataset)
    except Exception as error:
        # Whatever TensorFlow's and protobuf's parsers raise, it is about these files.
        reason = " ".join(str(getattr(error, "message", error)).split())
        raise DamageError(
            f"{folder} is damaged: TFDS cannot read it: {reason[:200]}"
        ) from None


@contextlib.contextmanager
def _quiet_about_dtypes() -> Iterator[None]:
    """Silence warnings of TFDS about an attribute of its own."""
    log = logging.getLogger("absl")

    def keep(record: logging.LogRecord) -> bool:
        return "dtype` is deprecated" not in record.getMessage()

    log.addFilter(keep)
    try:
        yield
    finally:
        log.removeFilter(keep)
