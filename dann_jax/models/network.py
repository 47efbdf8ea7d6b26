"""Encoder, emotion head and adversaries as one network and one pure function."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from dann_jax.models.augment import FrameAugmentation
from dann_jax.models.context_encoders import CONTEXT_ENCODERS
from dann_jax.models.frame_encoders import make_frame_encoder
from dann_jax.models.generation import generate
from dann_jax.models.heads import ClassifierHead
from dann_jax.models.layer_mix import PREFIX, LayerMix
from dann_jax.models.named_modules import make_named
from dann_jax.models.normalisation import normalise
from dann_jax.models.ops.random_bits import without_loop
from dann_jax.models.reversal import reverse_gradient, scale_gradient
from dann_jax.models.utterance_encoders import UTTERANCE_ENCODERS
from dann_jax.types import Apply, Array, Batch, Outputs, PyTree, Scalar
from dann_jax.utils.arguments import Count, CountOrNone, Rate, Width, call_checked
from dann_jax.utils.named import lookup


class DialogueEncoder(nn.Module):
    """Fused utterances, with or without their dialogue; `z = [context; utterance]`.

    Attributes:
      width: size of an utterance vector and of the GRU in each direction.
      context: False leaves out the encoder of context and nothing else.
      heads: attention heads.
      own_heads: how many of them attend only to turns of the same speaker.
      own_turns: whether a second GRU goes over the speaker's own turns.
      dropout: rate in fusion and context.
      dtype: compute type, `float32` or `bfloat16`.
      frames: `name` in `FRAME_ENCODERS` and arguments of what turns a modality with a
        time axis into a vector.
      augmentation: arguments of the `FrameAugmentation` before it.
      normalisation: arguments of `normalise`, for the fused utterance vectors.
      context_encoder: one of `CONTEXT_ENCODERS`, or `package.module:Name`.
      layers: modality -> how many layers of a pretrained encoder stand one behind the
        other in it; they go through a `LayerMix` before all else.
      utterance: `name` in `UTTERANCE_ENCODERS` and arguments of what makes one vector
        of the modalities.
    """

    width: Width = 100
    context: bool = True
    heads: Count = 4
    own_heads: CountOrNone = 0
    own_turns: bool = False
    dropout: Rate = 0.3
    dtype: Literal["float32", "bfloat16"] = "float32"
    frames: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    augmentation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    normalisation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    context_encoder: str = "gru_attention"
    layers: Mapping[str, Count] = dataclasses.field(default_factory=dict)
    utterance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @nn.compact
    def __call__(self, batch: Batch, *, deterministic: bool) -> Array:
        """Features `[B, T, 3 * width]` (`[B, T, width]` without context)."""
        dtype = jnp.dtype(self.dtype)
        inputs = dict(batch.inputs)
        for name, count in self.layers.items():
            inputs[name] = LayerMix(count, name=f"{PREFIX}{name}")(inputs[name])
        for name, count in batch.num_frames.items():
            augment = call_checked(
                "encoder.augmentation", FrameAugmentation, **self.augmentation
            )
            augmented = augment(inputs[name], count, deterministic=deterministic)
            encode = make_frame_encoder(
                self.frames, dtype=dtype, module=f"frames_{name}"
            )
            inputs[name] = encode(augmented, count, deterministic=deterministic)
        # What is not visible must not even reach a gradient as NaN times zero.
        present = {name: flags & batch.visible for name, flags in batch.present.items()}
        encode = make_named(
            "encoder.utterance",
            self.utterance,
            UTTERANCE_ENCODERS,
            default="attention",
            width=self.width,
            dropout=self.dropout,
            dtype=dtype,
            name="fusion",
        )
        utterance = encode(inputs, present, deterministic=deterministic)
        utterance = normalise(
            utterance, batch, deterministic=deterministic, **self.normalisation
        )
        if not self.context:
            return utterance
        context_encoder = lookup(
            "encoder.context_encoder", self.context_encoder, CONTEXT_ENCODERS
        )
        context = context_encoder(
            width=self.width,
            heads=self.heads,
            own_heads=self.own_heads,
            own_turns=self.own_turns,
            dropout=self.dropout,
            dtype=dtype,
            name="context",
        )(utterance, batch.visible, batch.party, deterministic=deterministic)
        return jnp.concatenate([context, utterance], axis=-1)


class Dann(nn.Module):
    """An encoder with an emotion head and any number of adversaries.

    Attributes:
      encoder: module `(batch, deterministic=) -> features [..., width]`.
      num_labels: emotions.
      num_domains: adversary -> number of domains.
      conditional: the adversaries whose input is the outer product of the features and
        the predicted posterior; the input of the others is the features.
      class_wise: the adversaries that are one discriminator for each class, with
        logits `[..., labels, domains]`.
      generator_hidden: hidden widths of a generator that makes the inputs from the
        features, and of the discriminator of generated inputs; None for neither. Their
        outputs are in `Outputs.extra`, see `generate`. The gradient from the generator
        to the features is scaled by the strength `generator`, 0 where there is none.
      domain_hidden: hidden widths of every domain head.
      head_dropout: dropout of the emotion head and the domain heads.

    Reference: for `conditional`, Long et al., "Conditional Adversarial Domain
    Adaptation", NeurIPS 2018, equation 4; no gradient flows through the posterior.
    """

    encoder: nn.Module
    num_labels: int
    num_domains: Mapping[str, int]
    conditional: tuple[str, ...] = ()
    class_wise: tuple[str, ...] = ()
    generator_hidden: tuple[Width, ...] | None = None
    domain_hidden: tuple[Width, ...] = (100,)
    head_dropout: Rate = 0.3

    @nn.compact
    def __call__(
        self, batch: Batch, strength: Mapping[str, Scalar], *, deterministic: bool
    ) -> Outputs:
        missing = sorted(set(self.num_domains) - set(strength))
        if missing:
            raise ValueError(
                f"no strength for the adversary {missing[0]!r}: `strength` has "
                f"{sorted(strength)}; 0.0 lets nothing through"
            )
        features = self.encoder(batch, deterministic=deterministic)
        label_logits = ClassifierHead(
            self.num_labels, (), self.head_dropout, name="label_head"
        )(features, deterministic=deterministic)
        # The adversary's gradient must not change the posterior, only the features.
        posterior = jax.lax.stop_gradient(nn.softmax(label_logits))
        domain_logits = {}
        for name, count in sorted(self.num_domains.items()):
            head_input = features
            if name in self.conditional:
                head_input = jnp.einsum("...w,...c->...wc", features, posterior)
                head_input = head_input.reshape(*features.shape[:-1], -1)
            head_input = reverse_gradient(head_input, strength[name])
            several = name in self.class_wise
            heads = [f"{name}_head_{label}" for label in range(self.num_labels)]
            logits = [
                ClassifierHead(count, self.domain_hidden, self.head_dropout, name=head)(
                    head_input, deterministic=deterministic
                )
                for head in (heads if several else [f"{name}_head"])
            ]
            domain_logits[name] = jnp.stack(logits, -2) if several else logits[0]
        extra = {}
        if self.generator_hidden is not None:
            # The strength scales the gradient to the encoder, not the generator's own.
            head_input = scale_gradient(features, strength.get("generator", 0.0))
            extra = generate(head_input, batch, self.generator_hidden, deterministic)
        return Outputs(features.astype(jnp.float32), label_logits, domain_logits, extra)


ENCODERS = {"dialogue": DialogueEncoder}
"""The word in a config -> a module such as `DialogueEncoder`, with its attributes."""


def build(
    *,
    encoder: Mapping[str, Any],
    heads: Mapping[str, Any],
    num_labels: int,
    num_domains: Mapping[str, int],
) -> Dann:
    """The network from plain keyword arguments, as configs and bundles hold them.

    Args:
      encoder: `name`, one of `ENCODERS` (`dialogue` if there is none) or
        `package.module:Name`, and arguments of its constructor.
      heads: the other arguments of `Dann`.
      num_labels: classes, or values that are regressed.
      num_domains: adversary -> how many domains it tells apart.

    Raises:
      ValueError: there is no such encoder, or a constructor has no such argument.
    """
    arguments = dict(encoder)
    kind = lookup("encoder.name", arguments.pop("name", "dialogue"), ENCODERS)
    return call_checked(
        "heads",
        Dann,
        encoder=call_checked("encoder", kind, **arguments),
        num_labels=num_labels,
        num_domains=num_domains,
        **heads,
    )


def as_apply(module: nn.Module) -> Apply:
    """Turn a linen module called as `Dann` is into the pure function of a train step.

    Without a key dropout is off.
    """

    def apply(
        params: PyTree,
        batch: Batch,
        strength: Mapping[str, Scalar],
        key: Array | None,
    ) -> Outputs:
        rngs = None if key is None else {"dropout": without_loop(jnp.asarray(key))}
        return module.apply(
            {"params": params}, batch, strength, deterministic=key is None, rngs=rngs
        )

    return apply


def initialise(module: nn.Module, batch: Batch, key: jax.Array) -> PyTree:
    """Initial float32 parameters.

    Args:
      module: called as `Dann` is.
      batch: of which only the shapes matter; fields `[B, T, ...]`.
      key: scalar PRNG key.
    """
    strength = dict.fromkeys(batch.domain, jnp.float32(0))
    # Only shapes matter: given arrays, the whole forward pass would be compiled too.
    shapes = jax.eval_shape(lambda: (batch, strength))
    variables = module.lazy_init(key, *shapes, deterministic=True, mutable="params")
    return variables["params"]
