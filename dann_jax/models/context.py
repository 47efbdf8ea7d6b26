"""From the utterances of a dialogue to utterances that know their context."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from dann_jax.models.dropout import turn_dropout
from dann_jax.types import Array


def _orthogonal_blocks(key: Array, width: int) -> Array:
    """An orthogonal matrix for each direction and gate, `[2, width, 3 width]`."""
    make = nn.initializers.orthogonal()
    blocks = jax.vmap(lambda one: make(one, (width, width)))(jax.random.split(key, 6))
    blocks = blocks.reshape(2, 3, width, width)
    return blocks.transpose(0, 2, 1, 3).reshape(2, width, 3 * width)


class BidirectionalGru(nn.Module):
    """A gated recurrent unit read in both directions; `[B, T, D] -> [B, T, 2 width]`.

    The input projections of all turns and both directions are one matrix product
    outside the loop, and both directions share one loop. Invisible turns leave the
    state untouched and output zeros, so padding and held-out turns are as if they
    were not there.

    Reference: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder",
    EMNLP 2014; the candidate uses the reset gate after the product, as cuDNN does.
    """

    width: int
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, visible: Array) -> Array:
        width = self.width
        gates = nn.Dense(6 * width, dtype=self.dtype, name="input")(x)
        gates = gates.reshape(*x.shape[:2], 2, 3 * width)
        # Time first, then direction: [T, 2, B, 3 width].
        gates = gates.transpose(1, 2, 0, 3)
        gates = jnp.stack([gates[:, 0], gates[::-1, 1]], axis=1)
        keep = jnp.stack([visible.T, visible.T[::-1]], axis=1)[..., None]

        kernel = self.param("recurrent", _orthogonal_blocks, width).astype(self.dtype)
        bias = self.param("candidate_bias", nn.initializers.zeros, (2, 1, width))
        bias = bias.astype(self.dtype)

        def turn(state: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            gate, seen = step
            # Two plain products: XLA's batched one is slower on CPU, equal elsewhere.
            product = jnp.stack([state[0] @ kernel[0], state[1] @ kernel[1]])
            reset, update = jnp.split(
                nn.sigmoid(gate[..., : 2 * width] + product[..., : 2 * width]), 2, -1
            )
            candidate = jnp.tanh(
                gate[..., 2 * width :] + reset * (product[..., 2 * width :] + bias)
            )
            state = jnp.where(seen, candidate + update * (state - candidate), state)
            return state, state

        start = jnp.zeros((2, x.shape[0], width), self.dtype)
        _, states = jax.lax.scan(turn, start, (gates, keep))
        both = jnp.concatenate([states[:, 0], states[::-1, 1]], axis=-1)
        return both.transpose(1, 0, 2) * visible[..., None]


class DialogueContext(nn.Module):
    """Bidirectional GRU, then self-attention; `[B, T, D] -> [B, T, 2 width]`.

    Attributes:
      width: GRU width in each direction.
      heads: attention heads; a divisor of `width`.
      own_heads: how many of them hear the speaker's own turns only; the others hear
        the whole dialogue.
      dropout: rate after the GRU and on the attention's output.
      dtype: compute type; parameters stay float32.

    Reference: Lian et al. 2019 (1910.13807): recurrence over the conversation, then
    self-attention; sizes and the order of normalisation are ours.
    """

    width: int
    heads: int = 4
    own_heads: int = 0
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, visible: Array, party: Array, *, deterministic: bool
    ) -> Array:
        drop = turn_dropout(self.dropout, deterministic)
        hidden = drop(
            BidirectionalGru(self.width, dtype=self.dtype, name="gru")(x, visible)
        )
        mask = visible[:, None, None, :] & visible[:, None, :, None]
        if self.own_heads:
            own = party[:, None, None, :] == party[:, None, :, None]
            restricted = jnp.arange(self.heads)[:, None, None] < self.own_heads
            mask = mask & (own | ~restricted)
        attended = nn.MultiHeadDotProductAttention(
            num_heads=self.heads,
            qkv_features=self.width,
            dtype=self.dtype,
            name="attention",
        )(hidden, mask=mask)
        return hidden + drop(attended) * visible[..., None]
