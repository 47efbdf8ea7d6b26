"""Schedules: optimiser step -> value, for adversary strength and learning rate.

Each constructor returns a pure function, so a schedule can be traced, mapped and
restarted at any step. Learning rates that optax has already are not repeated here.
"""

from typing import Annotated

import jax.numpy as jnp

from dann_jax.types import Array, Scalar, Schedule
from dann_jax.utils.arguments import Range, Share


def _progress(step: Scalar, total_steps: int) -> Array:
    """Fraction of training done, clipped to [0, 1]."""
    return jnp.clip(jnp.asarray(step, jnp.float32) / total_steps, 0.0, 1.0)


def _require_steps(total_steps: int) -> None:
    if total_steps < 1:
        raise ValueError(f"total_steps must be at least 1, got {total_steps}")


def ganin_strength(
    total_steps: int,
    *,
    gamma: Annotated[float, Range(0, low_inside=False), Range(high=1e3)] = 10.0,
) -> Schedule:
    """Rise smoothly from 0 to 1: `2 / (1 + exp(-gamma p)) - 1`, `p` = step / total.

    Early in training the domain head knows nothing, and reversing its gradient would
    only add noise to the encoder.

    Args:
      total_steps: optimiser steps of the whole run, at least 1.
      gamma: steepness, > 0.

    Returns:
      A schedule with values in [0, 1).

    Example:
      >>> strength = ganin_strength(100)
      >>> round(float(strength(0)), 3), round(float(strength(50)), 3)
      (0.0, 0.987)

    Reference:
      Ganin et al., JMLR 17 (2016), section 5.2.2.
    """
    _require_steps(total_steps)
    if gamma <= 0:
        raise ValueError(f"gamma must be above 0, got {gamma}")

    def schedule(step: Scalar) -> Array:
        # tanh(x / 2) is 2 / (1 + exp(-x)) - 1 without the cancellation near zero.
        return jnp.tanh(gamma * _progress(step, total_steps) / 2.0)

    return schedule


def constant(total_steps: int) -> Schedule:
    """Full strength from the first step to the last.

    Example:
      >>> float(constant(100)(3))
      1.0
    """
    _require_steps(total_steps)
    return lambda step: jnp.ones_like(jnp.asarray(step, jnp.float32))


def linear(total_steps: int) -> Schedule:
    """Rise from 0 to 1 in a straight line over the whole run.

    Example:
      >>> float(linear(100)(25))
      0.25
    """
    _require_steps(total_steps)
    return lambda step: _progress(step, total_steps)


def warmup_hold(total_steps: int, *, start: Share = 0.0, end: Share = 0.5) -> Schedule:
    """0 until `start`, a straight line up to 1 at `end`, then held there.

    Args:
      total_steps: optimiser steps of the whole run, at least 1.
      start: fraction of the run at which the rise begins.
      end: fraction at which it is complete; `0 <= start < end <= 1`.

    Example:
      >>> strength = warmup_hold(100, start=0.2, end=0.6)
      >>> [round(float(strength(step)), 2) for step in (10, 40, 80)]
      [0.0, 0.5, 1.0]
    """
    _require_steps(total_steps)
    if not 0 <= start < end <= 1:
        raise ValueError(f"need 0 <= start < end <= 1, got {start=} {end=}")

    def schedule(step: Scalar) -> Array:
        rise = (_progress(step, total_steps) - start) / (end - start)
        return jnp.clip(rise, 0.0, 1.0)

    return schedule


def ganin_learning_rate(
    total_steps: int, *, base: float = 0.01, alpha: float = 10.0, beta: float = 0.75
) -> Schedule:
    """Fall as `base / (1 + alpha p) ** beta`, `p` = step / total.

    Example:
      >>> round(float(ganin_learning_rate(100)(100)), 5)
      0.00166

    Reference:
      Ganin et al., JMLR 17 (2016), section 5.2.2.
    """
    _require_steps(total_steps)
    return lambda step: base / (1.0 + alpha * _progress(step, total_steps)) ** beta


STRENGTH_SCHEDULES = {
    "ganin": ganin_strength,
    "constant": constant,
    "linear": linear,
    "warmup_hold": warmup_hold,
}
"""The word in a config -> the constructor of a strength schedule."""
