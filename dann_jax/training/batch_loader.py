"""The one way of a batch: an index on the host, then features on the mesh.

`index_batch` says which turns a batch has and what they show; `gather_features` puts
that on the devices and fills in standardised features. A corpus that fits into the
memory of the devices is copied there once, and an index is places in it. Of a larger
one the host reads the rows of each batch.
"""

import weakref
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax.sharding import Mesh

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.batches import Assembler, gather_features
from dann_jax.tasks.plan import Plan
from dann_jax.training.chunks import MOST_STEPS, Chunk, chunked
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.types import UNKNOWN, Array, Batch, PyTree

MOST_BYTES = 2**30
"""Of a device's memory (on CPU, of all devices' together) for copies of a corpus."""

_gather = jax.jit(gather_features)

# For as long as the corpus itself is there; all of its views share the copies.
_copies: "weakref.WeakKeyDictionary[Corpus, dict[Mesh, PyTree]]" = (
    weakref.WeakKeyDictionary()
)


class BatchLoader:
    """Loads the batches of one view of a corpus, each a function of its step alone."""

    def __init__(
        self,
        assemble: Assembler,
        plan: Plan,
        layout: ReplicaLayout,
        *,
        shuffle: bool,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Copy the features to the mesh unless they are too many.

        Args:
          assemble: the view, of a training step or of an evaluation.
          plan: which dialogues make up which batch.
          layout: of the replicas.
          shuffle: whether each epoch has an order of its own.
          most_bytes: that copies may take; 0 for a corpus that is gone through once.
        """
        self.layout, self.num_rows = layout, len(assemble.corpus)
        self._assemble, self._plan, self._shuffle = assemble, plan, shuffle
        self._standardiser = layout.put(assemble.standardiser_of(layout.fold_of))
        self._tables = {}
        if _bytes_on(layout.mesh, assemble) <= most_bytes:
            copies = _copies.setdefault(assemble.corpus, {})
            if layout.mesh not in copies:
                copies[layout.mesh] = layout.put_everywhere(assemble.tables())
            self._tables = copies[layout.mesh]

    def index_batch(self, step: int) -> Batch:
        """What the host has to do: the batches of this process's groups `[G, B, T]`.

        Their inputs are places in the copies, or, where there are none, the features
        themselves, not yet standardised.
        """
        local = self.layout.local_groups
        folds, seeds = self.layout.fold_of[local], self.layout.seed_of[local]
        chosen = [
            self._plan.batch(step, fold, seed, shuffle=self._shuffle)
            for fold, seed in zip(folds, seeds, strict=True)
        ]
        dialogues = np.stack([dialogue for dialogue, _ in chosen])
        # Every part has as many places.
        empty = -dialogues.shape[1] % self.layout.data_shards
        dialogues = np.pad(dialogues, ((0, 0), (0, empty)), constant_values=UNKNOWN)
        batch = self._assemble.index_batch(dialogues, chosen[0][1], folds)
        if self._tables:
            return batch
        tables = self._assemble.tables()
        local = self.layout.local_dialogues(dialogues.shape[1])
        return batch._replace(
            inputs={
                name: _read(tables[name], at[:, local])
                for name, at in batch.inputs.items()
            }
        )

    def gather_features(self, index: Batch) -> Batch:
        """The complete batch on the mesh; nothing waits for it to be there."""
        index = self.layout.put_batch(index)
        return _gather(index, self._tables, self._standardiser)

    def batch(self, step: int) -> Batch:
        """The batches of all groups at one step, on the mesh."""
        return self.gather_features(self.index_batch(step))

    def epoch(self) -> Iterator[Batch]:
        """The batches of the first epoch."""
        return map(self.batch, range(self._plan.steps_per_epoch))

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of steps `start ... stop - 1`, indexed ahead of the device."""
        return map(self.gather_features, prefetched(self.index_batch, start, stop))

    def chunks(
        self, start: int, stop: int, *, most: int = MOST_STEPS
    ) -> Iterator[Chunk]:
        """The same, several steps at a time: see `chunked`."""
        batches, epoch = self.batches(start, stop), self._plan.steps_per_epoch
        return chunked(batches, self.layout, start=start, epoch=epoch, most=most)


def prefetched(
    make: Callable[[int], Batch], start: int, stop: int, *, ahead: int = 2
) -> Iterator[Batch]:
    """`make(start) ... make(stop - 1)`, through tf.data prepared ahead of the device.

    TensorFlow is imported here and nowhere above, once the first batch is on its way:
    the device computes while the seconds that this takes go by.
    """
    if start >= stop:
        return
    example = make(start)
    yield example
    import tensorflow as tf

    # It must not reserve the accelerator that JAX computes on.
    tf.config.set_visible_devices([], "GPU")
    leaves, treedef = jax.tree.flatten(example)
    types = [leaf.dtype for leaf in leaves]
    steps = tf.data.Dataset.range(start + 1, stop).map(
        lambda step: tf.numpy_function(
            lambda s: jax.tree.leaves(make(int(s))), [step], types
        ),
        num_parallel_calls=1,
        deterministic=True,
    )
    options = tf.data.Options()
    # There is nothing to tune, and the thread that would do it sleeps ever longer: the
    # end of a run would wait for it, up to as long again as the run took.
    options.autotune.enabled = False
    for flat in steps.prefetch(ahead).with_options(options).as_numpy_iterator():
        yield treedef.unflatten(flat)


def _read(table: np.ndarray, places: Array) -> np.ndarray:
    """The rows of a table, zero where there is no place."""
    values = np.zeros((*places.shape, *table.shape[1:]), table.dtype)
    known = places >= 0
    values[known] = table[places[known]]
    return values


def _bytes_on(mesh: Mesh, assemble: Assembler) -> int:
    """What the copies would take of one memory."""
    copies = mesh.size if mesh.devices.flat[0].platform == "cpu" else 1
    return copies * sum(table.nbytes for table in assemble.tables().values())
