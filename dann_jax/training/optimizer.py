"""The optimiser, assembled from optax."""

import jax
import optax

from dann_jax.schedules import ganin_learning_rate


def make_optimizer(
    *,
    total_steps: int,
    learning_rate: float = 1e-3,
    schedule: str = "constant",
    weight_decay: float = 0.0,
    clip_norm: float = 0.0,
    name: str = "adam",
) -> optax.GradientTransformation:
    """Adam, or SGD with momentum .9, with decoupled weight decay and clipping.

    Args:
      total_steps: of the whole run, for the schedule.
      learning_rate: where the schedule starts.
      schedule: `constant`, `cosine` (to 0) or `ganin`.
      weight_decay: decoupled, times the learning rate, on matrices only (not on
        biases and scales).
      clip_norm: global norm above which gradients are scaled down; 0 for never. The
        norm counts the domain heads too: with clipping, an arm of strength 0 is no
        longer trained exactly as `source_only` would be.
      name: `adam` or `sgd`.
    """
    rates = {
        "constant": optax.constant_schedule(learning_rate),
        "cosine": optax.cosine_decay_schedule(learning_rate, total_steps),
        "ganin": ganin_learning_rate(total_steps, base=learning_rate),
    }
    directions = {"adam": optax.scale_by_adam(), "sgd": optax.trace(decay=0.9)}
    for what, word, table in (
        ("learning-rate schedule", schedule, rates),
        ("optimiser", name, directions),
    ):
        if word not in table:
            raise ValueError(f"unknown {what} {word!r}; choose from {', '.join(table)}")
    return optax.chain(
        optax.clip_by_global_norm(clip_norm) if clip_norm else optax.identity(),
        directions[name],
        optax.add_decayed_weights(weight_decay, mask=_decayed),
        optax.scale_by_learning_rate(rates[schedule]),
    )


def _decayed(params: optax.Params) -> optax.Params:
    """True for weights, False for biases, which may have several axes too."""

    def decays(path: tuple, leaf: jax.Array) -> bool:
        return leaf.ndim > 1 and not jax.tree_util.keystr(path[-1:]).endswith("bias']")

    return jax.tree_util.tree_map_with_path(decays, params)
