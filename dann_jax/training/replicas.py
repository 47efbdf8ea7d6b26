"""Folds x seeds x arms as leading axes of one state, mapped over one step.

The first axis is the group, one (fold, seed); the second the arm. Arms of a group
share batches, initialisation and keys: the comparison is paired. Groups are spread
over the devices. This is the one place that applies jit, donation and sharding.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from dann_jax.types import PyTree


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which replica stands where: groups `[G]` of arms `[A]` on a mesh.

    Where the groups do not divide among the devices, fillers repeat the first ones;
    they are trained and never reported.

    Attributes:
      folds: fold names.
      seeds: seeds.
      arms: arm name -> adversary -> peak strength; every arm names every adversary.
      mesh: one axis, `replica`.
    """

    folds: Sequence[str]
    seeds: Sequence[int]
    arms: Mapping[str, Mapping[str, float]]
    mesh: Mesh

    @property
    def num_groups(self) -> int:
        """Groups that are reported."""
        return len(self.folds) * len(self.seeds)

    @property
    def fold_of(self) -> np.ndarray:
        """Fold index of every group, fillers included, int `[G]`."""
        return self._pairs() // len(self.seeds)

    @property
    def seed_of(self) -> np.ndarray:
        """Seed of every group, fillers included, int `[G]`."""
        return np.asarray(self.seeds)[self._pairs() % len(self.seeds)]

    def _pairs(self) -> np.ndarray:
        padded = -(-self.num_groups // self.mesh.size) * self.mesh.size
        return np.arange(padded) % self.num_groups

    def strength(self) -> dict[str, np.ndarray]:
        """Adversary -> peak strength of every replica, float32 `[G, A]`."""
        names = sorted(next(iter(self.arms.values())))
        groups = len(self.fold_of)
        return {
            name: np.tile(
                np.float32([arm[name] for arm in self.arms.values()]),
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

    def put(self, tree: PyTree) -> PyTree:
        """Put arrays with a leading group axis on the mesh."""
        return jax.device_put(tree, NamedSharding(self.mesh, P("replica")))


def make_mesh(devices: int | None = None) -> Mesh:
    """A mesh with the axis `replica` over the first `devices` devices (default all)."""
    count = devices or jax.device_count()
    return jax.make_mesh(
        (count,), ("replica",), (AxisType.Auto,), devices=jax.devices()[:count]
    )


def map_replicas(
    function: Callable,
    mesh: Mesh,
    *,
    shared: tuple[int, ...] = (),
    donate: tuple[int, ...] = (),
    vectorise: bool | None = None,
) -> Callable:
    """Map a function of one replica over groups and arms, compiled.

    Args:
      function: of one replica.
      mesh: where the groups go.
      shared: positions of arguments that the arms of a group share (batches): they
        have the group axis only. All others have `[group, arm]`.
      donate: positions of arguments whose memory may be reused.
      vectorise: True maps the replicas of a device side by side, False one after
        the other. By default they go side by side except on CPU, where small matrix
        products run fastest alone.

    Returns:
      A jitted function of arrays with leading axes `[groups, arms]`.
    """
    if vectorise is None:
        vectorise = mesh.devices.flat[0].platform != "cpu"

    def per_device(*arguments: Any) -> Any:
        run = _side_by_side if vectorise else _one_by_one
        return run(function, arguments, shared)

    mapped = jax.shard_map(
        per_device,
        mesh=mesh,
        in_specs=P("replica"),
        out_specs=P("replica"),
        check_vma=False,
    )
    return jax.jit(mapped, donate_argnums=donate)


def _side_by_side(function: Callable, arguments: tuple, shared: tuple[int, ...]) -> Any:
    axes = tuple(None if place in shared else 0 for place in range(len(arguments)))
    return jax.vmap(jax.vmap(function, in_axes=axes))(*arguments)


def _one_by_one(function: Callable, arguments: tuple, shared: tuple[int, ...]) -> Any:
    own = next(arg for place, arg in enumerate(arguments) if place not in shared)
    groups, arms = jax.tree.leaves(own)[0].shape[:2]

    # One flat loop: a loop over arms inside a loop over groups copies the state twice.
    flat = {
        place: jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), argument)
        for place, argument in enumerate(arguments)
        if place not in shared
    }

    def replica(moving: tuple[jax.Array, dict]) -> Any:
        group, current = moving
        for place in shared:
            current[place] = jax.tree.map(lambda x: x[group], arguments[place])
        return function(*(current[place] for place in sorted(current)))

    results = jax.lax.map(replica, (jnp.arange(groups * arms) // arms, flat))
    return jax.tree.map(
        lambda leaf: leaf.reshape(groups, arms, *leaf.shape[1:]), results
    )
