"""Small layers that several modules share."""

import jax
from flax import linen as nn


def turn_dropout(rate: float, deterministic: bool) -> nn.Dropout:
    """Dropout on `[B, T, D]` with one mask for all turns of a dialogue.

    A fresh mask for every turn hides little from a network that reads them all, and
    drawing it costs as much as a third of the train step on CPU.

    Reference: Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in
    Recurrent Neural Networks", NeurIPS 2016.
    """
    return nn.Dropout(rate, broadcast_dims=(-2,), deterministic=deterministic)


class GateProjection(nn.Module):
    """The parameters of one dense layer for the gates of all streams."""

    features: int

    @nn.compact
    def __call__(self, dim: int) -> tuple[jax.Array, jax.Array]:
        """Kernel `[dim, features]` and bias `[features]`, as those of `nn.Dense`."""
        kernel = self.param(
            "kernel", nn.initializers.lecun_normal(), (dim, self.features)
        )
        return kernel, self.param("bias", nn.initializers.zeros, (self.features,))
