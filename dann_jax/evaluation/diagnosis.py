"""Sentences under the numbers: what the curves and probes of an arm show went wrong.

Each rule reads what was measured of one arm and returns a sentence or None. A number
that was not measured is NaN and a curve that was not is empty; no rule fires on them.
Two rules state facts (`strength-not-reached`, `without-effect`); the thresholds of the
other two are those that held in the sweep of strengths on IEMOCAP (docs/results.md),
where at strength 0 every discriminator learns.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

_EMPTY = np.zeros(0)
_NAN = float("nan")


class Measured(NamedTuple):
    """What is known of one arm, averaged over replicas; a curve has a point an epoch.

    Attributes:
      domain_loss: float `[epochs]`, of the adversary in training, in nats.
      domain_accuracy: float `[epochs]`, of the adversary in training, in [0, 1].
      domain_chance: accuracy of always naming the most frequent domain, in [0, 1].
      domain_guess_loss: loss of a discriminator that knows the frequencies alone, nats.
      strength: float `[epochs]`, what the schedule gave.
      strength_wanted: what the arm asks for; 0 for source-only.
      probe_accuracy: of a fresh probe for the domain, on the encoder's features.
      probe_chance: the same after the domains were permuted.
      moved: the largest difference of one of these features from source-only's.
    """

    domain_loss: np.ndarray = _EMPTY
    domain_accuracy: np.ndarray = _EMPTY
    domain_chance: float = _NAN
    domain_guess_loss: float = _NAN
    strength: np.ndarray = _EMPTY
    strength_wanted: float = 0.0
    probe_accuracy: float = _NAN
    probe_chance: float = _NAN
    moved: float = _NAN


def weak_discriminator(arm: Measured) -> str | None:
    """The trained discriminator is at chance, and a fresh probe is not.

    Reference: Elazar and Goldberg, "Adversarial Removal of Demographic Attributes from
    Text Data", EMNLP 2018, who find the same in text.
    """
    at_chance = _above(_late(arm.domain_accuracy), arm.domain_chance) < 0.1
    probe_finds = _above(arm.probe_accuracy, arm.probe_chance) > 0.2
    if not (arm.strength_wanted > 0.0 and at_chance and probe_finds):
        return None
    return (
        f"The discriminator is at chance while a fresh probe still finds the domain in "
        f"{100.0 * arm.probe_accuracy:.0f} % of rows (chance "
        f"{100.0 * arm.probe_chance:.0f} %): the discriminator is too weak. Give it "
        f"more hidden units (heads.domain_hidden) or train it longer."
    )


def strength_not_reached(arm: Measured) -> str | None:
    """The schedule ended before the strength that the arm asks for."""
    if not len(arm.strength) or arm.strength.max() >= 0.9 * arm.strength_wanted:
        return None
    return (
        f"The strength never reached {arm.strength_wanted:g}: it ended at "
        f"{arm.strength[-1]:.2g}. Train longer (timetable.epochs) or let its schedule "
        f"(strength) rise faster."
    )


def discriminator_idle(arm: Measured) -> str | None:
    """Nothing works against the discriminator, and it is no better than guessing.

    Its loss alone does not tell: a new one, with dropout, is worse than guessing long
    after it names domains well above chance. Nor is it at fault where a fresh probe
    finds no domain either.
    """
    if arm.strength_wanted > 0.0:
        return None
    if not _late(arm.domain_loss) > 0.95 * arm.domain_guess_loss:
        return None
    accuracy = _late(arm.domain_accuracy)
    if not _above(accuracy, arm.domain_chance) < 0.05:
        return None
    if _above(arm.probe_accuracy, arm.probe_chance) < 0.1:
        return None
    return (
        f"The discriminator has not learned: at strength 0, where nothing works "
        f"against it, it is right in {100.0 * accuracy:.0f} % of rows (chance "
        f"{100.0 * arm.domain_chance:.0f} %), with a loss of "
        f"{_late(arm.domain_loss):.2f} (guessing: {arm.domain_guess_loss:.2f}). Its "
        f"results in other arms mean nothing; train longer, or look at its learning "
        f"rate and its domain ids."
    )


def without_effect(arm: Measured) -> str | None:
    """The arm has a strength, and exactly the features of source-only."""
    if not (arm.strength_wanted > 0.0 and arm.moved == 0.0):
        return None
    return (
        "The adversary or penalty of this arm changed nothing: it learned exactly what "
        "source-only did. Terms over unlabelled rows need protocol.unlabelled, and an "
        "adversary needs two domains."
    )


RULES: Mapping[str, Callable[[Measured], str | None]] = {
    "weak-discriminator": weak_discriminator,
    "strength-not-reached": strength_not_reached,
    "discriminator-idle": discriminator_idle,
    "without-effect": without_effect,
}
"""The name of a diagnosis -> its rule."""


def diagnose(arm: Measured) -> dict[str, str]:
    """Diagnosis -> sentence, of every rule that fires; empty for a healthy arm.

    Example:
      >>> list(diagnose(Measured(strength_wanted=0.3, moved=0.0)))
      ['without-effect']
    """
    sentences = {name: rule(arm) for name, rule in RULES.items()}
    return {name: text for name, text in sentences.items() if text is not None}


def _late(curve: np.ndarray) -> float:
    """Mean of the last tenth of a curve, of the last two points at least."""
    if not len(curve):
        return _NAN
    return float(np.mean(curve[-max(len(curve) // 10, 2) :]))


def _above(accuracy: float, chance: float) -> float:
    """How far from chance (0) to all right (1)."""
    return (accuracy - chance) / (1.0 - chance) if chance < 1.0 else _NAN
