"""Masked losses over a whole batch, safe to differentiate."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Shaped

from dann_jax.objectives.losses import entropy, masked_mean, softened
from dann_jax.types import Array


def certainty_weights(logits: Float[Array, "*rows classes"]) -> Float[Array, "*rows"]:
    """`1 + exp(-H)`: 2 for a certain row, `1 + 1 / classes` for a uniform one.

    Args:
      logits: float `[..., classes]`.

    Returns:
      Weights `[...]`; `masked_mean` normalises them.

    Reference:
      Long et al., "Conditional Adversarial Domain Adaptation", NeurIPS 2018, section
      3.3.
    """
    return 1.0 + jnp.exp(-entropy(logits))


def information_loss(
    logits: Float[Array, "*rows classes"], mask: Shaped[Array, "*rows"]
) -> Float[Array, ""]:
    """Mean entropy of the rows less the entropy of their mean; minus the information.

    Lowest, `-log(classes)`, where every row is certain and all classes are equally
    frequent: unlike entropy alone it does not reward putting all rows in one class.

    Args:
      logits: float `[..., classes]`.
      mask: bool or float weights `[...]`.

    Returns:
      Scalar in `[-log(classes), 0]`.

    Reference:
      Krause et al., "Discriminative Clustering by Regularized Information
      Maximization", NeurIPS 2010, section 3.
    """
    logits = _kept(logits, mask)
    chances = jax.nn.softmax(logits)
    mean = jax.vmap(masked_mean, (-1, None))(chances, mask)
    mixed = -jnp.sum(mean * jnp.log(jnp.maximum(mean, jnp.finfo(mean.dtype).tiny)))
    return masked_mean(entropy(logits), mask) - mixed


def class_confusion(
    logits: Float[Array, "*rows classes"],
    mask: Shaped[Array, "*rows"],
    *,
    temperature: float = 2.5,
) -> Float[Array, ""]:
    """Confusion between classes, estimated from the posteriors alone.

    `C = Y' W Y` for softened posteriors `Y` and weights `W` that favour certain rows,
    each row of `C` scaled to sum 1; the loss is the mean of what is off its diagonal.

    Args:
      logits: float `[..., classes]`.
      mask: bool `[...]`, the rows to use.
      temperature: > 0.

    Returns:
      Scalar in [0, 1].

    Reference:
      Jin et al., "Minimum Class Confusion for Versatile Domain Adaptation", ECCV 2020,
      equations 3 to 6.
    """
    classes = logits.shape[-1]
    logits = softened(_kept(logits, mask).reshape(-1, classes), temperature)
    mask = jnp.asarray(mask, logits.dtype).reshape(-1)
    chances = jax.nn.softmax(logits)
    # Scaling all weights alike would change nothing: the rows of C are normalised.
    weight = mask * jax.lax.stop_gradient(certainty_weights(logits))
    confusion = chances.T @ (weight[:, None] * chances)
    total = jnp.sum(confusion, -1, keepdims=True)
    # Of a class that no row gives a chance, the inverse square must not overflow.
    empty = total < 1e-18
    confusion = jnp.where(empty, 0.0, confusion / jnp.where(empty, 1.0, total))
    off_diagonal = confusion * (1.0 - jnp.eye(classes))
    return jnp.sum(off_diagonal) / classes


def concordance(
    prediction: Float[Array, "*rows"],
    truth: Float[Array, "*rows"],
    mask: Shaped[Array, "*rows"],
) -> Float[Array, ""]:
    """Concordance correlation: 1 only where the prediction is the truth itself.

    `2 cov / (var_x + var_y + (mean_x - mean_y)^2)`, with population moments.

    Args:
      prediction: float `[...]`.
      truth: float `[...]`.
      mask: bool or float weights `[...]`.

    Returns:
      Scalar in [-1, 1]; 0 where both are the same constant or the mask is empty.

    Example:
      >>> x, everything = jnp.array([1.0, 2.0, 3.0]), jnp.ones(3)
      >>> round(float(concordance(x, x + 1.0, everything)), 4)
      0.5714

    Reference:
      Lin, "A Concordance Correlation Coefficient to Evaluate Reproducibility",
      Biometrics 45 (1989), equation 2.
    """
    kept = jnp.asarray(mask, bool)
    x, y = jnp.where(kept, prediction, 0.0), jnp.where(kept, truth, 0.0)
    mean_x, mean_y = masked_mean(x, mask), masked_mean(y, mask)
    covariance = masked_mean((x - mean_x) * (y - mean_y), mask)
    spread = masked_mean((x - mean_x) ** 2 + (y - mean_y) ** 2, mask)
    spread = spread + (mean_x - mean_y) ** 2
    return 2.0 * covariance / jnp.where(spread > 0, spread, 1.0)


def _kept(
    logits: Float[Array, "*rows classes"], mask: Shaped[Array, "*rows"]
) -> Float[Array, "*rows classes"]:
    """Logits with 0 where the mask hides them: a masked NaN has a NaN gradient."""
    return jnp.where(jnp.asarray(mask, bool)[..., None], logits, 0.0)
