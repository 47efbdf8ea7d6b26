"""A generator of inputs from features, and a discriminator of real and generated."""

import jax.numpy as jnp

from dann_jax.models.heads import ClassifierHead
from dann_jax.types import Array, Batch


def generate(
    features: Array, batch: Batch, hidden: tuple[int, ...], deterministic: bool
) -> dict[str, Array]:
    """Generate inputs from features, and classify real and generated inputs.

    To be called within a module: it adds the submodules `generator` and `data_head`.

    Args:
      features: float `[B, T, width]`.
      batch: its inputs, `[B, T, dim]` each, are concatenated in the order of names.
      hidden: hidden widths of the generator and of the discriminator.
      deterministic: passed on to both modules, which have no dropout.

    Returns:
      `original` and `generated`, float `[B, T, sum of dims]`; `real_logit` and
      `generated_logit`, float `[B, T]`, log-odds of being real.
    """
    original = concat_inputs(batch)
    generator = ClassifierHead(original.shape[-1], hidden, name="generator")
    generated = generator(features, deterministic=deterministic)
    discriminator = ClassifierHead(1, hidden, name="data_head")
    return {
        "original": original,
        "generated": generated,
        "real_logit": discriminator(original, deterministic=deterministic)[..., 0],
        "generated_logit": discriminator(generated, deterministic=deterministic)[
            ..., 0
        ],
    }


def concat_inputs(batch: Batch) -> Array:
    """All inputs concatenated, float32 `[B, T, sum of dims]`, 0 where not present."""
    if batch.num_frames:
        raise ValueError(
            f"a generator makes one vector an utterance; {', '.join(batch.num_frames)} "
            f"has frames: choose modalities without a time axis"
        )
    parts = [
        jnp.where(batch.present[name][..., None], batch.inputs[name], 0.0)
        for name in sorted(batch.inputs)
    ]
    return jnp.concatenate(parts, -1).astype(jnp.float32)
