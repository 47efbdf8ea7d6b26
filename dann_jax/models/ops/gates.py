"""The parameters of gates, under the names that a dense layer would give them."""

from flax import linen as nn

from dann_jax.types import Array


class GateProjection(nn.Module):
    """The parameters of one dense layer for the gates of all streams."""

    features: int

    @nn.compact
    def __call__(self, dim: int) -> tuple[Array, Array]:
        """Kernel `[dim, features]` and bias `[features]`, as those of `nn.Dense`."""
        kernel = self.param(
            "kernel", nn.initializers.lecun_normal(), (dim, self.features)
        )
        return kernel, self.param("bias", nn.initializers.zeros, (self.features,))
