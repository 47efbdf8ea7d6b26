"""Dynamic joint adaptation: marginal and conditional terms with a dynamic weight."""

import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from dann_jax.objectives import penalties
from dann_jax.objectives.discrepancy import MULTIPLES, proxy_a_distance
from dann_jax.objectives.groups import balancing_weights
from dann_jax.objectives.labels import source_only
from dann_jax.objectives.losses import cross_entropy, masked_mean
from dann_jax.types import (
    UNKNOWN,
    Apply,
    Array,
    Metrics,
    Outputs,
    PyTree,
    Scalar,
    StatefulObjective,
)
from dann_jax.utils.arguments import Count, Positive, Rate, Share, Weight


class Balance(NamedTuple):
    """The state for one domain column.

    The first of the `1 + classes` domain classifiers sees all rows, each other one the
    rows of its class.

    Attributes:
      mu: weight of the conditional term, in [0, 1].
      kernels: of the linear classifiers, `[1 + classes, width + 1, domains]`.
      wrong: weight of held-out rows misclassified since `mu` was last set,
        `[1 + classes]`.
      seen: weight of those rows, `[1 + classes]`.
      step: int32, steps taken.
    """

    mu: Array
    kernels: Array
    wrong: Array
    seen: Array
    step: Array


def dynamic_joint(
    *,
    refresh_steps: Count = 50,
    learning_rate: Weight = 0.5,
    multiples: tuple[Positive, ...] = MULTIPLES,
    scale: Positive | Literal["mean"] = "mean",
    fixed: Mapping[str, Share] = {},
    label_smoothing: Rate = 0.0,
) -> StatefulObjective:
    """`L + s [(1 - mu) MDA + mu CDA]` with MMDs over all pairs of domains.

    `mu = d_c / (d_m + d_c)`: the conditional term counts for more, the easier domains
    can still be told apart within a class. `d` are proxy A-distances of small linear
    classifiers that learn beside the network from the even rows of the corpus and are
    judged by the odd ones; `d_c` is the mean over the classes. Among many domains the
    error is that of pairs: how often another domain of the batch is preferred.

    Args:
      refresh_steps: `mu` starts at .5 and is set again every so many steps; usually one
        epoch (`refresh_epochs` in a config, see `Timetable.in_steps`).
      learning_rate: of the linear classifiers, on standardised features.
      multiples: widths of the kernels; see `mmd`.
      scale: of the kernels; see `mmd`.
      fixed: adversary -> the `mu` in [0, 1] that it keeps, for controls: 0 is MDA
        alone, 1 is CDA alone. All others are dynamic.
      label_smoothing: share of the emotion target spread over all classes.

    Raises:
      ValueError: a fixed `mu` is out of range.

    Reference:
      A reconstruction from the description in Lu et al., "Improving
      Speaker-Independent Speech Emotion Recognition Using Dynamic Joint Distribution
      Adaptation", ICASSP 2024 (2401.09752).
    """
    for name, mu in fixed.items():
        if not 0.0 <= mu <= 1.0:
            raise ValueError(f"the fixed mu of {name!r} must be in [0, 1], got {mu}")
    label_objective = source_only(label_smoothing=label_smoothing)
    marginal = penalties.mmd(multiples=multiples, scale=scale)
    conditional = penalties.conditional_mmd(multiples=multiples, scale=scale)

    def apply(
        forward: Apply,
        params: PyTree,
        batch: Any,
        strength: Mapping[str, Scalar],
        key: Array | None,
        state: dict[str, Balance],
    ) -> tuple[Float[Array, ""], tuple[Metrics, dict[str, Balance]]]:
        outputs = forward(params, batch, strength, key)
        loss, metrics = label_objective(outputs, batch, strength)
        after = {}
        for name in outputs.domain_logits:
            mda = marginal(outputs, batch, name)
            cda = conditional(outputs, batch, name)
            mu = fixed[name] if name in fixed else state[name].mu
            loss = loss + strength[name] * ((1.0 - mu) * mda + mu * cda)
            metrics |= {f"mda/{name}": mda, f"cda/{name}": cda}
            metrics[f"mu/{name}"] = jnp.float32(mu)
            if name in state:
                observed = _observed(state[name], outputs, batch, name, learning_rate)
                after[name] = _refreshed(observed, refresh_steps)
        return loss, (metrics, after)

    return StatefulObjective(functools.partial(_start, fixed=fixed), apply)


def _start(outputs: Outputs, fixed: Mapping[str, float] = {}) -> dict[str, Balance]:
    width, classifiers = outputs.features.shape[-1], 1 + outputs.label_logits.shape[-1]
    return {
        name: Balance(
            mu=jnp.float32(0.5),
            kernels=jnp.zeros((classifiers, width + 1, logits.shape[-1])),
            wrong=jnp.zeros(classifiers),
            seen=jnp.zeros(classifiers),
            step=jnp.int32(0),
        )
        for name, logits in outputs.domain_logits.items()
        if name not in fixed
    }


def _observed(
    balance: Balance, outputs: Outputs, batch: Any, name: str, learning_rate: float
) -> Balance:
    """Test the classifiers on the odd rows, then train them on the even ones."""
    domain = batch.domain[name].ravel()
    inputs = _standardised(outputs.features, domain != UNKNOWN)
    held_out = batch.row.ravel() % 2 == 1
    domains = balance.kernels.shape[-1]
    # Each domain of the batch weighs as much as any other.
    taught, weights = (
        _classifier_weights(outputs, batch, name)
        * balancing_weights(jnp.where(rows, domain, UNKNOWN), domains)[None]
        for rows in (~held_out, held_out)
    )
    answers = jnp.einsum("nw,cwk->cnk", inputs, balance.kernels)
    errors, comparable = _pair_errors(answers, domain)
    weights = weights * comparable[None]
    gradient = jax.grad(_classifier_loss)(balance.kernels, inputs, domain, taught)
    return balance._replace(
        kernels=balance.kernels - learning_rate * gradient,
        wrong=balance.wrong + jnp.sum(weights * errors, -1),
        seen=balance.seen + weights.sum(-1),
        step=balance.step + 1,
    )


def _classifier_weights(outputs: Outputs, batch: Any, name: str) -> Array:
    """Weight of each row for each classifier, `[1 + classes, rows]`."""
    known = (batch.domain[name] != UNKNOWN)[..., None]
    logits = jnp.where(known, outputs.label_logits, 0.0)
    classes = penalties.class_weights(logits, batch.label)
    classes = classes.reshape(-1, classes.shape[-1]).T
    return jnp.concatenate([jnp.ones_like(classes[:1]), classes])


def _classifier_loss(
    kernels: Array, inputs: Array, domain: Array, weight: Array
) -> Array:
    """Cross-entropy of the domains, mean over the rows of each classifier, summed."""
    answers = jnp.einsum("nw,cwk->cnk", inputs, kernels)
    ids = jnp.broadcast_to(domain, answers.shape[:-1])
    losses, _ = cross_entropy(logits=answers, labels=ids)
    return jax.vmap(masked_mean)(losses, weight).sum()


def _standardised(features: Array, known: Array) -> Array:
    """Rows of mean 0 and variance 1 with a 1 at the end, constant to the gradient."""
    rows = jax.lax.stop_gradient(features).reshape(len(known), -1)
    rows = jnp.where(known[:, None], rows, 0.0)
    count = jnp.maximum(known.sum(), 1)
    mean = rows.sum(0, keepdims=True) / count
    centred = jnp.where(known[:, None], rows - mean, 0.0)
    spread = jnp.sqrt(jnp.sum(centred**2, 0, keepdims=True) / count)
    scaled = centred / jnp.where(spread > 0, spread, 1.0)
    return jnp.concatenate([scaled, jnp.ones((len(known), 1))], -1)


def _pair_errors(answers: Array, domain: Array) -> tuple[Array, Array]:
    """Share of the batch's other domains with a larger logit than a row's domain.

    A tie is half an error. `[classifiers, rows]`, and which rows have a rival `[rows]`.
    """
    domains = answers.shape[-1]
    ids = jnp.arange(domains)[None]
    here = jnp.any(domain[:, None] == ids, 0, keepdims=True)
    rivals = here & (domain[:, None] != ids) & (domain != UNKNOWN)[:, None]
    # [classifiers, rows, 1]
    true_logit = answers[:, jnp.arange(len(domain)), jnp.maximum(domain, 0)][..., None]
    preferred = 0.5 * (jnp.sign(answers - true_logit) + 1.0)
    count = rivals.sum(-1)
    shares = jnp.sum(preferred * rivals[None], -1) / jnp.maximum(count, 1)[None]
    return shares, count > 0


def _refreshed(balance: Balance, refresh_steps: int) -> Balance:
    """Set `mu` from the errors since the last update, if one is due."""
    due = balance.step % refresh_steps == 0
    error = balance.wrong / jnp.where(balance.seen > 0, balance.seen, 1.0)
    distance = jnp.where(balance.seen > 0, proxy_a_distance(error), 0.0)
    # Worse than chance counts as chance: distance 0.
    distance = jnp.maximum(distance, 0.0)
    marginal, conditional = distance[0], masked_mean(distance[1:], balance.seen[1:] > 0)
    total = marginal + conditional
    update = due & (total > 0)
    mu = conditional / jnp.where(total > 0, total, 1.0)
    return balance._replace(
        mu=jnp.where(update, mu, balance.mu),
        wrong=jnp.where(due, 0.0, balance.wrong),
        seen=jnp.where(due, 0.0, balance.seen),
    )
