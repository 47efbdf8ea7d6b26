"""Context of a dialogue: a recurrence over its utterances, then self-attention."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike
from jaxtyping import Bool, Float, Int

from dann_jax.models.layers import GateProjection, turn_dropout
from dann_jax.models.ops.attention import MASK_VALUE, attend
from dann_jax.models.ops.dense import dense_product
from dann_jax.models.ops.fusion_barrier import fusion_barrier
from dann_jax.models.ops.gru import GruWeights, gated_recurrence, permuted
from dann_jax.types import Array


def _orthogonal_blocks(key: Array, streams: int, width: int) -> Array:
    """An orthogonal matrix for each stream and gate, `[streams, width, 3 width]`."""
    make = nn.initializers.orthogonal()
    keys = jax.random.split(key, 3 * streams)
    blocks = jax.vmap(lambda one: make(one, (width, width)))(keys)
    blocks = blocks.reshape(streams, 3, width, width)
    return blocks.transpose(0, 2, 1, 3).reshape(streams, width, 3 * width)


class BidirectionalGru(nn.Module):
    """A bidirectional gated recurrent unit; `[B, T, D] -> [B, T, 2 width]`.

    With `own_turns` a second one runs over the turns of each speaker separately, and
    the outputs of both are added.

    All directions share one loop; the input projections are computed before it.
    Invisible turns (padding, held-out turns) leave the state unchanged and give zeros.

    Reference: for a state for every speaker, Majumder et al., "DialogueRNN", AAAI 2019;
    for the unit, see `gated_recurrence`.
    """

    width: int
    own_turns: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "dialogues turns dim"],
        visible: Bool[Array, "dialogues turns"],
        party: Int[Array, "dialogues turns"],
    ) -> Float[Array, "dialogues turns {2*self.width}"]:
        x = x.astype(self.dtype)
        streams = _both_directions(x, visible, jnp.zeros_like(visible))
        if self.own_turns:
            # A stable sort keeps the time order of each speaker's turns.
            order = jnp.argsort(party, axis=1, stable=True)
            inverse = jnp.argsort(order, axis=1)
            sorted_party, sorted_visible = (
                jnp.take_along_axis(turns, order, 1) for turns in (party, visible)
            )
            begins = sorted_party[:, 1:] != sorted_party[:, :-1]
            sorted_x = permuted(x, order, inverse)
            streams += _both_directions(
                sorted_x, sorted_visible, jnp.pad(begins, ((0, 0), (1, 0)))
            )
        # Stream and turn first: [streams, T, B, ...].
        steps = jax.tree.map(lambda *parts: jnp.stack(parts), *streams)
        weights = self._weights(len(streams), x.shape[-1])
        states = jnp.unstack(gated_recurrence(weights, *steps))
        output = _read_back(*states[:2])
        if self.own_turns:
            output += permuted(_read_back(*states[2:]), inverse, order)
        return fusion_barrier(output * visible[..., None])

    def _weights(self, streams: int, dim: int) -> GruWeights:
        width, zeros = self.width, nn.initializers.zeros
        kernel, bias = GateProjection(3 * streams * width, name="input")(dim)
        weights = GruWeights(
            input=kernel.reshape(dim, streams, 3 * width).swapaxes(0, 1),
            input_bias=bias.reshape(streams, 1, 3 * width),
            recurrent=self.param("recurrent", _orthogonal_blocks, streams, width),
            candidate_bias=self.param("candidate_bias", zeros, (streams, 1, width)),
        )
        return jax.tree.map(lambda leaf: leaf.astype(self.dtype), weights)


def _both_directions(
    x: Array, visible: Array, begins: Array
) -> list[tuple[Array, Array, Array]]:
    """Arguments of `gated_recurrence` for the forward and the backward direction.

    Inputs `[T, B, D]`, which turns are visible and before which turns the state is
    reset, bool `[T, B, 1]`: where `begins` in the forward direction; backwards, at the
    last turn before that.
    """
    ends = jnp.pad(begins[:, 1:], ((0, 0), (0, 1)))
    x = fusion_barrier(x.swapaxes(0, 1))
    visible, begins, ends = (turns.T[..., None] for turns in (visible, begins, ends))
    return [(x, visible, begins), (x[::-1], visible[::-1], ends[::-1])]


def _read_back(forth: Array, back: Array) -> Array:
    """States of both directions `[T, B, width]` as outputs `[B, T, 2 width]`."""
    return jnp.concatenate([forth, back[::-1]], axis=-1).swapaxes(0, 1)


class DialogueContext(nn.Module):
    """Bidirectional GRU, then self-attention; `[B, T, D] -> [B, T, 2 width]`.

    Attributes:
      width: GRU width in each direction.
      heads: attention heads; a divisor of `width`.
      own_heads: how many of them attend to turns of the same speaker only; the others
        attend to the whole dialogue.
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
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "dialogues turns dim"],
        visible: Bool[Array, "dialogues turns"],
        party: Int[Array, "dialogues turns"],
        *,
        deterministic: bool,
    ) -> Float[Array, "dialogues turns {2*self.width}"]:
        drop = turn_dropout(self.dropout, deterministic)
        gru = BidirectionalGru(self.width, self.own_turns, self.dtype, name="gru")
        hidden = drop(gru(x, visible, party))
        attended = nn.MultiHeadDotProductAttention(
            num_heads=self.heads,
            qkv_features=self.width,
            dtype=self.dtype,
            attention_fn=functools.partial(attend, bias=self._bias(visible, party)),
            qkv_dot_general=dense_product,
            out_dot_general=dense_product,
            name="attention",
        )(hidden)
        return hidden + drop(attended) * visible[..., None]

    def _bias(
        self,
        visible: Bool[Array, "dialogues turns"],
        party: Int[Array, "dialogues turns"],
    ) -> Float[Array, "dialogues _ turns turns"]:
        """The mask of `attend`, float32 `[B, heads, T, T]`."""
        # A query may attend to a key where their ids are equal. One float for a turn:
        # comparing several integers and flags for each pair took four times as long.
        same_speaker = jnp.arange(self.heads)[:, None] < self.own_heads
        ids = jnp.where(same_speaker, party[:, None].astype(jnp.float32), 0.0)
        query_ids, key_ids = (
            fusion_barrier(jnp.where(visible[:, None], ids, invisible))
            for invisible in (-1.0, -2.0)
        )
        can_attend = query_ids[..., :, None] == key_ids[..., None, :]
        return fusion_barrier(jnp.where(can_attend, 0.0, MASK_VALUE))
