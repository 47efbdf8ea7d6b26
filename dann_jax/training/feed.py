"""Batches on the mesh, their features looked up where the corpus is kept.

A corpus that fits into the memory of the devices is copied there once; then a batch is
indices and masks. Of a larger one the host reads the rows of each batch.
"""

import weakref

import jax
import numpy as np
from jax.sharding import Mesh

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.batches import Assembler, looked_up
from dann_jax.training.replicas import Layout
from dann_jax.types import Batch, PyTree

MOST_BYTES = 2**30
"""Of a device's memory (on CPU, of all devices' together) for copies of a corpus."""

_look_up = jax.jit(looked_up)

# For as long as the corpus itself is there; all of its views share the copies.
_copies: "weakref.WeakKeyDictionary[Corpus, dict[Mesh, PyTree]]" = (
    weakref.WeakKeyDictionary()
)


class Feed:
    """Makes batches in two parts: an outline on the host, the rest on the mesh."""

    def __init__(
        self, assemble: Assembler, layout: Layout, *, most_bytes: int = MOST_BYTES
    ) -> None:
        """Copy the features to the mesh unless they are more than `most_bytes`."""
        self._assemble, self._layout = assemble, layout
        self._moments = layout.put(assemble.moments(layout.fold_of))
        self._tables = {}
        if _bytes_on(layout.mesh, assemble) <= most_bytes:
            copies = _copies.setdefault(assemble.corpus, {})
            if layout.mesh not in copies:
                copies[layout.mesh] = layout.put_everywhere(assemble.tables())
            self._tables = copies[layout.mesh]

    def outline(self, dialogues: np.ndarray, bucket: int, folds: np.ndarray) -> Batch:
        """What the host has to do, as `Assembler.__call__` is called."""
        batch = self._assemble.outline(dialogues, bucket, folds)
        if self._tables:
            return batch
        tables = self._assemble.tables()
        own = self._layout.own_dialogues(dialogues.shape[1])
        return batch._replace(
            inputs={
                name: _read(tables[name], at[:, own])
                for name, at in batch.inputs.items()
            }
        )

    def __call__(self, outline: Batch) -> Batch:
        """The complete batch on the mesh; nothing waits for it to be there."""
        return _look_up(self._layout.put_batch(outline), self._tables, self._moments)


def _read(table: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The rows of a table, zero where there is no place."""
    values, known = (
        np.zeros((*places.shape, *table.shape[1:]), table.dtype),
        places >= 0,
    )
    values[known] = table[places[known]]
    return values


def _bytes_on(mesh: Mesh, assemble: Assembler) -> int:
    """What the copies would take of one memory."""
    copies = mesh.size if mesh.devices.flat[0].platform == "cpu" else 1
    return copies * sum(table.nbytes for table in assemble.tables().values())
