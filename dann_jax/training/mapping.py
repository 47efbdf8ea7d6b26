"""A function of one replica as a compiled function of all: jit, donation, sharding.

This is the one place that applies them.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from dann_jax.models.ops.fusion_barrier import barrier_compiler_options
from dann_jax.training.replicas import GROUP

_BY_GROUP = P(GROUP)


def map_replicas(
    function: Callable,
    mesh: Mesh,
    *,
    shared: tuple[int, ...] = (),
    donate: tuple[int, ...] = (),
    vectorise: bool | None = None,
    in_specs: Any = _BY_GROUP,
    out_specs: Any = _BY_GROUP,
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
      in_specs: of the arguments, as for `jax.shard_map`, if they are divided among the
        devices of a group too.
      out_specs: of the results.

    Returns:
      A jitted function of arrays with leading axes `[groups, arms]`; on CPU not to be
      called within another, because it is compiled with options.
    """
    platform = mesh.devices.flat[0].platform
    if vectorise is None:
        vectorise = platform != "cpu"

    def per_device(*arguments: Any) -> Any:
        run = _side_by_side if vectorise else _one_by_one
        return run(function, arguments, shared)

    mapped = jax.shard_map(
        per_device,
        mesh=mesh,
        in_specs=in_specs,
        out_specs=out_specs,
        check_vma=False,
    )
    return jax.jit(
        mapped,
        donate_argnums=donate,
        compiler_options=barrier_compiler_options(platform),
    )


def _side_by_side(function: Callable, arguments: tuple, shared: tuple[int, ...]) -> Any:
    axes = tuple(None if place in shared else 0 for place in range(len(arguments)))
    return jax.vmap(jax.vmap(function, in_axes=axes))(*arguments)


def _one_by_one(function: Callable, arguments: tuple, shared: tuple[int, ...]) -> Any:
    per_replica = next(
        arg for place, arg in enumerate(arguments) if place not in shared
    )
    groups, arms = jax.tree.leaves(per_replica)[0].shape[:2]

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
