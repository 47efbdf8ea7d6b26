"""Group distributionally robust optimisation: weights follow the worst domain."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from dann_jax.objectives.labels import source_only
from dann_jax.objectives.losses import masked_mean
from dann_jax.objectives.penalties import domain_risks
from dann_jax.types import (
    Apply,
    Array,
    Metrics,
    Outputs,
    PyTree,
    Scalar,
    StatefulObjective,
)
from dann_jax.utils.arguments import Rate, Weight


def group_dro(
    *, step_size: Weight = 0.01, label_smoothing: Rate = 0.0
) -> StatefulObjective:
    """Mean of the domains' label losses with weights that grow with the losses.

    The weights are the state: `q_d <- q_d exp(step_size * loss_d)`, scaled to sum 1.
    The loss is `(1 - s) L + s sum_d q_d loss_d / sum_d q_d` over the domains with
    labelled rows in the batch, so that strength 1 is GroupDRO and 0 source-only.

    Args:
      step_size: of the weights, >= 0.
      label_smoothing: share of the target spread over all classes, in `L` alone.

    Reference:
      Sagawa et al., "Distributionally Robust Neural Networks for Group Shifts", ICLR
      2020, algorithm 1.
    """
    label_objective = source_only(label_smoothing=label_smoothing)

    def init(outputs: Outputs) -> dict[str, Array]:
        return {
            name: jnp.full(logits.shape[-1], 1.0 / logits.shape[-1])
            for name, logits in outputs.domain_logits.items()
        }

    def apply(
        forward: Apply,
        params: PyTree,
        batch: Any,
        strength: Mapping[str, Scalar],
        key: Array | None,
        state: dict[str, Array],
    ) -> tuple[Float[Array, ""], tuple[Metrics, dict[str, Array]]]:
        outputs = forward(params, batch, strength, key)
        mean, metrics = label_objective(outputs, batch, strength)
        loss, weights = mean, {}
        for name, old in state.items():
            risks, present = domain_risks(outputs, batch, name)
            # Of absent domains the risk is 0, and only the scale changes.
            growth = step_size * jax.lax.stop_gradient(risks)
            weights[name] = jax.nn.softmax(jnp.log(old) + growth)
            worst = masked_mean(risks, jnp.where(present, weights[name], 0.0))
            loss = loss + strength[name] * (worst - mean)
            metrics[f"group_dro/{name}"] = worst
        return loss, (metrics, weights)

    return StatefulObjective(init, apply)
