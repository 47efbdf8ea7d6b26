"""From the utterances of a dialogue to utterances that know their context."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from dann_jax.models.dropout import turn_dropout
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

    Reference: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder",
    EMNLP 2014; the candidate uses the reset gate after the product, as cuDNN does. For
    a state for every speaker, Majumder et al., "DialogueRNN", AAAI 2019.
    """

    width: int
    own_turns: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, visible: Array, party: Array) -> Array:
        width, readings = self.width, 2 if self.own_turns else 1
        gates = nn.Dense(readings * 6 * width, dtype=self.dtype, name="input")(x)
        gates = jnp.split(gates, readings, axis=-1)
        places = jnp.broadcast_to(jnp.arange(x.shape[1]), visible.shape)
        orders = [places]
        if self.own_turns:
            # A stable sort keeps the time order of each speaker's turns.
            orders.append(jnp.argsort(party, axis=1, stable=True))
        streams = [
            stream
            for index, (gate, order) in enumerate(zip(gates, orders, strict=True))
            for stream in _both_directions(gate, visible, party, order, index == 1)
        ]
        # Time first, then stream: [T, streams, B, ...].
        steps = jax.tree.map(lambda *parts: jnp.stack(parts, 1), *streams)
        states = self._scan(steps, x.shape[0])
        outputs = 0.0
        for index, order in enumerate(orders):
            forth, back = states[:, 2 * index], states[::-1, 2 * index + 1]
            both = jnp.concatenate([forth, back], axis=-1).transpose(1, 0, 2)
            if index:
                both = jnp.take_along_axis(both, jnp.argsort(order)[..., None], 1)
            outputs += both
        return outputs * visible[..., None]

    def _scan(self, steps: tuple[Array, Array, Array], batch: int) -> Array:
        """States of every stream after every turn, `[T, streams, B, width]`."""
        width, streams = self.width, steps[0].shape[1]
        kernel = self.param("recurrent", _orthogonal_blocks, streams, width)
        kernel = kernel.astype(self.dtype)
        bias = self.param("candidate_bias", nn.initializers.zeros, (streams, 1, width))
        bias = bias.astype(self.dtype)

        def turn(state: Array, step: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            gate, seen, fresh = step
            if self.own_turns:
                state = jnp.where(fresh, 0.0, state)
            # Plain products: XLA's batched one is slower on CPU, equal elsewhere.
            product = jnp.stack([state[s] @ kernel[s] for s in range(streams)])
            reset, update = jnp.split(
                nn.sigmoid(gate[..., : 2 * width] + product[..., : 2 * width]), 2, -1
            )
            candidate = jnp.tanh(
                gate[..., 2 * width :] + reset * (product[..., 2 * width :] + bias)
            )
            state = jnp.where(seen, candidate + update * (state - candidate), state)
            return state, state

        start = jnp.zeros((streams, batch, width), self.dtype)
        return jax.lax.scan(turn, start, steps)[1]


def _both_directions(
    gates: Array, visible: Array, party: Array, order: Array, own: bool
) -> list[tuple[Array, Array, Array]]:
    """What a loop over turns needs, forth and back, each with time first.

    Gates, which turns are visible, and before which turns the state is forgotten: in
    the own reading, wherever another speaker's turns begin.
    """
    if own:
        gates = jnp.take_along_axis(gates, order[..., None], 1)
        visible = jnp.take_along_axis(visible, order, 1)
        party = jnp.take_along_axis(party, order, 1)
    changes = party[:, 1:] != party[:, :-1]
    fresh = jnp.pad(changes & own, ((0, 0), (1, 1)))
    forth, back = jnp.split(gates, 2, axis=-1)
    turns = [
        (forth, visible[..., None], fresh[:, :-1, None]),
        (back[:, ::-1], visible[:, ::-1, None], fresh[:, :0:-1, None]),
    ]
    return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), turns)


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
