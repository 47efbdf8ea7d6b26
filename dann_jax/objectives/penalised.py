"""Add penalties to an objective, each with its strength.

A penalty that is `on` an adversary by name has a strength of its own, under the
penalty's key, and so can be an arm.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from dann_jax.objectives.penalties import (
    Penalty,
    conditional_mmd,
    coral,
    entropy_minimisation,
    information_maximisation,
    labels_of,
    mcc,
    mmd,
    soft_labels,
    vrex,
)
from dann_jax.types import Array, Metrics, Objective, Outputs, Scalar
from dann_jax.utils.arguments import Weight, call_checked
from dann_jax.utils.named import lookup

PENALTIES = {
    "coral": coral,
    "mmd": mmd,
    "conditional_mmd": conditional_mmd,
    "mcc": mcc,
    "entropy_minimisation": entropy_minimisation,
    "information_maximisation": information_maximisation,
    "vrex": vrex,
    "soft_labels": soft_labels,
    "labels_of": labels_of,
}
"""Name in a config -> the constructor of a penalty."""


OF_FEATURES = ("coral", "mmd")
"""Penalties that need no classes."""


def penalised(
    objective: Objective, penalties: Mapping[str, Mapping[str, Any]]
) -> Objective:
    """An objective plus `strength * weight * penalty` for every domain column.

    Args:
      objective: what it is added to.
      penalties: key -> arguments of the penalty, and beside them `name`, a key of
        `PENALTIES` (by default the same key) or `package.module:Name`, `weight` (1 by
        default), `on` and `skip_idle`: not to compute it in a step in which its
        strength is 0, where its metric then says 0. A penalty that is `on` an adversary
        uses only the column of that adversary, and `strength[key]`; any other uses
        every column, and `strength[column]`.

    Raises:
      ValueError: there is no such penalty.
    """
    terms = {
        key: call_checked(f"penalty {key!r}", _term, key, **options)
        for key, options in penalties.items()
    }

    def with_penalties(
        outputs: Outputs, batch: Any, strength: Mapping[str, Scalar]
    ) -> tuple[Float[Array, ""], Metrics]:
        loss, metrics = objective(outputs, batch, strength)
        for key, (penalty, weight, on, skip_idle) in terms.items():
            for name in [on] if on else outputs.domain_logits:
                scale = jnp.asarray(strength[key if on else name])
                compute = functools.partial(penalty, outputs, batch, name)
                value = (
                    jax.lax.cond(scale != 0, compute, lambda: jnp.zeros(()))
                    if skip_idle
                    else compute()
                )
                loss = loss + scale * weight * value
                metrics[f"{key}/{name}"] = value
        return loss, metrics

    return with_penalties if terms else objective


def _term(
    key: str,
    *,
    name: str = "",
    weight: Weight = 1.0,
    on: str = "",
    skip_idle: bool = False,
    **options: Any,
) -> tuple[Penalty, float, str, bool]:
    penalty = lookup(f"penalty {key!r}", name or key, PENALTIES)
    made = call_checked(f"penalty {key!r}", penalty, **options)
    return made, weight, on, skip_idle


def penalty_strength_names(objective: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the strengths, beside the adversaries', that an objective uses.

    Args:
      objective: `name` and options of an objective, as in a config; those of it and
        its penalties that are `on` an adversary have a strength of their own name.

    Raises:
      ValueError: a penalty has something else than arguments.

    Example:
      >>> penalties = {"soft_labels": {"on": "style", "target": 1}, "coral": {}}
      >>> penalty_strength_names({"name": "dann", "penalties": penalties})
      ('soft_labels',)
    """
    terms = {objective["name"]: objective, **objective.get("penalties", {})}
    for key, options in terms.items():
        if not isinstance(options, Mapping):
            raise ValueError(
                f"penalty {key!r} must have arguments, such as {{'on': 'speaker'}}, "
                f"got {options!r}"
            )
    return tuple(key for key, options in terms.items() if options.get("on"))
