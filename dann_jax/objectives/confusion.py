"""Domain confusion: the encoder is trained to make the domain posterior uniform."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float

from dann_jax.objectives.adversarial import dann
from dann_jax.objectives.losses import masked_mean, uniform_cross_entropy
from dann_jax.objectives.stateful import frozen, heads_of, stateless
from dann_jax.types import (
    UNKNOWN,
    Apply,
    Array,
    Metrics,
    PyTree,
    Scalar,
    StatefulObjective,
)
from dann_jax.utils.arguments import Rate, Weight


def confusion(
    *,
    on: str = "",
    reversal: Weight = 0.0,
    label_smoothing: Rate = 0.0,
    label_balanced: bool = False,
    penalties: Mapping[str, Mapping[str, Any]] = {},
) -> StatefulObjective:
    """Domain heads learn as classifiers; the encoder makes their outputs uniform.

    With reversal the loss of the encoder is lowest when the head is wrong; here, when
    the head is undecided. Its gradient, times the strength, comes through the frozen
    head.

    Args:
      on: an adversary; it alone is to be confused, by a strength of its own,
        `confusion`. Otherwise all are, by their own strengths.
      reversal: share of the strength with which the heads' own loss is reversed into
        the encoder as well; 0 for confusion alone.
      label_smoothing: share of the emotion target spread over all classes.
      label_balanced: give each class the same weight in the emotion loss.
      penalties: more terms; see `penalised`.

    Reference:
      Tzeng et al., "Simultaneous Deep Transfer Across Domains and Tasks", ICCV 2015,
      equations 2 to 4; with `reversal` and the penalty `soft_labels` the three losses
      of Li et al. 2021 (2104.01978).
    """
    learning = dann(
        label_smoothing=label_smoothing,
        label_balanced=label_balanced,
        penalties=penalties,
    )

    def apply(
        forward: Apply,
        params: PyTree,
        batch: Any,
        strength: Mapping[str, Scalar],
        key: Array | None,
        state: PyTree,
    ) -> tuple[Float[Array, ""], tuple[Metrics, PyTree]]:
        reversed_by = {name: reversal * s for name, s in strength.items()}
        loss, metrics = learning(
            forward(params, batch, reversed_by, key), batch, strength
        )
        # A reversal of negative strength passes the gradient on as it is. The second
        # pass costs its gradient only: the compiler computes equal values once.
        frozen_params = frozen(params, heads_of(strength, params))
        by = {on: strength["confusion"]} if on else strength
        negated = {name: -by.get(name, 0.0) for name in strength}
        frozen_outputs = forward(frozen_params, batch, negated, key)
        for name in [on] if on else frozen_outputs.domain_logits:
            logits = frozen_outputs.domain_logits[name]
            rows = batch.domain[name] != UNKNOWN
            logits = jnp.where(rows[..., None], logits, 0.0)
            term = masked_mean(uniform_cross_entropy(logits), rows)
            loss = loss + term
            metrics[f"confusion/{name}"] = term
        return loss, (metrics, state)

    return StatefulObjective(stateless, apply)
