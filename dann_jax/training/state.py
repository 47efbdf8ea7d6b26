"""Everything a run must keep to go on exactly where it stopped."""

import jax
import jax.numpy as jnp
import optax
from flax import struct

from dann_jax.types import PyTree


class TrainState(struct.PyTreeNode):
    """State of one replica (or, with leading axes, of all of them).

    Attributes:
      step: int32, optimiser steps taken.
      params: parameters, float32.
      opt_state: of the optimiser.
      average: exponential moving average of `params`; what is evaluated and kept.
      best: the `average` with the highest selection score so far, the later of equals;
        under the selection `last`, whose score is the step, the newest.
      best_score: its score, float32; -inf before the first evaluation.
      best_step: the step it was taken at, int32.
      key: root of the replica's randomness; a step folds its number in.
      objective: of the objective; empty where it has none.
    """

    step: jax.Array
    params: PyTree
    opt_state: PyTree
    average: PyTree
    best: PyTree
    best_score: jax.Array
    best_step: jax.Array
    key: jax.Array
    objective: PyTree = ()


def create_state(
    params: PyTree,
    optimizer: optax.GradientTransformation,
    key: jax.Array,
    objective: PyTree = (),
) -> TrainState:
    """The state before the first step.

    Args:
      params: arrays of any shape.
      optimizer: of these parameters.
      key: scalar PRNG key.
      objective: state of the objective.

    Example:
      >>> params = {"weight": jnp.ones((2, 3))}
      >>> state = create_state(params, optax.sgd(0.1), jax.random.key(0))
      >>> int(state.step), state.best["weight"].shape
      (0, (2, 3))
    """
    return TrainState(
        step=jnp.int32(0),
        params=params,
        opt_state=optimizer.init(params),
        average=params,
        best=params,
        best_score=jnp.float32(-jnp.inf),
        best_step=jnp.int32(0),
        key=key,
        objective=objective,
    )


def keep_best(state: TrainState, score: jax.Array) -> TrainState:
    """Remember the averaged parameters if no earlier `score` was higher.

    Of equals the later is kept: by then the adversary is at its full strength.

    Args:
      state: of one replica.
      score: scalar; higher is better.
    """
    better = score >= state.best_score

    def pick(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(better, new, old)

    return state.replace(
        best=jax.tree.map(pick, state.average, state.best),
        best_score=pick(score, state.best_score),
        best_step=pick(state.step, state.best_step),
    )
