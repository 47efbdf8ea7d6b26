"""Classifiers that sit on the encoder's features."""

import functools

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike
from jaxtyping import Float

from dann_jax.models.layers import turn_dropout
from dann_jax.models.ops.dense import dense_product
from dann_jax.types import Array, PyTree


class ClassifierHead(nn.Module):
    """A linear layer, after hidden layers if there are any.

    The emotion head is linear; a domain head needs hidden layers, or the encoder can
    hide the domain from it without removing it.

    Attributes:
      num_classes: number of logits.
      hidden: widths of the hidden layers.
      dropout: rate before every layer.
      dtype: compute type; parameters stay float32, logits come out as float32.
    """

    num_classes: int
    hidden: tuple[int, ...] = ()
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "*rows width"], *, deterministic: bool
    ) -> Float[Array, "*rows {self.num_classes}"]:
        """`[..., width] -> [..., num_classes]`."""
        dense = functools.partial(nn.Dense, dtype=self.dtype, dot_general=dense_product)
        for width in self.hidden:
            x = nn.relu(dense(width)(turn_dropout(self.dropout, deterministic)(x)))
        x = turn_dropout(self.dropout, deterministic)(x)
        return dense(self.num_classes)(x).astype(jnp.float32)


def with_units(params: PyTree, mean: Array, scale: Array) -> PyTree:
    """The same network with the outputs of the label head mapped to `mean + scale * x`.

    The head is linear, so that only its kernel and bias change.

    Args:
      params: of a `Dann`, with any leading axes.
      mean: float `[..., outputs]`, of the same leading axes or such as broadcast.
      scale: float `[..., outputs]`.
    """
    head = params["label_head"]["Dense_0"]
    changed = {
        "kernel": head["kernel"] * scale[..., None, :],
        "bias": head["bias"] * scale + mean,
    }
    return {**params, "label_head": {"Dense_0": changed}}
