"""Sentences on what makes an adaptation to an unlabelled target look harmful.

Each rule reads what was measured of one arm and returns a sentence or nothing. A number
that was not measured is NaN, and no rule fires on it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dann_jax.evaluation.verdicts import verdict
from dann_jax.utils.words import listed

FEWER_CLASSES = 0.8
"""Of the number of classes that the baseline predicts (`classes_used`); see there."""

LESS_AGREEMENT = 0.2
"""Between seeds, below what held-out speakers of the source have."""

FEW_ROWS = 10


class Arm(NamedTuple):
    """What the rules look at.

    Attributes:
      name: of the arm.
      baseline: name of the arm that does not adapt.
      balance: class -> share of the target that is predicted as it.
      baseline_balance: the same of the baseline.
      measured: as in `arms` of `describe_target`.
      comparison: of the rehearsals, in UA, against the baseline; None of the baseline
        itself, or where nothing was rehearsed.
    """

    name: str
    baseline: str
    balance: Mapping[str, float]
    baseline_balance: Mapping[str, float]
    measured: Mapping[str, float]
    comparison: Mapping[str, Any] | None


def harms(
    target: Mapping[str, Any], comparisons: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Sentences, one for each sign of harm; empty where there is none.

    Args:
      target: what `describe_target` has measured.
      comparisons: of the rehearsals, as in `results.json`.
    """
    of_ua = {entry["arm"]: entry for entry in comparisons if entry["metric"] == "ua"}
    balance = target["balance"]
    baseline = next(iter(balance))
    found = []
    if (rows := target["rows"]) < FEW_ROWS:
        found.append(
            f"The target has {rows} recording{'s' * (rows != 1)}: what is measured on "
            f"so few says little."
        )
    for name, measured in target["arms"].items():
        arm = Arm(
            name,
            baseline,
            balance[name],
            balance[baseline],
            measured,
            of_ua.get(name),
        )
        found += [f"{name}: {text}" for rule in RULES if (text := rule(arm))]
    # Of a few recordings most classes are absent anyway.
    return found + (unused_classes(balance) if rows >= FEW_ROWS else [])


def unused_classes(balance: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A fact: classes that no recording is predicted as, a sentence for each set.

    Arms that predict a single class are passed over: `one_class` tells of them.

    Example:
      >>> shares = {"anger": 0.5, "neutral": 0.5, "sadness": 0.0}
      >>> (sentence,) = unused_classes({"source_only": shares, "dann": shares})
      >>> sentence.partition(":")[0]
      'No recording of yours was taken for sadness (by source_only, dann)'
    """
    arms: dict[str, list[str]] = {}
    for arm, shares in balance.items():
        unused = [name for name, share in shares.items() if not share]
        if unused and len(unused) < len(shares) - 1:
            arms.setdefault(listed(unused), []).append(arm)
    return [
        f"No recording of yours was taken for {classes} (by {', '.join(names)}): "
        f"either none is, or the model does not find it there; listen to some before "
        f"you conclude that it is absent."
        for classes, names in arms.items()
    ]


def one_class(arm: Arm) -> str:
    """A fact: every recording is predicted as the same class."""
    first = max(arm.balance, key=arm.balance.get)
    if arm.balance[first] < 1.0:
        return ""
    return (
        f"every recording of the target is predicted as {first}. Either they all are, "
        f"or the model tells nothing apart there: listen to some of them."
    )


def classes_used(balance: Mapping[str, float]) -> float:
    """The exponential of the entropy of a balance: of k equal shares it is k.

    Example:
      >>> classes_used({"anger": 0.5, "neutral": 0.5, "sadness": 0.0})
      2.0
    """
    shares = np.array([share for share in balance.values() if share > 0.0])
    return float(np.exp(-(shares * np.log(shares)).sum()))


def fewer_classes(arm: Arm) -> str:
    """Adapting has made the predictions of fewer classes than the baseline's are."""
    used, before = classes_used(arm.balance), classes_used(arm.baseline_balance)
    if not used < FEWER_CLASSES * before or one_class(arm):
        return ""
    first = max(arm.balance, key=arm.balance.get)
    return (
        f"adapting has narrowed the predictions to {used:.1f} classes, from "
        f"{before:.1f} of {arm.baseline}; {100 * arm.balance[first]:.0f} % are "
        f"{first}. If you do not expect that, do not trust this arm."
    )


def worse_rehearsed(arm: Arm) -> str:
    """Held-out speakers of the source are recognised worse than by the baseline."""
    if arm.comparison is None or verdict(arm.comparison["ci95"], "ua") != "worse":
        return ""
    return (
        f"adapting to held-out speakers of the source makes their UA worse by "
        f"{-100 * arm.comparison['difference']:.1f} points: expect no better of the "
        f"target."
    )


def less_agreement(arm: Arm) -> str:
    """Seeds agree much less on the target than on held-out speakers of the source.

    Reference: Jiang et al., "Assessing Generalization of SGD via Disagreement", ICLR
    2022: two trainings disagree about as often as each is wrong.
    """
    here, there = arm.measured["agreement"], arm.measured["rehearsed_agreement"]
    if not there - here > LESS_AGREEMENT:
        return ""
    return (
        f"two seeds agree on {100 * here:.0f} % of the recordings, and on "
        f"{100 * there:.0f} % of those of held-out source speakers: expect many more "
        f"errors than there."
    )


RULES: Sequence[Callable[[Arm], str]] = (
    one_class,
    fewer_classes,
    worse_rehearsed,
    less_agreement,
)
