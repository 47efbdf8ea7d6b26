"""One model on several devices: each runs the network on its part of every batch.

The outputs of all parts are gathered, so the objective sees the whole batch and means
the same as on one device, whatever it averages or compares. Then each device takes the
gradient through its own part, and one all-reduce adds them up.
"""

from collections.abc import Iterator, Mapping
from typing import NoReturn

import jax
from jax.flatten_util import ravel_pytree
from jax.sharding import PartitionSpec as P

from dann_jax.training.replicas import DATA, GROUP
from dann_jax.types import Apply, Array, Batch, Outputs, PyTree, Scalar

WHOLE = Batch._make([P(GROUP)] * len(Batch._fields))
"""Batches that every device of a model has whole."""

DIVIDED = Batch._make([P(GROUP, DATA), *WHOLE[1:]])
"""Batches of which each device of a model has its part of the inputs, and all else."""

IN_CHUNKS = DIVIDED._replace(inputs=P(GROUP, None, DATA))
"""Several of `DIVIDED`, one after the other in the second axis."""


class LocalInputs(Mapping):
    """The inputs of one device's dialogues, which only the network may look at."""

    def __init__(self, inputs: Mapping[str, Array]) -> None:
        self.local = inputs

    def _refuse(self, *_: object) -> NoReturn:
        raise ValueError(
            "this objective works on the inputs of a whole batch, which are divided "
            "among devices; train each model on one device: --data_parallel=1"
        )

    __getitem__ = __len__ = _refuse

    def __iter__(self) -> Iterator[str]:
        self._refuse()


def divided(apply: Apply, batch: Batch) -> tuple[Apply, Batch]:
    """The network on this device's part of a batch, for an objective on all of it.

    To be called on each device, where the axis `DATA` has a name.

    Args:
      apply: the network.
      batch: one of `DIVIDED`.

    Returns:
      A network with the outputs of all parts, and the batch that it and the objective
      are to be given. Their gradient is that of this device's part alone. Dropout is
      another one in each part.
    """

    def whole(
        params: PyTree, batch: Batch, strength: Mapping[str, Scalar], key: Array | None
    ) -> Outputs:
        if key is not None:
            key = jax.random.fold_in(key, jax.lax.axis_index(DATA))
        outputs = apply(params, part_of(batch), strength, key)
        return jax.tree.map(_gathered, outputs)

    return whole, batch._replace(inputs=LocalInputs(batch.inputs))


def part_of(batch: Batch) -> Batch:
    """What this device's dialogues are, of a batch of `DIVIDED`."""
    inputs = batch.inputs
    if isinstance(inputs, LocalInputs):
        inputs = inputs.local
    rest = jax.tree.map(_local_dialogues, batch._replace(inputs={}))
    return rest._replace(inputs=inputs)


def summed(gradients: PyTree) -> PyTree:
    """Gradients of all parts, added up by one all-reduce."""
    flat, unravel = ravel_pytree(gradients)
    return unravel(jax.lax.psum(flat, DATA))


def _local_dialogues(whole: Array) -> Array:
    """This device's part of an array `[B, ...]`."""
    size = whole.shape[0] // jax.lax.axis_size(DATA)
    start = jax.lax.axis_index(DATA) * size
    return jax.lax.dynamic_slice_in_dim(whole, start, size)


@jax.custom_vjp
def _gathered(part: Array) -> Array:
    """The parts of all devices in one array, whose gradient is that of the own part.

    Every device has the whole objective, so JAX's own rule, which adds up the
    gradients of all of them, would count each part as often as there are devices.
    """
    return jax.lax.all_gather(part, DATA, tiled=True)


_gathered.defvjp(
    lambda part: (_gathered(part), None),
    lambda _, cotangent: (_local_dialogues(cotangent),),
)
