"""Objectives that change the inputs: Mixup and CrossGrad."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from dann_jax.models.reversal import largest_strength
from dann_jax.objectives.adversarial import dann
from dann_jax.objectives.labels import accuracy
from dann_jax.objectives.losses import cross_entropy, masked_mean, rater_shares
from dann_jax.objectives.stateful import stateless
from dann_jax.types import (
    UNKNOWN,
    Apply,
    Array,
    Metrics,
    PyTree,
    Scalar,
    StatefulObjective,
)
from dann_jax.utils.arguments import Positive, Rate, Share, Weight


def mixup(*, alpha: Positive = 0.2, label_smoothing: Rate = 0.0) -> StatefulObjective:
    """Train on mixtures of two labelled rows, and of their labels in the same ratio.

    Every labelled row is mixed with one other of the batch, all in the same parts. The
    largest strength scales the part of the partner, so that 0 mixes nothing.

    Args:
      alpha: of the Beta distribution of the ratio, > 0; near 0 rows stay unmixed.
      label_smoothing: share of the emotion target spread over all classes.

    Reference:
      Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, section 2.
    """

    def apply(
        forward: Apply,
        params: PyTree,
        batch: Any,
        strength: Mapping[str, Scalar],
        key: Array,
        state: PyTree,
    ) -> tuple[Float[Array, ""], tuple[Metrics, PyTree]]:
        partner_key, part_key = jax.random.split(jax.random.fold_in(key, 1))
        partner = partners(partner_key, batch.label != UNKNOWN)
        ratio = largest_strength(strength) * jax.random.beta(part_key, alpha, alpha)
        mixed = batch._replace(inputs=_mixed_inputs(batch, partner, ratio))
        logits = forward(params, mixed, strength, key).label_logits
        loss_of = functools.partial(
            cross_entropy, logits=logits, smoothing=label_smoothing
        )
        shares = rater_shares(batch)
        row_loss, known = loss_of(labels=batch.label, shares=shares)
        partner_loss, _ = loss_of(
            labels=_take(batch.label, partner),
            shares=None if shares is None else _take(shares, partner),
        )
        loss = masked_mean((1.0 - ratio) * row_loss + ratio * partner_loss, known)
        metrics = {"loss/label": loss, "accuracy/label": accuracy(logits, batch.label)}
        return loss, (metrics, state)

    return StatefulObjective(stateless, apply)


def partners(key: Array, mask: Array) -> Array:
    """A random other row for each row of the mask; for other rows the row itself.

    The rows of the mask form one random ring, so that each is a partner once.

    Args:
      key: of the order of the ring.
      mask: bool `[...]`.

    Returns:
      Flat indices, int32 `[...]`.
    """
    flat = mask.ravel()
    index = jnp.arange(len(flat))
    # Those of the mask come first, in random order.
    order = jnp.argsort(jax.random.uniform(key, flat.shape) + 2.0 * ~flat)
    count = flat.sum()
    following = jnp.where(index < count, (index + 1) % jnp.maximum(count, 1), index)
    return jnp.zeros_like(index).at[order].set(order[following]).reshape(mask.shape)


def _take(values: Array, rows: Array) -> Array:
    """Rows of `values` `[B, T, ...]` by flat index `[B, T]`."""
    return jnp.asarray(values).reshape(-1, *values.shape[rows.ndim :])[rows]


def _mixed_inputs(batch: Any, partner: Array, ratio: Array) -> dict[str, Array]:
    mixed = {}
    for name, values in batch.inputs.items():
        values, present = jnp.asarray(values), jnp.asarray(batch.present[name])
        # A modality that only one of the two has cannot be mixed.
        both = _over(present & _take(present, partner), values)
        change = ratio * (_take(values, partner) - values)
        mixed[name] = values + jnp.where(both, change, 0.0)
    return mixed


def _over(mask: Array, values: Array) -> Array:
    """A mask of rows with as many axes as the values."""
    return mask.reshape(*mask.shape, *[1] * (values.ndim - mask.ndim))


def cross_gradient(
    *, share: Share = 0.5, epsilon: Weight = 1.0, limit: Weight = 0.1
) -> StatefulObjective:
    """CrossGrad: each head is trained on inputs perturbed against the other.

    `x_d` is the input moved to where its domain is harder to tell, `x_f` to where its
    label is. `L_g = (1 - s a) CE(g(x), y) + s a CE(g(x_d), y)` for the encoder and the
    label head; `L_h = (1 - a) CE(h(x), d) + a CE(h(x_f), d)` for the domain heads,
    which do not reach the encoder here. The movements are constants to the gradient.

    Args:
      share: `a` in [0, 1].
      epsilon: length of the movement.
      limit: the input gradient is clipped to [-limit, limit] element by element.

    Reference:
      Shankar et al., "Generalizing Across Domains via Cross-Gradient Training", ICLR
      2018, algorithm 1; Tu et al. 2019 (1903.09606) for speakers as domains.
    """
    both = dann()

    def apply(
        forward: Apply,
        params: PyTree,
        batch: Any,
        strength: Mapping[str, Scalar],
        key: Array | None,
        state: PyTree,
    ) -> tuple[Float[Array, ""], tuple[Metrics, PyTree]]:
        no_strength = dict.fromkeys(strength, 0.0)
        frozen_params = jax.lax.stop_gradient(params)

        def perturbed_batch(which: str) -> Any:
            def loss_of(inputs: PyTree) -> Float[Array, ""]:
                return _summed_losses(
                    forward, frozen_params, batch._replace(inputs=inputs), key
                )[which]

            return batch._replace(
                inputs=_step(batch, jax.grad(loss_of)(batch.inputs), epsilon, limit)
            )

        plain = both(forward(params, batch, no_strength, key), batch, strength)[1]
        against_domain, against_label = (
            perturbed_batch("domain"),
            perturbed_batch("label"),
        )
        label = both(
            forward(params, against_domain, no_strength, key), batch, strength
        )[1]
        domain = both(
            forward(params, against_label, no_strength, key), batch, strength
        )[1]
        ratio = share * largest_strength(strength)
        loss = (1.0 - ratio) * plain["loss/label"] + ratio * label["loss/label"]
        for name in strength:
            term = f"loss/{name}"
            loss = loss + (1.0 - share) * plain[term] + share * domain[term]
        return loss, (plain | {"loss/label_moved": label["loss/label"]}, state)

    return StatefulObjective(stateless, apply)


def _summed_losses(
    forward: Apply, params: PyTree, batch: Any, key: Array | None
) -> dict[str, Array]:
    """Sums, not means: the movement of a row must not depend on the batch size."""
    # Strength -1: the gradient of the domain loss arrives at the input as it is.
    outputs = forward(params, batch, dict.fromkeys(batch.domain, -1.0), key)
    label, _ = cross_entropy(
        logits=outputs.label_logits, labels=batch.label, shares=rater_shares(batch)
    )
    domains = [
        cross_entropy(logits=logits, labels=batch.domain[name])[0].sum()
        for name, logits in outputs.domain_logits.items()
    ]
    return {"label": jnp.sum(label), "domain": jnp.asarray(sum(domains))}


def _step(batch: Any, gradient: PyTree, epsilon: float, limit: float) -> PyTree:
    def move(name: str, values: Array) -> Array:
        # Frames that pad an utterance are all zero, and stay so.
        real = _over(batch.present[name], values)
        real = real & jnp.any(values != 0, -1, keepdims=True)
        step = epsilon * jnp.clip(gradient[name], -limit, limit)
        return jax.lax.stop_gradient(values + jnp.where(real, step, 0.0))

    return {name: move(name, values) for name, values in batch.inputs.items()}
