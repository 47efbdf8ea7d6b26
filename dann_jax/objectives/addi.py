"""ADDi: an encoder with a generator against two discriminators."""

import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Float

from dann_jax.models.reversal import largest_strength
from dann_jax.objectives.adversarial import dann
from dann_jax.objectives.labels import source_only
from dann_jax.objectives.losses import binary_cross_entropy, masked_mean
from dann_jax.objectives.stateful import frozen
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
from dann_jax.utils.arguments import CountOrNone, Rate, Weight

_JUDGE = ("data_head",)


def addi(
    *,
    adversaries: tuple[str, ...] = (),
    self_supervised: tuple[str, ...] = (),
    reconstruction: Weight = 1.0,
    generation: Weight = 0.1,
    augmentation: Weight = 0.0,
    pretraining_steps: CountOrNone = 0,
    label_smoothing: Rate = 0.0,
) -> StatefulObjective:
    """An encoder with generator and classifier against two kinds of discriminators.

    The feature discriminators are the domain heads of `dann`, behind their reversal.
    The data discriminator learns to tell inputs from generated ones; the generator
    learns to reconstruct the input and to be classified as real. One loss trains all:
    the parameters of each are constants in the terms of the others, so that each can
    have its own optimiser (`players` of `make_optimizer`). The gradient from the
    generator to the encoder is scaled by its strength, as a reversal is.

    Needs a network with a generator (`generator_hidden`). The state counts the steps
    in which the pre-trained arms have a strength.

    Args:
      adversaries: the largest of their strengths is that of the generator; by default
        of all. So an arm of another one is plain `dann`, in the same program.
      self_supervised: the largest of their strengths is that of augmentation and says
        whether there is pre-training; by default `adversaries`.
      reconstruction: weight of the squared error of the generator, mean over inputs.
      generation: weight of the generator's loss against the data discriminator.
      augmentation: weight, times its strength, of the label loss of generated rows
        with the labels of the rows that they were made from; it trains the encoder
        and the label head.
      pretraining_steps: so many steps without labels and domains, from the first that
        has a strength, in which the encoder learns to generate, at full strength
        (sADDi).
      label_smoothing: share of the emotion target spread over all classes.

    Reference:
      A reconstruction from the description in Latif et al., "Self Supervised
      Adversarial Domain Adaptation for Cross-Corpus and Cross-Language Speech Emotion
      Recognition", IEEE TAFFC 2022 (2204.08625).
    """
    adversarial = dann(label_smoothing=label_smoothing)
    labelling = source_only(label_smoothing=label_smoothing)

    def apply(
        forward: Apply,
        params: PyTree,
        batch: Any,
        strength: Mapping[str, Scalar],
        key: Array | None,
        state: Array,
    ) -> tuple[Float[Array, ""], tuple[Metrics, Array]]:
        generator_strength = largest_strength(_of(strength, adversaries))
        self_strength = largest_strength(_of(strength, self_supervised or adversaries))
        pretraining = (state < pretraining_steps) & (self_strength > 0)
        scales = {
            **strength,
            "generator": jnp.where(pretraining, 1.0, generator_strength),
        }
        outputs = forward(frozen(params, _JUDGE), batch, scales, key)
        others = [part for part in params if part not in _JUDGE]
        judged = forward(frozen(params, others), batch, scales, key)
        rows = _used_rows(batch)
        task, metrics = adversarial(outputs, batch, strength)
        terms = {
            "reconstruction": reconstruction * _rebuilding(outputs, rows),
            "generation": generation * _judgement(outputs, rows, generated_as=1),
            "data": _judgement(judged, rows, generated_as=0, real_as=1),
        }
        if augmentation:
            generated_batch = _generated_batch(batch, outputs.extra["generated"])
            again = forward(frozen(params, _JUDGE), generated_batch, scales, key)
            label_loss = labelling(again, batch, strength)[0]
            weight = jnp.where(pretraining, 0.0, augmentation * self_strength)
            terms["augmentation"] = weight * label_loss
        loss = jnp.where(pretraining, 0.0, 1.0) * task + sum(terms.values())
        metrics |= {f"loss/{name}": value for name, value in terms.items()}
        return loss, (metrics, state + (self_strength > 0))

    return StatefulObjective(lambda outputs: jnp.int32(0), apply)


def _of(
    strength: Mapping[str, Scalar], adversaries: tuple[str, ...]
) -> Mapping[str, Scalar]:
    unknown = sorted(set(adversaries) - set(strength))
    if unknown:
        raise ValueError(
            f"addi goes by the strength of {', '.join(unknown)}; the adversaries are "
            f"{', '.join(strength)}"
        )
    return {name: strength[name] for name in adversaries} or strength


def _used_rows(batch: Any) -> Array:
    """Rows with a label or a domain, bool `[B, T]`."""
    rows = batch.label != UNKNOWN
    for ids in batch.domain.values():
        rows = rows | (ids != UNKNOWN)
    return rows


def _rebuilding(outputs: Outputs, rows: Array) -> Array:
    """Mean squared error of the generated inputs."""
    generated, original = outputs.extra["generated"], outputs.extra["original"]
    error = jnp.where(rows[..., None], generated - original, 0.0)
    return masked_mean(jnp.mean(error**2, -1), rows)


def _judgement(
    outputs: Outputs, rows: Array, *, generated_as: int, real_as: int | None = None
) -> Array:
    """Loss of the data discriminator with the given targets."""

    def loss(logits: Array, answer: int) -> Array:
        answers = jnp.where(rows, answer, UNKNOWN)
        return masked_mean(*binary_cross_entropy(logits=logits, labels=answers))

    generated_loss = loss(outputs.extra["generated_logit"], generated_as)
    if real_as is None:
        return generated_loss
    return 0.5 * (generated_loss + loss(outputs.extra["real_logit"], real_as))


def _generated_batch(batch: Any, generated: Array) -> Any:
    """The batch with generated inputs, constant to the gradient."""
    names = sorted(batch.inputs)
    ends = list(itertools.accumulate(batch.inputs[name].shape[-1] for name in names))
    parts = jnp.split(jax.lax.stop_gradient(generated), ends[:-1], -1)
    return batch._replace(inputs=dict(zip(names, parts, strict=True)))
