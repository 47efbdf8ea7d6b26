"""What the encoders are made of: transformer blocks, and convolutions as products."""

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from dann_jax.models.pretrained.settings import ACTIVATIONS
from dann_jax.types import Array


def unfold(x: Array, kernel: int, stride: int) -> Array:
    """What each position of a convolution over time sees, side by side.

    A product with it is the convolution, and faster on a CPU; blocks of `stride` frames
    are moved as a whole, so that nothing is gathered frame by frame.

    Args:
      x: float `[B, T, channels]`.
      kernel: frames of the kernel; `T` is at least as many.
      stride: frames from one position to the next.

    Returns:
      float `[B, (T - kernel) // stride + 1, kernel * channels]`, earliest frame first.

    Example:
      >>> unfold(jnp.arange(5.0).reshape(1, 5, 1), kernel=3, stride=2)[0].tolist()
      [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]
    """
    batch, length, channels = x.shape
    frames = (length - kernel) // stride + 1
    blocks = -(-kernel // stride)
    needed = (frames - 1 + blocks) * stride
    x = jnp.pad(x, ((0, 0), (0, max(needed - length, 0)), (0, 0)))[:, :needed]
    x = x.reshape(batch, -1, stride * channels)
    windows = jnp.concatenate([x[:, i : i + frames] for i in range(blocks)], axis=-1)
    return windows[..., : kernel * channels]


def layer_norm(epsilon: float, dtype: DTypeLike, name: str) -> nn.LayerNorm:
    """Layer normalisation as PyTorch does it: the variance in two passes."""
    return nn.LayerNorm(
        epsilon=epsilon, dtype=dtype, use_fast_variance=False, name=name
    )


class Attention(nn.Module):
    """Self-attention; queries, keys and values are one product.

    Attributes:
      heads: a divisor of the width.
      gated: whether a bias is scaled by WavLM's gate of each query and head.
      dtype: compute type.
    """

    heads: int
    gated: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, mask: Array, bias: Array | None = None) -> Array:
        """Attends to the frames of the mask; `[B, T, D] -> [B, T, D]`.

        Args:
          x: float `[B, T, D]`.
          mask: bool `[B, T]`; the frames that are attended to.
          bias: float `[heads, T, T]`, added to the logits; None for none.
        """
        batch, frames, width = x.shape
        size = width // self.heads

        def by_head(part: Array) -> Array:
            return part.reshape(batch, frames, self.heads, size).transpose(0, 2, 1, 3)

        qkv = nn.Dense(3 * width, dtype=self.dtype, name="qkv")(x)
        query, key, value = map(by_head, jnp.split(qkv, 3, axis=-1))
        logits = jnp.einsum("bhqd,bhkd->bhqk", query * size**-0.5, key)
        if self.gated:
            bias = bias * self._gate(by_head(x))
        if bias is not None:
            logits = logits + bias
        # The softmax is float32 for any compute type, as in PyTorch.
        logits = jnp.where(mask[:, None, None], logits.astype(jnp.float32), -1e30)
        weights = nn.softmax(logits).astype(self.dtype)
        y = jnp.einsum("bhqk,bhkd->bhqd", weights, value)
        y = y.transpose(0, 2, 1, 3).reshape(x.shape)
        return nn.Dense(width, dtype=self.dtype, name="out")(y)

    def _gate(self, x: Array) -> Array:
        """Of each query: `[B, heads, T, D / heads] -> [B, heads, T, 1]`."""
        scale = self.param("gate_scale", nn.initializers.ones, (self.heads, 1))
        gates = nn.sigmoid(nn.Dense(2, dtype=self.dtype, name="gate")(x))
        gates = gates[..., 0] * (gates[..., 1] * scale - 1.0) + 2.0
        return gates.astype(self.dtype)[..., None]


class Block(nn.Module):
    """A transformer layer `[B, T, D] -> [B, T, D]`, normalised before or after parts.

    References: Vaswani et al., "Attention Is All You Need", NeurIPS 2017 (after); Xiong
    et al., "On Layer Normalization in the Transformer Architecture", ICML 2020
    (before).

    Attributes:
      heads: attention heads.
      inner: width of the feed-forward part.
      activation: a name in `ACTIVATIONS`.
      norm_first: whether normalisation comes before the parts.
      epsilon: of the normalisation.
      gated: see `Attention`.
      dtype: compute type.
    """

    heads: int
    inner: int
    activation: str
    norm_first: bool
    epsilon: float = 1e-5
    gated: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, mask: Array, bias: Array | None = None) -> Array:
        attention = Attention(self.heads, self.gated, self.dtype, name="attention")
        norm1 = layer_norm(self.epsilon, self.dtype, "norm1")
        norm2 = layer_norm(self.epsilon, self.dtype, "norm2")
        if self.norm_first:
            x = x + attention(norm1(x), mask, bias)
            return x + self._feed_forward(norm2(x))
        x = norm1(x + attention(x, mask, bias))
        return norm2(x + self._feed_forward(x))

    def _feed_forward(self, x: Array) -> Array:
        inner = nn.Dense(self.inner, dtype=self.dtype, name="fc1")(x)
        inner = ACTIVATIONS[self.activation](inner)
        return nn.Dense(x.shape[-1], dtype=self.dtype, name="fc2")(inner)


def chosen_layers(layers: tuple[int, ...] | None, num_layers: int) -> tuple[int, ...]:
    """The hidden states asked for; None is all of them, negative ones count back.

    Raises:
      ValueError: none, or one that there is not.

    Example:
      >>> chosen_layers((3, -1), num_layers=6)
      (3, 6)
    """
    if layers is None:
        return tuple(range(num_layers + 1))
    wrong = [layer for layer in layers if not -num_layers - 1 <= layer <= num_layers]
    if wrong or not layers:
        raise ValueError(
            f"layers={list(layers)}: hidden states are numbered 0 to {num_layers}, "
            f"0 being the input of the first layer; name at least one"
        )
    return tuple(layer % (num_layers + 1) for layer in layers)
