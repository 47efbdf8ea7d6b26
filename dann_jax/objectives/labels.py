"""Objectives: what is minimised, as functions `(outputs, batch, strength) -> loss`.

A constructor binds the hyper-parameters and returns an `Objective`. They work on the
outputs of any model that fills `Outputs`.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from dann_jax.losses import cross_entropy, masked_mean
from dann_jax.types import Array, Metrics, Objective, Outputs, Scalar


def _classification(
    logits: Array, labels: Array, smoothing: float = 0.0
) -> tuple[Array, Array]:
    """Mean loss and accuracy over the rows that have a label."""
    losses, known = cross_entropy(logits=logits, labels=labels, smoothing=smoothing)
    hits = (jnp.argmax(logits, -1) == labels).astype(jnp.float32)
    return masked_mean(losses, known), masked_mean(hits, known)


def source_only(*, label_smoothing: float = 0.0) -> Objective:
    """Cross-entropy of the labelled rows and nothing else.

    Args:
      label_smoothing: share of the target spread over all classes, in [0, 1).
    """

    def objective(
        outputs: Outputs, batch: Any, strength: Mapping[str, Scalar]
    ) -> tuple[Array, Metrics]:
        del strength
        loss, accuracy = _classification(
            outputs.label_logits, batch.label, label_smoothing
        )
        return loss, {"loss/label": loss, "accuracy/label": accuracy}

    return objective


def dann(*, label_smoothing: float = 0.0) -> Objective:
    """Cross-entropy of the labels plus that of every adversary behind its reversal.

    `L = mean_labelled CE(g(z), y) + sum_a mean_a CE(h_a(R_s(z)), d_a)`. The strength
    has already scaled what reaches the encoder (see `reverse_gradient`), so that each
    domain head learns at full speed. With every strength 0 the encoder and the
    emotion head are trained exactly as by `source_only`.

    Args:
      label_smoothing: share of the emotion target spread over all classes.

    Reference:
      Ganin et al., JMLR 17 (2016), equation 9; Lian et al. 2019 (1910.13807) with
      speakers as domains and unlabelled rows in the second term.
    """
    label_objective = source_only(label_smoothing=label_smoothing)

    def objective(
        outputs: Outputs, batch: Any, strength: Mapping[str, Scalar]
    ) -> tuple[Array, Metrics]:
        loss, metrics = label_objective(outputs, batch, strength)
        for name, logits in outputs.domain_logits.items():
            domain_loss, accuracy = _classification(logits, batch.domain[name])
            loss = loss + domain_loss
            metrics[f"loss/{name}"] = domain_loss
            metrics[f"accuracy/{name}"] = accuracy
        return loss, metrics

    return objective


OBJECTIVES = {"source_only": source_only, "dann": dann}
"""The word in a config -> the constructor of an objective."""
