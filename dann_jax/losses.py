"""Per-row losses and the one reduction. Unreduced, masked, and safe to differentiate.

Arguments are keyword-only where two of them could be swapped without an error.
"""

import jax
import jax.numpy as jnp
import optax

from dann_jax.types import UNKNOWN, Array


def masked_mean(values: Array, mask: Array) -> Array:
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
    *, logits: Array, labels: Array, smoothing: float = 0.0
) -> tuple[Array, Array]:
    """Softmax cross-entropy of each row, and which rows have a label.

    Rows whose label is `UNKNOWN` get loss 0 and gradient 0, whatever their logits
    (a NaN that is masked only after the loss would still have a NaN gradient).

    Args:
      logits: float `[..., classes]`, unnormalised.
      labels: int `[...]` in `0 ... classes - 1`, or `UNKNOWN`.
      smoothing: share of the target spread evenly over the classes, in [0, 1).

    Returns:
      Losses `[...]` in nats and a bool mask `[...]`.

    Example:
      >>> import jax.numpy as jnp
      >>> labels = jnp.array([1, -1])
      >>> loss, known = cross_entropy(logits=jnp.zeros((2, 4)), labels=labels)
      >>> [round(float(x), 4) for x in loss], known.tolist()
      ([1.3863, 0.0], [True, False])
    """
    known = labels != UNKNOWN
    safe_logits = jnp.where(known[..., None], logits, 0.0)
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
    losses = optax.softmax_cross_entropy(safe_logits, targets)
    return jnp.where(known, losses, 0.0), known
