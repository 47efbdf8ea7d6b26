"""Folds x seeds x arms as leading axes of one state, mapped over one step.

The first axis is the *replica group*, one (fold, seed), here a group for short; the
second the arm. Arms of a group share batches, initialisation and keys: the comparison
is paired. Groups are spread over the devices of all processes; where there are more
devices than groups, several may share a group's batches, each with a *part* of the
dialogues. `mapping` applies jit to what runs there.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from dann_jax.types import Batch, PyTree

GROUP, DATA = "group", "data"
"""The axes of a mesh: groups of replicas, and parts of their batches."""


@dataclasses.dataclass(frozen=True)
class ReplicaLayout:
    """Which replica stands where: groups `[G]` of arms `[A]` on a mesh.

    Where the groups do not divide among the devices, fillers repeat the first ones;
    they are trained and never reported. `[G]` counts them, `num_groups` does not:
    results have leading axes `[num_groups, A]`.

    Attributes:
      folds: fold names.
      seeds: seeds.
      arms: arm name -> adversary -> peak strength; every arm names every adversary.
      mesh: the axes `group` and `data`, from `make_mesh`.
    """

    folds: Sequence[str]
    seeds: Sequence[int]
    arms: Mapping[str, Mapping[str, float]]
    mesh: Mesh

    @property
    def num_groups(self) -> int:
        """Groups that are reported: folds times seeds, without fillers."""
        return len(self.folds) * len(self.seeds)

    @property
    def fold_of(self) -> np.ndarray:
        """Fold index of every group, fillers included, int `[G]`."""
        return self.reported_group_of // len(self.seeds)

    @property
    def seed_of(self) -> np.ndarray:
        """Seed of every group, fillers included, int `[G]`."""
        return np.asarray(self.seeds)[self.reported_group_of % len(self.seeds)]

    @property
    def reported_group_of(self) -> np.ndarray:
        """Every group as the index of the reported one that it is or repeats, `[G]`.

        Of 5 groups on 4 devices: `[0, 1, 2, 3, 4, 0, 1, 2]`.
        """
        padded = -(-self.num_groups // self.mesh.shape[GROUP]) * self.mesh.shape[GROUP]
        return np.arange(padded) % self.num_groups

    def peak_strength(self) -> dict[str, np.ndarray]:
        """Adversary -> peak strength of every replica, float32 `[G, A]`."""
        names = sorted(next(iter(self.arms.values())))
        groups = len(self.fold_of)
        return {
            name: np.tile(
                np.array([arm[name] for arm in self.arms.values()], np.float32),
                (groups, 1),
            )
            for name in names
        }

    def name(self, group: int, arm: int) -> str:
        """A replica in words, for messages."""
        fold = self.folds[self.fold_of[group]]
        return (
            f"fold {fold!r}, seed {self.seed_of[group]}, arm {list(self.arms)[arm]!r}"
        )

    @property
    def data_shards(self) -> int:
        """How many devices share the batches of a group."""
        return self.mesh.shape[DATA]

    @property
    def local_groups(self) -> slice:
        """The groups whose batches this process makes."""
        return self._local(P(GROUP), len(self.reported_group_of))

    def local_dialogues(self, count: int) -> slice:
        """Of `count` dialogues of a batch those whose features this process reads."""
        return self._local(P(DATA), count)

    def _local(self, spec: P, size: int) -> slice:
        sharding = NamedSharding(self.mesh, spec)
        places = sharding.addressable_devices_indices_map((size,)).values()
        spans = [index[0].indices(size) for index in places if index]
        return slice(min(s[0] for s in spans), max(s[1] for s in spans))

    def put(self, tree: PyTree) -> PyTree:
        """Put arrays with a leading group axis on the mesh.

        A process has all groups in them, or its own alone.
        """
        return _placed(tree, self.mesh, P(GROUP), (len(self.reported_group_of),))

    def put_batch(self, batch: Batch) -> Batch:
        """Put a batch on the mesh, its inputs divided among the devices of a group.

        A process has all dialogues in the inputs, or its own alone; of the rest all.
        """
        sizes = (len(self.reported_group_of), batch.row.shape[1])
        inputs = _placed(batch.inputs, self.mesh, P(GROUP, DATA), sizes)
        return self.put(batch._replace(inputs={}))._replace(inputs=inputs)

    def put_everywhere(self, tree: PyTree) -> PyTree:
        """Copy arrays, the same in all processes, to every device of the mesh."""
        return _placed(tree, self.mesh, P(), ())

    def get_local(self, tree: PyTree) -> PyTree:
        """Arrays of the mesh, as NumPy arrays of the groups of this process."""
        if jax.process_count() == 1:
            return jax.device_get(tree)

        def rows(leaf: jax.Array) -> np.ndarray:
            shards = {s.index[0].start or 0: s.data for s in leaf.addressable_shards}
            return np.concatenate(
                [np.asarray(shards[start]) for start in sorted(shards)]
            )

        return jax.tree.map(rows, tree)

    def get(self, tree: PyTree) -> PyTree:
        """Arrays of the mesh as NumPy arrays of all groups, in every process."""
        if jax.process_count() == 1:
            return jax.device_get(tree)
        return multihost_utils.process_allgather(tree, tiled=True)


Layout = ReplicaLayout
"""The name of earlier versions."""


def _placed(tree: PyTree, mesh: Mesh, spec: P, sizes: tuple[int, ...]) -> PyTree:
    """Arrays on the mesh; `sizes` are those of the leading axes in all processes."""
    sharding = NamedSharding(mesh, spec)
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)

    def place(leaf: Any) -> jax.Array:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            return jax.device_put(leaf, sharding)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(place(jax.random.key_data(leaf)))
        leaf = np.asarray(leaf)
        shape = (*sizes, *leaf.shape[len(sizes) :])
        return jax.make_array_from_process_local_data(sharding, leaf, shape)

    return jax.tree.map(place, tree)


def make_mesh(devices: int | None = None, *, parts: int = 1) -> Mesh:
    """A mesh with the axes `replica` and `data` over devices of all processes.

    Args:
      devices: the first so many; by default all.
      parts: devices that share the batches of a group; each process must have whole
        groups, or one part of a single one.

    Raises:
      ValueError: the devices cannot be divided so.
    """
    # Neighbours of one process first: their parts meet in every step.
    devices_in_order = sorted(
        jax.devices(), key=lambda device: (device.process_index, device.id)
    )
    chosen = devices_in_order[: devices or len(devices_in_order)]
    local = min(len(chosen), jax.local_device_count())
    if len(chosen) % parts or (local % parts and parts % local):
        raise ValueError(
            f"{len(chosen)} devices, {local} of them in each process, cannot be "
            f"divided into groups of {parts}"
        )
    grid = np.array(chosen).reshape(-1, parts)
    return Mesh(grid, (GROUP, DATA), axis_types=(AxisType.Auto,) * 2)


def spare_data_shards(groups: int) -> int:
    """The most devices that each of so many groups can have for itself."""
    devices, local = jax.device_count(), jax.local_device_count()
    return max(
        shards
        for shards in range(1, devices + 1)
        if shards == 1
        or (
            shards * groups <= devices
            and devices % shards == 0
            and (local % shards == 0 or shards % local == 0)
        )
    )
