"""The part that every objective has: the loss of the labelled rows."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from dann_jax.objectives.batch_losses import concordance
from dann_jax.objectives.groups import balancing_weights
from dann_jax.objectives.losses import cross_entropy, masked_mean, rater_shares
from dann_jax.types import UNKNOWN, Array, Metrics, Objective, Outputs, Scalar
from dann_jax.utils.arguments import Rate


def source_only(
    *, label_smoothing: Rate = 0.0, label_balanced: bool = False
) -> Objective:
    """Cross-entropy of the labelled rows and nothing else.

    Where `batch.shares` has those of raters, they are its targets.

    Args:
      label_smoothing: share of the target spread over all classes, in [0, 1).
      label_balanced: give each class of the batch the same weight, however frequent
        it is (one over its frequency among the labelled rows); of soft labels, each
        class of the hard ones.

    Example:
      >>> from types import SimpleNamespace
      >>> import numpy as np
      >>> from dann_jax.types import Outputs
      >>> batch = SimpleNamespace(
      ...     label=np.array([0, 1, -1]), domain={"speaker": np.array([0, 1, 1])}
      ... )
      >>> zeros = np.zeros((3, 2))
      >>> outputs = Outputs(zeros, zeros, {"speaker": zeros})
      >>> loss, _ = source_only()(outputs, batch, {"speaker": 0.3})
      >>> round(float(loss), 3)  # the logarithm of 2
      0.693
    """

    def objective(
        outputs: Outputs, batch: Any, strength: Mapping[str, Scalar]
    ) -> tuple[Float[Array, ""], Metrics]:
        del strength
        logits, labels = outputs.label_logits, batch.label
        losses, weight = cross_entropy(
            logits=logits,
            labels=labels,
            smoothing=label_smoothing,
            shares=rater_shares(batch),
        )
        if label_balanced:
            weight = balancing_weights(labels, logits.shape[-1])
        loss = masked_mean(losses, weight)
        return loss, {"loss/label": loss, "accuracy/label": accuracy(logits, labels)}

    return objective


def regression() -> Objective:
    """`1 - ccc`, mean over the attributes, of rows that have a value.

    The label head predicts the attributes themselves: `label_logits` `[..., k]`
    against `batch.value` `[..., k]`, NaN where unknown. An attribute that fewer than
    two rows of the batch have is left out.

    Reference:
      Trigeorgis et al., "Adieu Features?", ICASSP 2016, for the concordance
      correlation as the loss.
    """

    def objective(
        outputs: Outputs, batch: Any, strength: Mapping[str, Scalar]
    ) -> tuple[Float[Array, ""], Metrics]:
        del strength
        known = ~jnp.isnan(batch.value)
        concordances = jax.vmap(concordance, (-1, -1, -1))(
            outputs.label_logits, batch.value, known
        )
        enough = jnp.sum(known.reshape(-1, known.shape[-1]), 0) >= 2
        loss = masked_mean(1.0 - concordances, enough)
        return loss, {
            "loss/label": loss,
            "ccc/label": masked_mean(concordances, enough),
        }

    return objective


def accuracy(
    logits: Float[Array, "*rows classes"], labels: Int[Array, "*rows"]
) -> Float[Array, ""]:
    """Share of the labelled rows that are classified correctly.

    Args:
      logits: float `[..., classes]`.
      labels: int `[...]`, `UNKNOWN` where a row has none.

    Returns:
      Scalar in [0, 1].
    """
    hits = (jnp.argmax(logits, -1) == labels).astype(jnp.float32)
    return masked_mean(hits, labels != UNKNOWN)
