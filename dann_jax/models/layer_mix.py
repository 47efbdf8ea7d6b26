"""From the layers of a pretrained encoder to one vector."""

import jax.numpy as jnp
from flax import linen as nn

from dann_jax.types import Array, PyTree

PREFIX = "layers_"
"""How the parameters of a modality's mix are called in an encoder."""

SCALE = 10.0
"""Logits are so many times their parameters. Adam moves each parameter by the learning
rate a step, which would leave the weights of a few hundred steps about equal."""


class LayerMix(nn.Module):
    """A learned mean of layers; `[..., layers * dim] -> [..., dim]`.

    `x = sum_l softmax(10 s)_l h_l`; `s` is 0 at first, so that training begins with the
    plain mean. There is no factor for the whole, because a projection follows.

    Reference: Peters et al., "Deep Contextualized Word Representations", NAACL 2018,
    equation 1; for layers of speech encoders, Yang et al., "SUPERB: Speech Processing
    Universal PERformance Benchmark", Interspeech 2021, section 2.2.

    Attributes:
      layers: how many stand one behind the other.
    """

    layers: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        logits = self.param("logits", nn.initializers.zeros, (self.layers,))
        by_layer = x.reshape(*x.shape[:-1], self.layers, -1)
        weights = nn.softmax(SCALE * logits).astype(x.dtype)
        return jnp.einsum("...ld,l->...d", by_layer, weights)


def mixed_weights(params: PyTree) -> dict[str, Array]:
    """Modality -> weights of its layers, float32 `[..., layers]` of sum 1.

    Args:
      params: of a `Dann`, with any leading axes; modalities without layers are passed
        over.
    """
    encoder = params.get("encoder", {})
    return {
        name.removeprefix(PREFIX): nn.softmax(SCALE * part["logits"])
        for name, part in encoder.items()
        if name.startswith(PREFIX)
    }
