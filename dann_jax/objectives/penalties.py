"""Penalties: loss terms scaled by a strength, beside or in place of an adversary.

A penalty looks at one domain column: `(outputs, batch, name) -> scalar`. The rows that
take part are those with a domain in it. `mcc` and its like take the unlabelled ones
among them for the target; `labels_of` and `soft_labels` learn from labelled rows.
`penalised.py` adds them to an objective.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int, Shaped

from dann_jax.objectives import discrepancy
from dann_jax.objectives.batch_losses import class_confusion, information_loss
from dann_jax.objectives.discrepancy import MULTIPLES
from dann_jax.objectives.groups import group_means, members
from dann_jax.objectives.losses import (
    cross_entropy,
    entropy,
    masked_mean,
    rater_shares,
    soft_cross_entropy,
    softened,
)
from dann_jax.types import UNKNOWN, Array, Outputs
from dann_jax.utils.arguments import Positive, Rate

Penalty = Callable[[Outputs, Any, str], Array]
"""`(outputs, batch, domain column) -> scalar`."""


def coral() -> Penalty:
    """Distance of the domains' covariances; see `objectives.discrepancy.coral`."""

    def penalty(outputs: Outputs, batch: Any, name: str) -> Float[Array, ""]:
        return discrepancy.coral(outputs.features, groups_of(outputs, batch, name))

    return penalty


def mmd(
    *,
    multiples: tuple[Positive, ...] = MULTIPLES,
    scale: Positive | Literal["mean"] = "mean",
) -> Penalty:
    """Maximum mean discrepancy of the domains; see `objectives.discrepancy.mmd`."""

    def penalty(outputs: Outputs, batch: Any, name: str) -> Float[Array, ""]:
        groups = groups_of(outputs, batch, name)
        return discrepancy.mmd(
            outputs.features, groups, multiples=multiples, scale=scale
        )

    return penalty


def conditional_mmd(
    *,
    multiples: tuple[Positive, ...] = MULTIPLES,
    scale: Positive | Literal["mean"] = "mean",
) -> Penalty:
    """The same class by class, unlabelled rows by their posterior."""

    def penalty(outputs: Outputs, batch: Any, name: str) -> Float[Array, ""]:
        return discrepancy.conditional_mmd(
            outputs.features,
            groups_of(outputs, batch, name),
            class_weights(outputs.label_logits, batch.label),
            multiples=multiples,
            scale=scale,
        )

    return penalty


def mcc(*, temperature: Positive = 2.5) -> Penalty:
    """Class confusion of the unlabelled rows; see `class_confusion`."""

    def penalty(outputs: Outputs, batch: Any, name: str) -> Float[Array, ""]:
        rows = unlabelled(batch, name)
        return class_confusion(outputs.label_logits, rows, temperature=temperature)

    return penalty


def entropy_minimisation() -> Penalty:
    """Mean entropy of the posteriors of the unlabelled rows.

    Reference:
      Grandvalet and Bengio, "Semi-supervised Learning by Entropy Minimization",
      NeurIPS 2004, equation 5.
    """

    def penalty(outputs: Outputs, batch: Any, name: str) -> Float[Array, ""]:
        rows = unlabelled(batch, name)
        logits = jnp.where(rows[..., None], outputs.label_logits, 0.0)
        return masked_mean(entropy(logits), rows)

    return penalty


def information_maximisation() -> Penalty:
    """Certain rows and balanced classes among the unlabelled; `information_loss`."""

    def penalty(outputs: Outputs, batch: Any, name: str) -> Float[Array, ""]:
        return information_loss(outputs.label_logits, unlabelled(batch, name))

    return penalty


def vrex() -> Penalty:
    """Variance over the domains of their mean label losses.

    The objective is then `mean loss + strength * variance`; the strength is the paper's
    beta, and may be far above 1.

    Reference:
      Krueger et al., "Out-of-Distribution Generalization via Risk Extrapolation", ICML
      2021, equation 8; the mean is over rows here, not over domains.
    """

    def penalty(outputs: Outputs, batch: Any, name: str) -> Float[Array, ""]:
        risks, present = domain_risks(outputs, batch, name)
        return masked_mean((risks - masked_mean(risks, present)) ** 2, present)

    return penalty


def soft_labels(*, target: int, temperature: Positive = 2.0) -> Penalty:
    """Let labelled target rows of a class answer as source rows of the class do.

    The mean softened posterior of the source's labelled rows of a class, over the
    batch and constant to the gradient, is the target for the softened posterior of
    that class's labelled target rows. A class without source rows costs nothing.

    Args:
      target: which id of the domain column is the target; all others are the source.
      temperature: > 0, of both posteriors.

    Reference:
      Tzeng et al., "Simultaneous Deep Transfer Across Domains and Tasks", ICCV 2015,
      section 3.2.
    """

    def penalty(outputs: Outputs, batch: Any, name: str) -> Float[Array, ""]:
        domain, label = batch.domain[name], batch.label
        rows = (domain != UNKNOWN) & (label != UNKNOWN)
        logits = jnp.where(rows[..., None], outputs.label_logits, 0.0)
        chances = jax.lax.stop_gradient(jax.nn.softmax(softened(logits, temperature)))
        teaches = rows & (domain != target)
        source = members(label, logits.shape[-1]) & teaches[None]
        # [class of the rows, probability of each class]
        means = jax.vmap(jax.vmap(masked_mean, (-1, None)), (None, 0))(chances, source)
        answerable = jnp.any(source.reshape(len(source), -1), -1)
        asked = rows & (domain == target) & answerable[label]
        losses = soft_cross_entropy(
            logits=logits, targets=means[label], temperature=temperature
        )
        return masked_mean(losses, asked)

    return penalty


def labels_of(
    *,
    domains: Sequence[int],
    instead_of: Sequence[int] = (),
    label_smoothing: Rate = 0.0,
) -> Penalty:
    """The label loss of some domains less that of others, whose place it takes.

    With a strength of 1 labels of the others no longer count; a strength that rises
    late in training is fine-tuning.

    Args:
      domains: ids of the domain column.
      instead_of: those that it takes the place of; all labelled rows by default, for
        which an objective's own loss stands.
      label_smoothing: as in the objective.

    Example:
      With `L`, `S` and `T` the mean loss of all labelled rows, the source's and the
      target's, `domains=(source,)` at strength 1 makes `L + (S - L) = S` of `L`, and
      `domains=(target,), instead_of=(source,)` beside it `(1 - s) S + s T`.
    """
    domains_used, others = jnp.asarray(domains), jnp.asarray(instead_of, jnp.int32)

    def penalty(outputs: Outputs, batch: Any, name: str) -> Float[Array, ""]:
        losses, known = cross_entropy(
            logits=outputs.label_logits,
            labels=batch.label,
            smoothing=label_smoothing,
            shares=rater_shares(batch),
        )
        ids = batch.domain[name]
        replaced = known & jnp.isin(ids, others) if instead_of else known
        mean = masked_mean(losses, known & jnp.isin(ids, domains_used))
        return mean - masked_mean(losses, replaced)

    return penalty


def groups_of(
    outputs: Outputs, batch: Any, name: str
) -> Shaped[Array, " groups *rows"]:
    """Which rows are of which domain, bool `[domains, ...]`."""
    return members(batch.domain[name], outputs.domain_logits[name].shape[-1])


def unlabelled(batch: Any, name: str) -> Array:
    """Rows that take part without a label, bool `[...]`."""
    return (batch.label == UNKNOWN) & (batch.domain[name] != UNKNOWN)


def class_weights(
    logits: Float[Array, "*rows classes"], labels: Int[Array, "*rows"]
) -> Float[Array, "*rows classes"]:
    """How much each row counts for each class: its label, or else its posterior.

    Constants to the gradient; float `[..., classes]`.
    """
    known = (labels != UNKNOWN)[..., None]
    posterior = jax.nn.softmax(jnp.where(known, 0.0, logits))
    one_hot = jax.nn.one_hot(labels, logits.shape[-1])
    return jax.lax.stop_gradient(jnp.where(known, one_hot, posterior))


def domain_risks(outputs: Outputs, batch: Any, name: str) -> tuple[Array, Array]:
    """Mean label loss of every domain.

    Args:
      outputs: of the network.
      batch: of the same rows.
      name: of the domain column.

    Returns:
      Losses `[domains]`, 0 without labelled rows, and bool `[domains]`: whether there
      are any.
    """
    losses, known = cross_entropy(
        logits=outputs.label_logits, labels=batch.label, shares=rater_shares(batch)
    )
    return group_means(losses, groups_of(outputs, batch, name) & known[None])
