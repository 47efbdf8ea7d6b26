"""An objective and penalties: which there are, and what strength each has.

A penalty that is `on` a column by name has a strength of its own, and so can be an arm.
"""

from collections.abc import Mapping
from typing import Any

from dann_jax.objectives.penalties import (
    Penalty,
    conditional_mmd,
    coral,
    entropy_minimisation,
    information_maximisation,
    labels_of,
    mcc,
    mmd,
    soft_labels,
    vrex,
)
from dann_jax.types import Array, Metrics, Objective, Outputs, Scalar
from dann_jax.utils.arguments import Weight, call

PENALTIES = {
    "coral": coral,
    "mmd": mmd,
    "conditional_mmd": conditional_mmd,
    "mcc": mcc,
    "entropy_minimisation": entropy_minimisation,
    "information_maximisation": information_maximisation,
    "vrex": vrex,
    "soft_labels": soft_labels,
    "labels_of": labels_of,
}
"""The word in a config -> the constructor of a penalty."""


OF_FEATURES = ("coral", "mmd")
"""Those that need no classes."""


def penalised(
    objective: Objective, penalties: Mapping[str, Mapping[str, Any]]
) -> Objective:
    """An objective plus `strength * weight * penalty` for every domain column.

    Args:
      objective: what it is added to.
      penalties: word -> arguments of the penalty, and beside them `name`, the word of
        `PENALTIES` (by default the same word), `weight` (1 by default) and `on`. A
        penalty that is `on` an adversary looks at its column alone, by
        `strength[word]`; any other at every column, by `strength[column]`.

    Raises:
      ValueError: there is no such penalty.
    """
    terms = {
        word: call(f"penalty {word!r}", _term, word, **options)
        for word, options in penalties.items()
    }

    def with_penalties(
        outputs: Outputs, batch: Any, strength: Mapping[str, Scalar]
    ) -> tuple[Array, Metrics]:
        loss, metrics = objective(outputs, batch, strength)
        for word, (penalty, weight, on) in terms.items():
            for name in [on] if on else outputs.domain_logits:
                value = penalty(outputs, batch, name)
                loss = loss + strength[word if on else name] * weight * value
                metrics[f"{word}/{name}"] = value
        return loss, metrics

    return with_penalties if terms else objective


def _term(
    word: str, *, name: str = "", weight: Weight = 1.0, on: str = "", **options: Any
) -> tuple[Penalty, float, str]:
    name = name or word
    if name not in PENALTIES:
        raise ValueError(f"unknown penalty {name}; choose from {', '.join(PENALTIES)}")
    return call(f"penalty {word!r}", PENALTIES[name], **options), weight, on


def own_strengths(objective: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the strengths, beside the adversaries', that an objective looks at.

    Args:
      objective: `name` and options of an objective, as in a config; those of it and
        its penalties that are `on` an adversary have a strength by their own word.

    Raises:
      ValueError: what a penalty has is no arguments.

    Example:
      >>> penalties = {"soft_labels": {"on": "style", "target": 1}, "coral": {}}
      >>> own_strengths({"name": "dann", "penalties": penalties})
      ('soft_labels',)
    """
    terms = {objective["name"]: objective, **objective.get("penalties", {})}
    for word, options in terms.items():
        if not isinstance(options, Mapping):
            raise ValueError(
                f"penalty {word!r} must have arguments, such as {{'on': 'speaker'}}, "
                f"got {options!r}"
            )
    return tuple(word for word, options in terms.items() if options.get("on"))
