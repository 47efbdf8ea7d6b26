"""Objectives with domain heads behind a reversal that is in the network."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from dann_jax.objectives.batch_losses import certainty_weights
from dann_jax.objectives.groups import balancing_weights, members
from dann_jax.objectives.labels import accuracy, regression, source_only
from dann_jax.objectives.losses import cross_entropy, masked_mean
from dann_jax.objectives.penalised import OF_FEATURES, penalised
from dann_jax.objectives.penalties import class_weights
from dann_jax.types import UNKNOWN, Array, Metrics, Objective, Outputs, Scalar
from dann_jax.utils.arguments import Rate

BALANCES = ("rows", "domains", "domains_and_classes")
"""Units of equal weight in a domain loss: rows, domains, or classes of domains."""


def dann(
    *,
    label_smoothing: Rate = 0.0,
    label_balanced: bool = False,
    balance: str = "rows",
    certainty: bool | Sequence[str] = False,
    penalties: Mapping[str, Mapping[str, Any]] = {},
) -> Objective:
    """Cross-entropy of the labels plus that of every adversary behind its reversal.

    `L = mean_labelled CE(g(z), y) + sum_a mean_a CE(h_a(R_s(z)), d_a)`. The strength
    has already scaled what reaches the encoder (see `reverse_gradient`), so that each
    domain head learns at full speed. With every strength 0 the encoder and the
    emotion head are trained exactly as by `source_only`, unless the optimiser clips
    (`clip_norm`) by a norm that counts the domain heads.

    Args:
      label_smoothing: share of the emotion target spread over all classes.
      label_balanced: give each class the same weight in the emotion loss.
      balance: units of equal weight in a domain loss: `rows`; `domains`, where some
        have many more rows than others; or `domains_and_classes`, so that an adversary
        cannot tell domains by their share of each class (unlabelled rows are one more
        class).
      certainty: weigh rows in the domain loss by `1 + exp(-entropy)` of their class
        posterior, of all adversaries or of those that are named; with a conditional
        head this is CDAN+E, without weights CDAN.
      penalties: more terms; see `penalised`.

    Example:
      >>> from types import SimpleNamespace
      >>> from dann_jax.types import Outputs
      >>> batch = SimpleNamespace(
      ...     label=jnp.array([0, 1, -1]), domain={"speaker": jnp.array([0, 1, 1])}
      ... )
      >>> zeros = jnp.zeros((3, 2))
      >>> outputs = Outputs(zeros, zeros, {"speaker": zeros})
      >>> loss, _ = dann()(outputs, batch, {"speaker": 0.3})
      >>> round(float(loss), 3)  # twice the logarithm of 2
      1.386

    Reference:
      Ganin et al., JMLR 17 (2016), equation 9; Lian et al. 2019 (1910.13807) with
      speakers as domains and unlabelled rows in the second term; Long et al., NeurIPS
      2018, equation 7 for `certainty`.
    """
    _require_balance(balance, BALANCES)
    label_objective = source_only(
        label_smoothing=label_smoothing, label_balanced=label_balanced
    )

    def weight_of(outputs: Outputs, batch: Any, name: str) -> Array:
        return _row_weights(outputs, batch, name, balance, certainty)

    return penalised(_with_adversaries(label_objective, weight_of), penalties)


def _require_balance(balance: str, words: tuple[str, ...]) -> None:
    if balance not in words:
        raise ValueError(f"unknown {balance=}; choose from {', '.join(words)}")


def _row_weights(
    outputs: Outputs,
    batch: Any,
    name: str,
    balance: str,
    certainty: bool | Sequence[str],
) -> Array:
    weight = _balanced(outputs, batch, name, balance)
    if certainty is True or (certainty and name in certainty):
        known = _known(outputs, batch, name)
        logits = jnp.where(known[..., None], outputs.label_logits, 0.0)
        weight = weight * jax.lax.stop_gradient(certainty_weights(logits))
    return weight


def _balanced(outputs: Outputs, batch: Any, name: str, balance: str) -> Array:
    ids, count = batch.domain[name], outputs.domain_logits[name].shape[-1]
    if balance == "rows":
        return _known(outputs, batch, name)
    if balance == "domains":
        return balancing_weights(ids, count)
    classes = outputs.label_logits.shape[-1] + 1
    # UNKNOWN is -1: unlabelled rows are class 0 of the pairs.
    pairs = jnp.where(ids == UNKNOWN, UNKNOWN, ids * classes + batch.label + 1)
    return balancing_weights(pairs, count * classes)


def ccc_regression(*, penalties: Mapping[str, Mapping[str, Any]] = {}) -> Objective:
    """`dann` for arousal, valence and dominance: see `regression` for its labels.

    Args:
      penalties: more terms, of those that need no classes; see `penalised`.

    Raises:
      ValueError: a penalty needs classes.

    Reference:
      Abdelwahab and Busso, "Domain Adversarial for Acoustic Emotion Recognition",
      IEEE/ACM TASLP 26 (2018), 1804.07690.
    """
    names = {options.get("name", key) for key, options in penalties.items()}
    if names - {*OF_FEATURES}:
        raise ValueError(
            f"{', '.join(sorted(names - {*OF_FEATURES}))}: values have no classes; "
            f"ccc_regression takes {', '.join(OF_FEATURES)}"
        )
    return penalised(_with_adversaries(regression(), _known), penalties)


def _known(outputs: Outputs, batch: Any, name: str) -> Array:
    del outputs
    return batch.domain[name] != UNKNOWN


def _with_adversaries(
    label_objective: Objective, weight_of: Callable[[Outputs, Any, str], Array]
) -> Objective:
    def objective(
        outputs: Outputs, batch: Any, strength: Mapping[str, Scalar]
    ) -> tuple[Float[Array, ""], Metrics]:
        loss, metrics = label_objective(outputs, batch, strength)
        for name, logits in outputs.domain_logits.items():
            losses, _ = cross_entropy(logits=logits, labels=batch.domain[name])
            domain_loss = masked_mean(losses, weight_of(outputs, batch, name))
            loss = loss + domain_loss
            metrics[f"loss/{name}"] = domain_loss
            metrics[f"accuracy/{name}"] = accuracy(logits, batch.domain[name])
        return loss, metrics

    return objective


def class_wise_dann(
    *,
    label_smoothing: Rate = 0.0,
    label_balanced: bool = False,
    balance: str = "rows",
    certainty: bool | Sequence[str] = False,
    unlabelled: bool = False,
    penalties: Mapping[str, Mapping[str, Any]] = {},
) -> Objective:
    """One adversary for each class, trained on the rows of that class alone.

    Needs a head with one discriminator a class, `[..., classes, domains]` (`class_wise`
    of the network). Each row counts once, in the discriminator of its class. Other
    heads see all rows alike, so that plain reversal can be an arm beside it.

    Args:
      label_smoothing: share of the emotion target spread over all classes.
      label_balanced: give each class the same weight in the emotion loss.
      balance: `rows` or `domains`, as in `dann`; the discriminator of a class
        gives its domains the same weight.
      certainty: as in `dann`, of the heads that are not one a class.
      unlabelled: let unlabelled rows take part in every class's adversary as far as
        their posterior (constant to the gradient) says; otherwise they stay out.
      penalties: more terms; see `penalised`.

    Raises:
      ValueError: there is no such balance; or, when called, no head has one
        discriminator a class.

    Reference:
      A reconstruction from the description in Zhou and Chen, "Transferable
      Positive/Negative Speech Emotion Recognition via Class-wise Adversarial Domain
      Adaptation", ICASSP 2019 (1810.12782); Pei et al., "Multi-Adversarial Domain
      Adaptation", AAAI 2018, equation 4 for `unlabelled`.
    """
    _require_balance(balance, ("rows", "domains"))
    label_objective = source_only(
        label_smoothing=label_smoothing, label_balanced=label_balanced
    )

    def objective(
        outputs: Outputs, batch: Any, strength: Mapping[str, Scalar]
    ) -> tuple[Float[Array, ""], Metrics]:
        _require_class_wise(outputs)
        loss, metrics = label_objective(outputs, batch, strength)
        for name, logits in outputs.domain_logits.items():
            ids = batch.domain[name]
            if _is_class_wise(outputs, name):
                ids = jnp.broadcast_to(ids[..., None], logits.shape[:-1])
                weight = _class_weights(outputs, batch, ids, unlabelled)
                if balance == "domains":
                    weight = _domains_alike(ids, weight, logits.shape[-1])
            else:
                weight = _row_weights(outputs, batch, name, balance, certainty)
            losses, _ = cross_entropy(logits=logits, labels=ids)
            hits = (jnp.argmax(logits, -1) == ids).astype(jnp.float32)
            domain_loss = masked_mean(losses, weight)
            loss = loss + domain_loss
            metrics[f"loss/{name}"] = domain_loss
            metrics[f"accuracy/{name}"] = masked_mean(hits, weight)
        return loss, metrics

    return penalised(objective, penalties)


def _class_weights(outputs: Outputs, batch: Any, ids: Array, unlabelled: bool) -> Array:
    """Weight of each row for the discriminator of each class, `[..., classes]`."""
    known = ids != UNKNOWN
    if not unlabelled:
        known = known & (batch.label != UNKNOWN)[..., None]
    # Rows that stay out may hold anything.
    posterior_logits = jnp.where(known, outputs.label_logits, 0.0)
    return jnp.where(known, class_weights(posterior_logits, batch.label), 0.0)


def _domains_alike(ids: Array, weight: Array, count: int) -> Array:
    """Weights `[..., classes]`, scaled to sum 1 for each domain of each class."""
    membership = members(ids, count) * weight[None]
    totals = jnp.sum(
        membership, axis=tuple(range(1, membership.ndim - 1)), keepdims=True
    )
    return jnp.sum(membership / jnp.where(totals > 0, totals, 1.0), 0)


def _is_class_wise(outputs: Outputs, name: str) -> bool:
    return outputs.domain_logits[name].shape[:-1] == outputs.label_logits.shape


def _require_class_wise(outputs: Outputs) -> None:
    if not any(_is_class_wise(outputs, name) for name in outputs.domain_logits):
        name, logits = next(iter(outputs.domain_logits.items()))
        raise ValueError(
            f"the adversary {name!r} has logits {logits.shape}; class_wise_dann needs "
            f"{(*outputs.label_logits.shape, 'domains')}: name it in the network's "
            f"class_wise"
        )
