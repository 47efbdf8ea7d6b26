"""From the modalities of one utterance to one vector."""

import functools
from collections.abc import Mapping

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike
from jaxtyping import Bool, Float

from dann_jax.models.layers import turn_dropout
from dann_jax.models.ops.dense import dense_product
from dann_jax.models.ops.fusion_barrier import fusion_barrier
from dann_jax.types import Array


class AttentionFusion(nn.Module):
    """Project every modality to one width and average them by attention.

    `s_m = w . tanh(p_m)`, `alpha = softmax(s)`, `u = sum_m alpha_m p_m` with
    `p_m = W_m x_m + b_m`. A missing modality gets no weight at all, whatever its
    array holds; an utterance with none of them becomes the zero vector.

    Reference: Lian et al., "Conversational Emotion Analysis via Attention
    Mechanisms", Interspeech 2019 (1910.11263), the fusion that the main system builds
    on; the details of the formula are a reconstruction.

    Attributes:
      width: size of the fused vector.
      dropout: rate on the inputs and on the fused vector.
      dtype: compute type; parameters stay float32.
    """

    width: int
    dropout: float = 0.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        inputs: Mapping[str, Float[Array, "*rows _"]],
        present: Mapping[str, Bool[Array, "*rows"]],
        *,
        deterministic: bool,
    ) -> Float[Array, "*rows {self.width}"]:
        """Fuse `modality -> [..., dim]` into `[..., width]`."""
        drop = turn_dropout(self.dropout, deterministic)
        names = sorted(inputs)
        # `where` on the way in keeps a NaN in an absent modality out of the gradient.
        clean = [jnp.where(present[n][..., None], inputs[n], 0.0) for n in names]
        project = functools.partial(
            nn.Dense, self.width, dtype=self.dtype, dot_general=dense_product
        )
        projected = jnp.stack(
            [
                fusion_barrier(project(name=f"project_{name}")(drop(x)))
                for name, x in zip(names, clean, strict=True)
            ],
            axis=-2,
        )
        scores = nn.Dense(1, use_bias=False, dtype=self.dtype, name="score")(
            jnp.tanh(projected)
        )[..., 0]
        mask = jnp.stack([present[name] for name in names], axis=-1)
        weights = nn.softmax(scores.astype(jnp.float32), axis=-1, where=mask)
        # With no modality at all the masked softmax is 0 / 0.
        weights = jnp.where(mask, weights, 0.0).astype(self.dtype)
        return fusion_barrier(drop(jnp.einsum("...m,...mw->...w", weights, projected)))
