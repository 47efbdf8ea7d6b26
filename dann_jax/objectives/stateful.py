"""From an objective on outputs to one that calls the network itself."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
from jaxtyping import Float

from dann_jax.types import (
    Apply,
    Array,
    Metrics,
    Objective,
    Outputs,
    PyTree,
    Scalar,
    StatefulObjective,
)


def from_outputs(objective: Objective | StatefulObjective) -> StatefulObjective:
    """Lift a function of the outputs: one forward pass, no state.

    A `StatefulObjective` is returned unchanged.
    """
    if isinstance(objective, StatefulObjective):
        return objective

    def apply(
        forward: Apply,
        params: PyTree,
        batch: Any,
        strength: Mapping[str, Scalar],
        key: Array | None,
        state: PyTree,
    ) -> tuple[Float[Array, ""], tuple[Metrics, PyTree]]:
        loss, metrics = objective(
            forward(params, batch, strength, key), batch, strength
        )
        return loss, (metrics, state)

    return StatefulObjective(stateless, apply)


def stateless(outputs: Outputs) -> tuple[()]:
    """The empty state of an objective without one."""
    del outputs
    return ()


def heads_of(names: Iterable[str], params: Mapping[str, Any]) -> list[str]:
    """Top-level parameters that belong to the heads of these names.

    A head is `NAME_head`, or several of them, `NAME_head_0` and on.
    """
    head_names = [f"{name}_head" for name in names]
    return [
        part
        for part in params
        if any(part == head or part.startswith(f"{head}_") for head in head_names)
    ]


def frozen(params: Mapping[str, Any], parts: Iterable[str]) -> dict[str, Any]:
    """The same parameters, of which these parts are constants to the gradient."""
    constants = {part: jax.lax.stop_gradient(params[part]) for part in parts}
    return {**params, **constants}
