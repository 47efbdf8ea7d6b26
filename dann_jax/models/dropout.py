"""Dropout for sequences."""

from flax import linen as nn


def turn_dropout(rate: float, deterministic: bool) -> nn.Dropout:
    """Dropout on `[B, T, D]` with one mask for all turns of a dialogue.

    A fresh mask for every turn hides little from a network that reads them all, and
    drawing it costs as much as a third of the train step on CPU.

    Reference: Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in
    Recurrent Neural Networks", NeurIPS 2016.
    """
    return nn.Dropout(rate, broadcast_dims=(-2,), deterministic=deterministic)
