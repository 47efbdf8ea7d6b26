"""A corpus as a folder of plain arrays that is opened by memory-mapping.

```
corpus.json      name, provenance, the columns and modalities in their order
table.npz        columns, and lengths and presence of each modality
N.npy            float32 or float16 [frames, dim], the values of modality number N
checksums.txt   digest of each of them
```

It is scratch: the way into a TFDS store and the cache of what was read out of one.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.utils.checksums import write_checksums
from dann_jax.utils.files import named_errors, partial_folder, replace_folder

DTYPES = ("float32", "float16")
"""Types of values on disk; in a batch they are float32."""


class ModalityShape(NamedTuple):
    """The shape of one modality of a corpus of `N` utterances.

    Attributes:
      dim: size of a feature vector.
      framewise: whether an utterance has a vector for every frame, or one.
      lengths: int64 `[N]`, vectors of each utterance.
      dtype: of the values on disk, a word of `DTYPES`.
    """

    dim: int
    framewise: bool
    lengths: np.ndarray
    dtype: str = "float32"


class Piece(NamedTuple):
    """The feature vectors of some utterances.

    Attributes:
      rows: int `[n]`, their indices in the corpus, in any order.
      values: modality -> float `[vectors of these utterances, dim]`.
    """

    rows: np.ndarray
    values: Mapping[str, np.ndarray]


def write_arrays(
    folder: epath.PathLike,
    table: Corpus,
    modalities: Mapping[str, ModalityShape],
    pieces: Iterable[Piece],
) -> Corpus:
    """Write a corpus piece by piece; the folder is there as a whole or not at all.

    Args:
      folder: to make, on a local disk. If another process makes it meanwhile, that
        one's is kept.
      table: the corpus without its features.
      modalities: what shape the features have.
      pieces: all of them; no more than one is in memory.

    Returns:
      The corpus, memory-mapped.
    """
    folder = epath.Path(folder)
    with partial_folder(folder) as partial, named_errors(partial):
        partial.mkdir(parents=True, exist_ok=True)
        _write_table(partial, table, modalities)
        _write_values(partial, modalities, pieces)
        write_checksums(partial)
        _take_place(partial, folder)
    return open_arrays(folder)


def open_arrays(folder: epath.PathLike) -> Corpus:
    """Memory-map what `write_arrays` wrote; `checksums.verify` checks that it is.

    Raises:
      OSError, ValueError: the folder is not one that `write_arrays` wrote.
    """
    folder = epath.Path(folder)
    metadata = json.loads((folder / "corpus.json").read_text())
    with np.load(os.fspath(folder / "table.npz"), allow_pickle=False) as archive:
        table = {name: archive[name] for name in archive.files}
    features: dict[str, np.ndarray | Frames] = {}
    for n, (name, framewise) in enumerate(metadata["modalities"].items()):
        path = os.fspath(folder / f"{n}.npy")
        values = np.load(path, mmap_mode="r", allow_pickle=False)
        features[name] = Frames(values, table[f"lengths_{n}"]) if framewise else values
    return Corpus(
        name=metadata["name"],
        columns={
            name: table[f"column_{n}"] for n, name in enumerate(metadata["columns"])
        },
        features=features,
        present={name: table[f"present_{n}"] for n, name in enumerate(features)},
        provenance=metadata["provenance"],
    )


def shape_of(array: np.ndarray | Frames) -> ModalityShape:
    """The shape of an array of features, `[N, dim]` or `Frames`."""
    if isinstance(array, Frames):
        return ModalityShape(
            array.shape[2], True, array.lengths, _dtype_on_disk(array.values)
        )
    ones = np.ones(len(array), np.int64)
    return ModalityShape(array.shape[1], False, ones, _dtype_on_disk(array))


def _dtype_on_disk(values: np.ndarray) -> str:
    """Its own, but float32 of what is neither."""
    return values.dtype.name if values.dtype.name in DTYPES else "float32"


def save_arrays(folder: epath.PathLike, corpus: Corpus) -> Corpus:
    """Write a corpus in memory, one utterance at a time."""
    shapes = {name: shape_of(array) for name, array in corpus.features.items()}
    pieces = (_piece(corpus, np.array([row])) for row in range(len(corpus)))
    return write_arrays(folder, corpus, shapes, pieces)


def _piece(corpus: Corpus, rows: np.ndarray) -> Piece:
    return Piece(rows, {name: vectors(a, rows) for name, a in corpus.features.items()})


def vectors(array: np.ndarray | Frames, rows: np.ndarray) -> np.ndarray:
    """All feature vectors of these utterances in memory, `[vectors, dim]`.

    They are float16 where the array is, else float32.
    """
    taken = array.take(rows).values if isinstance(array, Frames) else array[rows]
    return np.asarray(taken, _dtype_on_disk(taken))


def _write_table(
    folder: epath.Path, table: Corpus, modalities: Mapping[str, ModalityShape]
) -> None:
    metadata: dict[str, Any] = {
        "name": table.name,
        "columns": list(table.columns),
        "modalities": {name: shape.framewise for name, shape in modalities.items()},
        "provenance": dict(table.provenance),
    }
    (folder / "corpus.json").write_text(json.dumps(metadata))
    arrays = {f"column_{n}": x for n, x in enumerate(table.columns.values())}
    for n, (name, shape) in enumerate(modalities.items()):
        arrays[f"lengths_{n}"] = shape.lengths
        arrays[f"present_{n}"] = table.present[name]
    with (folder / "table.npz").open("wb") as file:
        # Text is stored at the width of its longest and compresses well.
        np.savez_compressed(file, **arrays)


def _write_values(
    folder: epath.Path, modalities: Mapping[str, ModalityShape], pieces: Iterable[Piece]
) -> None:
    with contextlib.ExitStack() as files:
        values = {
            name: files.enter_context(_open_values(folder / f"{n}.npy", modality))
            for n, (name, modality) in enumerate(modalities.items())
        }
        for piece in pieces:
            for name, array in piece.values.items():
                values[name].put(piece.rows, array)


@dataclasses.dataclass(frozen=True)
class _Values:
    """An `.npy` file that is filled in any order.

    It is written, not memory-mapped: a full disk is then an error and not a crash.
    """

    file: BinaryIO
    first: int
    starts: np.ndarray
    lengths: np.ndarray
    dtype: np.dtype

    def put(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Write the vectors of these utterances at their rows."""
        values = np.asarray(values, self.dtype)
        size = values.shape[1] * values.itemsize
        ends = np.cumsum(self.lengths[rows])
        if ends[-1] != len(values):
            raise ValueError(f"expected {ends[-1]} vectors, got {len(values)}")
        for row, part in zip(rows, np.split(values, ends[:-1]), strict=True):
            self.file.seek(self.first + int(self.starts[row]) * size)
            self.file.write(part.tobytes())


@contextlib.contextmanager
def _open_values(path: epath.Path, modality: ModalityShape) -> Iterator[_Values]:
    starts = np.cumsum(modality.lengths) - modality.lengths
    shape = (int(modality.lengths.sum()), modality.dim)
    dtype = np.dtype(modality.dtype).newbyteorder("<")
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield _Values(file, file.tell(), starts, modality.lengths, dtype)


def _take_place(partial: epath.Path, folder: epath.Path) -> None:
    try:
        replace_folder(partial, folder)
    except OSError:
        # A folder with something in it cannot be renamed onto.
        if not folder.exists():
            raise
