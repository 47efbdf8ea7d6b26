"""What each head's loss does to the encoder: sizes and directions of gradients."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dann_jax.objectives.stateful import from_outputs
from dann_jax.types import (
    Apply,
    Array,
    Metrics,
    Objective,
    PyTree,
    Scalar,
    StatefulObjective,
)

_PART = "loss/"
_LABEL = "loss/label"


def require_label_loss(metrics: Collection[str]) -> None:
    """Refuse the metrics of an objective without the loss of the labelled rows.

    Args:
      metrics: names of all.

    Raises:
      ValueError: `loss/label` is not among them.
    """
    if _LABEL not in metrics:
        raise ValueError(
            f"the metrics of the objective lack {_LABEL!r}, the loss of the labelled "
            f"rows, which a run logs: return it beside the loss, as source_only does; "
            f"there are {', '.join(sorted(metrics)) or 'none'}"
        )


def encoder_gradients(
    apply: Apply,
    objective: Objective | StatefulObjective,
    params: PyTree,
    batch: Any,
    strength: Mapping[str, Scalar],
    key: Array | None = None,
    *,
    objective_state: PyTree = (),
    total: Callable[[PyTree], PyTree] = lambda gradients: gradients,
    encoder: str = "encoder",
) -> Metrics:
    """Norms of the gradients that reach the encoder, and whether they agree.

    The parts of an objective are those that it logs as `loss/NAME`: the label's and
    one for each adversary. Penalties are not among them. What a `StatefulObjective`
    logs need not add up to what it minimises, so that it has two parts: `label`, and
    `others`, the rest of its total. Pure: it can be jitted and mapped over replicas.
    It costs one forward pass and one backward pass for each part.

    Args:
      apply: the network.
      objective: what is minimised; it logs `loss/label`.
      params: its parameters, a mapping with the entry `encoder`.
      batch: any.
      strength: adversary -> current strength. With 0 nothing of it reaches the encoder.
      key: of the dropout; none without.
      objective_state: the state of the objective, if it has one.
      total: of gradients, where several devices share the batch.
      encoder: the entry of `params` that is the encoder.

    Returns:
      `gradient/NAME` for each part, the norm of its gradient over all parameters of
      the encoder, reversal included; `cosine/NAME` for each but the label, between
      its gradient and the label's, 0 where either is zero. Below 0 the adversary
      undoes what the label asks for.

    Raises:
      ValueError: `params` has no entry `encoder`, or the objective logs no
        `loss/label`.
    """
    if encoder not in params:
        raise ValueError(f"no {encoder!r} in the parameters; there are {list(params)}")

    lifted = from_outputs(objective)

    def parts(encoder_params: PyTree) -> Metrics:
        loss, (metrics, _) = lifted.apply(
            apply,
            {**params, encoder: encoder_params},
            batch,
            strength,
            key,
            objective_state,
        )
        require_label_loss(metrics)
        if lifted is objective:
            label = metrics[_LABEL]
            return {"label": label, "others": loss - label}
        return {
            name.removeprefix(_PART): value
            for name, value in metrics.items()
            if name.startswith(_PART)
        }

    gradients = total(jax.jacrev(parts)(params[encoder]))
    norms = {name: optax.global_norm(tree) for name, tree in gradients.items()}
    label = gradients["label"]
    report: Metrics = {f"gradient/{name}": norm for name, norm in norms.items()}
    for name in gradients.keys() - {"label"}:
        size = norms[name] * norms["label"]
        inner = optax.tree.vdot(gradients[name], label)
        report[f"cosine/{name}"] = jnp.where(
            size > 0.0, inner / jnp.where(size > 0.0, size, 1.0), 0.0
        )
    return report
