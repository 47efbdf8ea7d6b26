"""The optimiser, assembled from optax."""

from collections.abc import Callable, Hashable, Mapping
from typing import Annotated, Any

import jax
import optax

from dann_jax.training.schedules import ganin_learning_rate
from dann_jax.utils.arguments import Range, call_checked

_OFFSETS = tuple(f"{word}']" for word in ("bias", "scale", "mean", "variance"))


def make_optimizer(
    *,
    total_steps: int,
    learning_rate: Annotated[float, Range(0, low_inside=False), Range(high=10)] = 1e-3,
    schedule: str = "constant",
    weight_decay: Annotated[float, Range(0), Range(high=10)] = 0.0,
    clip_norm: Annotated[float, Range(0), Range(high=1e6)] = 0.0,
    name: str = "adam",
    players: Mapping[str, Mapping[str, Any]] = {},
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
      players: top-level parameters, such as `data_head` -> what is different in their
        own optimiser, by the names of the arguments above. All others share one.
    """
    if players:
        shared = {
            "total_steps": total_steps,
            "learning_rate": learning_rate,
            "schedule": schedule,
            "weight_decay": weight_decay,
            "clip_norm": clip_norm,
            "name": name,
        }
        of_players: dict[Hashable, optax.GradientTransformation] = {
            part: call_checked(
                f"config.optimizer.players.{part}",
                make_optimizer,
                **shared | dict(options),
            )
            for part, options in players.items()
        }
        of_players[""] = make_optimizer(**shared)
        return optax.partition(of_players, _by_player(players))
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


def _by_player(players: Mapping[str, Any]) -> Callable[[Any], Any]:
    def labels(params: Mapping[str, Any]) -> dict[str, str]:
        absent = sorted(set(players) - set(params))
        if absent:
            raise ValueError(
                f"players {', '.join(absent)} are no parameters; there are "
                f"{', '.join(sorted(params))}"
            )
        return {part: part if part in players else "" for part in params}

    return labels


def _decayed(params: optax.Params) -> optax.Params:
    """True for weights; others, such as biases, may have several axes too."""

    def decays(path: tuple, leaf: jax.Array) -> bool:
        return leaf.ndim > 1 and not jax.tree_util.keystr(path[-1:]).endswith(_OFFSETS)

    return jax.tree_util.tree_map_with_path(decays, params)
