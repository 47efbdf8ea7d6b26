"""Per-row losses and the one reduction. Unreduced, masked, and safe to differentiate.

Arguments are keyword-only where two of them could be swapped without an error.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Bool, Float, Int, Shaped

from dann_jax.types import UNKNOWN, Array


def masked_mean(
    values: Float[Array, "*rows"], mask: Shaped[Array, "*rows"]
) -> Float[Array, ""]:
    """Mean of `values` where `mask`; 0 where the mask is empty.

    Args:
      values: float `[...]`.
      mask: bool or float `[...]`; a float mask is a weight.

    Returns:
      Scalar.

    Example:
      >>> import jax.numpy as jnp
      >>> float(masked_mean(jnp.array([1.0, 5.0]), jnp.array([True, False])))
      1.0
    """
    weight = jnp.asarray(mask, values.dtype)
    # `where`, not a product: 0 * inf is NaN.
    total = jnp.sum(jnp.where(weight > 0, values * weight, 0.0))
    # The floor matters only for an empty mask, whose sum is 0.
    return total / jnp.maximum(jnp.sum(weight), jnp.finfo(values.dtype).tiny)


def cross_entropy(
    *,
    logits: Float[Array, "*rows classes"],
    labels: Int[Array, "*rows"],
    smoothing: float = 0.0,
    shares: Float[Array, "*rows classes"] | None = None,
) -> tuple[Float[Array, "*rows"], Bool[Array, "*rows"]]:
    """Softmax cross-entropy of each row, and which rows have a label.

    Rows whose label is `UNKNOWN` get loss 0 and gradient 0, whatever their logits
    (a NaN that is masked only after the loss would still have a NaN gradient).

    Args:
      logits: float `[..., classes]`, unnormalised.
      labels: int `[...]` in `0 ... classes - 1`, or `UNKNOWN`.
      smoothing: share of the target spread evenly over the classes, in [0, 1).
      shares: float `[..., classes]`, the share of the raters who named each class: soft
        targets of the rows with a label, in the place of all on one class. What the
        others hold means nothing.

    Returns:
      Losses `[...]` in nats and a bool mask `[...]`.

    Reference:
      Fayek et al., "Modeling Subjectiveness in Emotion Recognition", IJCNN 2016, for
      the shares of raters as soft labels.

    Example:
      >>> import jax.numpy as jnp
      >>> labels = jnp.array([1, -1])
      >>> loss, known = cross_entropy(logits=jnp.zeros((2, 4)), labels=labels)
      >>> [round(float(x), 4) for x in loss], known.tolist()
      ([1.3863, 0.0], [True, False])
    """
    known = labels != UNKNOWN
    safe_logits = jnp.where(known[..., None], logits, 0.0)
    targets = jax.nn.one_hot(labels, logits.shape[-1])
    if shares is not None:
        targets = jnp.where(known[..., None], shares, targets)
    targets = optax.smooth_labels(targets, smoothing)
    losses = optax.softmax_cross_entropy(safe_logits, targets)
    return jnp.where(known, losses, 0.0), known


def rater_shares(batch: Any) -> Array | None:
    """Soft labels of a batch, `[..., classes]`; None of one that has none."""
    return getattr(batch, "shares", None)


def entropy(logits: Float[Array, "*rows classes"]) -> Float[Array, "*rows"]:
    """Entropy of the softmax of each row, in nats.

    Args:
      logits: float `[..., classes]`.

    Returns:
      `[...]` in `[0, log(classes)]`.

    Example:
      >>> round(float(entropy(jnp.zeros(4))), 4)
      1.3863
    """
    logs = jax.nn.log_softmax(logits)
    chances = jnp.exp(logs)
    # 0 log 0 is 0.
    return -jnp.sum(chances * jnp.where(chances > 0, logs, 0.0), -1)


def uniform_cross_entropy(
    logits: Float[Array, "*rows classes"],
) -> Float[Array, "*rows"]:
    """Cross-entropy from the uniform distribution to the softmax of each row.

    Smallest, `log(classes)`, where the row says nothing: the confusion loss when the
    classes are domains.

    Args:
      logits: float `[..., classes]`.

    Returns:
      `[...]` in nats.

    Reference:
      Tzeng et al., "Simultaneous Deep Transfer Across Domains and Tasks", ICCV 2015,
      equation 3.
    """
    return -jnp.mean(jax.nn.log_softmax(logits), -1)


def softened(
    logits: Float[Array, "*rows classes"], temperature: float
) -> Float[Array, "*rows classes"]:
    """Logits over the temperature, shifted so that the largest of each row is 0.

    The shift changes no softmax. Without it a compiler that fuses the division with
    the softmax's own shift rounds them apart, and large logits overflow.

    Args:
      logits: float `[..., classes]`.
      temperature: > 0; above 1 it lets the small probabilities speak.
    """
    largest = jax.lax.stop_gradient(jnp.max(logits, -1, keepdims=True))
    return (logits - largest) / temperature


def soft_cross_entropy(
    *,
    logits: Float[Array, "*rows classes"],
    targets: Float[Array, "*rows classes"],
    temperature: float = 1.0,
) -> Float[Array, "*rows"]:
    """Cross-entropy from soft targets to the softened softmax of each row.

    Args:
      logits: float `[..., classes]`, divided by the temperature first.
      targets: probabilities `[..., classes]`.
      temperature: > 0.

    Returns:
      `[...]` in nats.

    Reference:
      Hinton et al., 1503.02531, section 2.
    """
    return optax.softmax_cross_entropy(softened(logits, temperature), targets)


def binary_cross_entropy(
    *, logits: Float[Array, "*rows"], labels: Int[Array, "*rows"]
) -> tuple[Float[Array, "*rows"], Bool[Array, "*rows"]]:
    """Cross-entropy of a yes-or-no answer, and which rows have one.

    Args:
      logits: float `[...]`, log-odds of 1.
      labels: int `[...]`: 0, 1 or `UNKNOWN`.

    Returns:
      Losses `[...]` in nats, 0 where unknown, and a bool mask `[...]`.

    Example:
      >>> loss, _ = binary_cross_entropy(logits=jnp.zeros(1), labels=jnp.array([1]))
      >>> round(float(loss[0]), 4)
      0.6931
    """
    known = labels != UNKNOWN
    safe_logits = jnp.where(known, logits, 0.0)
    losses = optax.sigmoid_binary_cross_entropy(safe_logits, labels)
    return jnp.where(known, losses, 0.0), known
