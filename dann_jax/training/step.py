"""The train step and the evaluation step of one replica, as pure functions."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dann_jax.training.data_parallel import divided, part_of, summed
from dann_jax.training.diagnostics import encoder_gradients
from dann_jax.training.state import TrainState
from dann_jax.types import (
    Apply,
    Array,
    Metrics,
    Objective,
    Outputs,
    PyTree,
    Scalar,
    Schedule,
    StatefulObjective,
)

TrainStep = Callable[[TrainState, Any, Mapping[str, Array]], tuple[TrainState, Metrics]]
GradientStep = Callable[[TrainState, Any, Mapping[str, Array]], Metrics]
EvaluationStep = Callable[[PyTree, Any], Outputs]


def make_train_step(
    *,
    apply: Apply,
    objective: Objective | StatefulObjective,
    optimizer: optax.GradientTransformation,
    schedule: Schedule,
    average_decay: float = 0.0,
    own_schedules: Mapping[str, Schedule] = {},
    in_parts: bool = False,
) -> TrainStep:
    """Bind what is fixed in a run; return `(state, batch, strength) -> state, metrics`.

    The result is pure: no jit, donation or sharding is applied here. On CPU the options
    of `models.ops.fusion_barrier.barrier_compiler_options` make it a fifth faster.

    Args:
      apply: the network, `(params, batch, strength, key) -> Outputs`; any function of
        that form will do, from Flax or not.
      objective: what to minimise. The state of one that has a state is started by
        `create_state(..., objective=objective.init(outputs))`.
      optimizer: any optax transformation.
      schedule: step -> factor in [0, 1] on the peak of every strength.
      average_decay: of the moving average of the parameters, in [0, 1); 0 keeps the
        last ones. The decay starts low, so that the average forgets the first steps.
      own_schedules: adversary (or penalty) -> the schedule of its strength, for those
        that follow another one.
      in_parts: whether several devices share the batch, see `data_parallel`.

    Returns:
      A step. Its `strength` maps each adversary to the peak of its strength, which
      the schedule scales: the network and the objective are given the current one. A
      replica with 0 everywhere is trained as source-only.
    """

    def train_step(
        state: TrainState, batch: Any, peak_strength: Mapping[str, Array]
    ) -> tuple[TrainState, Metrics]:
        strength = current_strength(state.step, peak_strength, schedule, own_schedules)
        dropout_key = jax.random.fold_in(state.key, state.step)
        forward, batch = divided(apply, batch) if in_parts else (apply, batch)

        def loss_fn(params: PyTree) -> tuple[Array, tuple[Metrics, PyTree]]:
            if isinstance(objective, StatefulObjective):
                return objective.apply(
                    forward, params, batch, strength, dropout_key, state.objective
                )
            outputs = forward(params, batch, strength, dropout_key)
            loss, metrics = objective(outputs, batch, strength)
            return loss, (metrics, state.objective)

        (loss, (metrics, objective_state)), gradients = jax.value_and_grad(
            loss_fn, has_aux=True
        )(state.params)
        gradients = summed(gradients) if in_parts else gradients
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        decay = jnp.minimum(average_decay, (1.0 + state.step) / (10.0 + state.step))
        average = optax.incremental_update(params, state.average, 1.0 - decay)
        metrics = {"loss": loss, **metrics}
        metrics |= {f"strength/{name}": value for name, value in strength.items()}
        state = state.replace(
            step=state.step + 1,
            params=params,
            opt_state=opt_state,
            average=average,
            objective=objective_state,
        )
        return state, metrics

    return train_step


def current_strength(
    step: Scalar,
    peak_strength: Mapping[str, Scalar],
    schedule: Schedule,
    own_schedules: Mapping[str, Schedule],
) -> dict[str, Array]:
    """Strengths at a step, each a scalar, from their peaks and schedules."""
    return {
        name: peak * own_schedules.get(name, schedule)(step)
        for name, peak in peak_strength.items()
    }


def make_gradient_step(
    *,
    apply: Apply,
    objective: Objective | StatefulObjective,
    schedule: Schedule,
    own_schedules: Mapping[str, Schedule] = {},
    in_parts: bool = False,
) -> GradientStep:
    """Return `(state, batch, strength) -> metrics`: `encoder_gradients` of a state.

    Strengths and dropout are those of the step that comes next. The state stays as it
    is.
    """

    def gradient_step(
        state: TrainState, batch: Any, peak_strength: Mapping[str, Array]
    ) -> Metrics:
        forward, batch = divided(apply, batch) if in_parts else (apply, batch)
        return encoder_gradients(
            forward,
            objective,
            state.params,
            batch,
            current_strength(state.step, peak_strength, schedule, own_schedules),
            jax.random.fold_in(state.key, state.step),
            objective_state=state.objective,
            total=summed if in_parts else lambda gradients: gradients,
        )

    return gradient_step


def make_evaluation_step(*, apply: Apply, in_parts: bool = False) -> EvaluationStep:
    """Return `(params, batch) -> Outputs`, without dropout.

    Where several devices share the batch, the outputs are of this device's dialogues.
    """

    def evaluation_step(params: PyTree, batch: Any) -> Outputs:
        batch = part_of(batch) if in_parts else batch
        return apply(params, batch, dict.fromkeys(batch.domain, 0.0), None)

    return evaluation_step
