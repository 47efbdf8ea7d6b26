"""The compiled program of a run: a network, its steps, and replicas of them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax.sharding import PartitionSpec as P

from dann_jax.models.network import as_apply, initialise
from dann_jax.models.normalisation import as_moments, normalisations
from dann_jax.training.chunks import over_chunks
from dann_jax.training.data_parallel import DIVIDED, IN_CHUNKS
from dann_jax.training.mapping import map_replicas
from dann_jax.training.replicas import DATA, GROUP, ReplicaLayout
from dann_jax.training.state import TrainState, create_state, keep_best
from dann_jax.training.step import (
    make_evaluation_step,
    make_gradient_step,
    make_train_step,
)
from dann_jax.types import Batch, Objective, PyTree, Schedule, StatefulObjective
from dann_jax.utils.arguments import Rate

_RUNS_ONCE = {"xla_backend_optimization_level": 1}
"""Of what draws parameters: on CPU, making it faster takes longer than it takes."""


@dataclasses.dataclass(frozen=True)
class Program:
    """Compiled functions of the state of all replicas, `[groups, arms]`.

    Attributes:
      train_step: `(state, batch, strength) -> (state, metrics)`; donates the state.
      train_steps: the same of a chunk, `(state, batches, count, strength)`, see
        `over_chunks`; metrics `[groups, arms, length]`.
      gradients: `(state, batch, strength) -> metrics`, see `encoder_gradients`.
      evaluate: `(params, batch) -> Outputs`, without dropout.
      moments: `(params, batch) -> moments` of what is normalised, see `normalisation`.
      keep_best: `(state, score) -> state`, score `[groups, arms]`; donates the state.
      initial_state: `(batch) -> state`, see `initial_state`.
      state_shapes: `(batch) -> state` of one replica, of which only shapes are made.
    """

    train_step: Callable
    train_steps: Callable
    gradients: Callable
    evaluate: Callable
    moments: Callable
    keep_best: Callable
    initial_state: Callable[[Batch], TrainState]
    state_shapes: Callable[[Batch], TrainState]


def make_program(
    module: nn.Module,
    *,
    layout: ReplicaLayout,
    objective: Objective | StatefulObjective,
    optimizer: optax.GradientTransformation,
    schedule: Schedule,
    average_decay: Rate,
    own_schedules: Mapping[str, Schedule] = {},
    vectorise: bool | None = None,
) -> Program:
    """Compile (lazily, once a batch shape) what a run calls."""
    apply, in_parts = as_apply(module), layout.data_shards > 1
    batch = DIVIDED if in_parts else P(GROUP)
    learning = {
        "apply": apply,
        "objective": objective,
        "schedule": schedule,
        "own_schedules": own_schedules,
        "in_parts": in_parts,
    }
    train_step = make_train_step(
        optimizer=optimizer, average_decay=average_decay, **learning
    )
    gradient_step = make_gradient_step(**learning)
    evaluation_step = make_evaluation_step(apply=apply, in_parts=in_parts)

    def on_replicas(function: Callable, **places: Any) -> Callable:
        return map_replicas(function, layout.mesh, vectorise=vectorise, **places)

    return Program(
        train_step=on_replicas(
            train_step,
            shared=(1,),
            donate=(0,),
            in_specs=(P(GROUP), batch, P(GROUP)),
        ),
        train_steps=on_replicas(
            over_chunks(train_step),
            shared=(1, 2),
            donate=(0,),
            in_specs=(
                P(GROUP),
                IN_CHUNKS if in_parts else P(GROUP),
                P(GROUP),
                P(GROUP),
            ),
        ),
        gradients=on_replicas(
            gradient_step,
            shared=(1,),
            in_specs=(P(GROUP), batch, P(GROUP)),
        ),
        evaluate=on_replicas(
            evaluation_step,
            shared=(1,),
            in_specs=(P(GROUP), batch),
            out_specs=P(GROUP, None, DATA),
        ),
        moments=on_replicas(as_moments(module), shared=(1,)),
        keep_best=on_replicas(keep_best, donate=(0,)),
        initial_state=functools.partial(
            initial_state,
            module,
            layout=layout,
            optimizer=optimizer,
            objective=objective,
        ),
        state_shapes=functools.partial(
            state_shapes, module, optimizer=optimizer, objective=objective
        ),
    )


def initial_state(
    module: nn.Module,
    batch: Batch,
    *,
    layout: ReplicaLayout,
    optimizer: optax.GradientTransformation,
    objective: Objective | StatefulObjective | None = None,
) -> TrainState:
    """The state before the first step, on the mesh.

    Args:
      module: the network.
      batch: any batch with a group axis; only its shapes matter.
      layout: of the replicas.
      optimizer: as in the train step.
      objective: as in the train step; it may be left out if it has no state.

    Returns:
      State `[groups, arms]`; the arms of a group start from the same parameters and
      the same key, so that what differs between them is their strength alone.

    Raises:
      ValueError: the batches are divided among devices and the network normalises by
        their statistics.
    """
    one = _one_of(batch)
    create = _creator(module, one, optimizer, objective)
    # There is nothing to compute: side by side it is soonest compiled on any device.
    run = map_replicas(create, layout.mesh, shared=(0,), vectorise=True)
    # Not waited for: meanwhile the train step can be traced.
    return run(*layout.put(_drawn(module, one, layout)))


def state_shapes(
    module: nn.Module,
    batch: Batch,
    *,
    optimizer: optax.GradientTransformation,
    objective: Objective | StatefulObjective | None = None,
) -> TrainState:
    """The state of one replica as shapes and types; arguments of `initial_state`."""
    one, key = _one_of(batch), jax.random.key(0)
    create = _creator(module, one, optimizer, objective)
    return jax.eval_shape(lambda: create(initialise(module, one, key), key))


def _one_of(batch: Batch) -> Batch:
    """A batch of one group, empty; only its shapes matter."""
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape[1:], leaf.dtype), batch)


def _creator(
    module: nn.Module,
    one: Batch,
    optimizer: optax.GradientTransformation,
    objective: Objective | StatefulObjective | None,
) -> Callable[[PyTree, jax.Array], TrainState]:
    """Parameters and a key to the state of a replica."""

    def objective_state(params: PyTree) -> PyTree:
        if not isinstance(objective, StatefulObjective):
            return ()
        apply, strength = as_apply(module), dict.fromkeys(one.domain, 0.0)
        shapes = jax.eval_shape(lambda p: apply(p, one, strength, None), params)
        return objective.init(shapes)

    def create(params: PyTree, key: jax.Array) -> TrainState:
        return create_state(params, optimizer, key, objective_state(params))

    return create


def _drawn(
    module: nn.Module, batch: Batch, layout: ReplicaLayout
) -> tuple[PyTree, jax.Array]:
    """Parameters `[G, ...]` and keys `[G, A]`, on one device."""
    on_cpu = layout.mesh.devices.flat[0].platform == "cpu"
    draw = _drawing(module, batch, len(layout.arms), on_cpu)
    params, keys = draw((layout.fold_of, layout.seed_of.astype(np.uint32)))
    if layout.data_shards > 1 and normalisations(params):
        raise ValueError(
            "a normalisation by the statistics of a batch needs all of it on one "
            "device: --data_parallel=1"
        )
    return params, keys


def _drawing(module: nn.Module, batch: Batch, arms: int, on_cpu: bool) -> Callable:
    """Compiled: `(fold [G], seed [G]) -> (parameters [G, ...], keys [G, arms])`."""

    def draw(pair: tuple[jax.Array, jax.Array]) -> tuple[PyTree, jax.Array]:
        fold, seed = pair
        key = jax.random.fold_in(jax.random.key(seed), fold)
        init_key, run_key = jax.random.split(key)
        return initialise(module, batch, init_key), jnp.broadcast_to(run_key, arms)

    # One after the other: vmapped, this takes twice as long to compile. On one device:
    # on several of a CPU at once, the QR decomposition of an orthogonal matrix hangs.
    return jax.jit(
        functools.partial(jax.lax.map, draw),
        compiler_options=_RUNS_ONCE if on_cpu else None,
    )


def step_of(state: TrainState) -> int:
    """Optimiser steps that the replicas have taken."""
    return int(np.asarray(state.step.addressable_data(0)).flat[0])
