"""From the utterances of a dialogue to utterances that know their context."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from dann_jax.models.dropout import turn_dropout
from dann_jax.models.recurrence import Gates, gated_recurrence, permuted
from dann_jax.types import Array


def _orthogonal_blocks(key: Array, streams: int, width: int) -> Array:
    """An orthogonal matrix for each stream and gate, `[streams, width, 3 width]`."""
    make = nn.initializers.orthogonal()
    keys = jax.random.split(key, 3 * streams)
    blocks = jax.vmap(lambda one: make(one, (width, width)))(keys)
    blocks = blocks.reshape(streams, 3, width, width)
    return blocks.transpose(0, 2, 1, 3).reshape(streams, width, 3 * width)


class BidirectionalGru(nn.Module):
    """A gated recurrent unit read in both directions; `[B, T, D] -> [B, T, 2 width]`.

    With `own_turns` a second one goes over each speaker's own turns as if nobody else
    had talked, and the outputs of both are added up.

    The input projections of all turns are one matrix product outside the loop, and all
    directions share one loop. Invisible turns leave the state untouched and output
    zeros, so padding and held-out turns are as if they were not there.

    Reference: for a state for every speaker, Majumder et al., "DialogueRNN", AAAI 2019;
    for the unit, see `gated_recurrence`.
    """

    width: int
    own_turns: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, visible: Array, party: Array) -> Array:
        width, readings = self.width, 2 if self.own_turns else 1
        gates = nn.Dense(readings * 6 * width, dtype=self.dtype, name="input")(x)
        gates = jnp.split(gates, readings, axis=-1)
        streams = _both_directions(gates[0], visible, jnp.zeros_like(visible))
        if self.own_turns:
            # A stable sort keeps the time order of each speaker's turns.
            order = jnp.argsort(party, axis=1, stable=True)
            inverse = jnp.argsort(order, axis=1)
            sorted_party, heard = (
                jnp.take_along_axis(turns, order, 1) for turns in (party, visible)
            )
            begins = sorted_party[:, 1:] != sorted_party[:, :-1]
            own = permuted(gates[1], order, inverse)
            streams += _both_directions(own, heard, jnp.pad(begins, ((0, 0), (1, 0))))
        # Time first, then stream: [T, streams, B, ...].
        steps = jax.tree.map(lambda *parts: jnp.stack(parts, 1), *streams)
        kernel = self.param("recurrent", _orthogonal_blocks, 2 * readings, width)
        bias = self.param(
            "candidate_bias", nn.initializers.zeros, (2 * readings, 1, width)
        )
        states = gated_recurrence(
            kernel.astype(self.dtype), bias.astype(self.dtype), *steps
        )
        output = _read_back(states[:, :2])
        if self.own_turns:
            output += permuted(_read_back(states[:, 2:]), inverse, order)
        return output * visible[..., None]


def _both_directions(
    gates: Array, visible: Array, begins: Array
) -> list[tuple[Gates, Array, Array]]:
    """What a loop over turns needs, forth and back, each with time first.

    Gates, which turns are visible, and before which turns the state is forgotten:
    forth where `begins`, back after a turn before which it is.
    """
    forth, back = jnp.split(gates, 2, axis=-1)
    ends = jnp.pad(begins[:, 1:], ((0, 0), (0, 1)))
    turns = [
        (tuple(jnp.split(forth, 3, -1)), visible[..., None], begins[..., None]),
        (
            tuple(jnp.split(back[:, ::-1], 3, -1)),
            visible[:, ::-1, None],
            ends[:, ::-1, None],
        ),
    ]
    return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), turns)


def _read_back(states: Array) -> Array:
    """States of both directions `[T, 2, B, width]` as outputs `[B, T, 2 width]`."""
    both = jnp.concatenate([states[:, 0], states[::-1, 1]], axis=-1)
    return both.transpose(1, 0, 2)


class DialogueContext(nn.Module):
    """Bidirectional GRU, then self-attention; `[B, T, D] -> [B, T, 2 width]`.

    Attributes:
      width: GRU width in each direction.
      heads: attention heads; a divisor of `width`.
      own_heads: how many of them hear the speaker's own turns only; the others hear
        the whole dialogue.
      own_turns: whether a second GRU goes over the speaker's own turns.
      dropout: rate after the GRU and on the attention's output.
      dtype: compute type; parameters stay float32.

    Reference: Lian et al. 2019 (1910.13807): recurrence over the conversation, then
    self-attention; sizes and the order of normalisation are ours.
    """

    width: int
    heads: int = 4
    own_heads: int = 0
    own_turns: bool = False
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, visible: Array, party: Array, *, deterministic: bool
    ) -> Array:
        drop = turn_dropout(self.dropout, deterministic)
        gru = BidirectionalGru(self.width, self.own_turns, self.dtype, name="gru")
        hidden = drop(gru(x, visible, party))
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
