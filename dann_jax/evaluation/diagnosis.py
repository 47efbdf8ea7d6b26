"""Plain words under the numbers: what a run's curves and probes say went wrong.

Each rule reads what was measured of one arm and returns a sentence or None. A number
that was not measured is NaN, a curve that was not is empty; no rule fires on them.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

_EMPTY = np.zeros(0)
_NAN = float("nan")


class Measured(NamedTuple):
    """What is known of one arm, averaged over its replicas; curves are one an epoch.

    Attributes:
      label_loss: float `[epochs]`, training, in nats.
      train_accuracy: float `[epochs]`, of the labelled rows.
      validation_accuracy: float `[evaluations]`.
      domain_loss: float `[epochs]`, of the adversary in training, in nats.
      domain_accuracy: float `[epochs]`, of the adversary in training.
      domain_chance: accuracy of always naming the most frequent domain.
      domain_guess_loss: loss of a discriminator that knows the frequencies alone.
      strength: float `[epochs]`, what the schedule gave.
      strength_wanted: what the arm asks for; 0 for source-only.
      gradient_label: float `[epochs]`, norm that reaches the encoder from the label.
      gradient_domain: float `[epochs]`, norm that reaches it from the adversary.
      probe_accuracy: of a fresh probe for the domain, on the encoder's features.
      probe_chance: of the same by permutation.
      label_shift: see `divergence.label_shift`, of class and domain in training.
      ua_gain: UA minus that of source-only.
      ua_gain_ci95: its interval.
      spread: `divergence.relative_spread` of the encoder's features.
      moved: the furthest that one of these features is from source-only's.
    """

    label_loss: np.ndarray = _EMPTY
    train_accuracy: np.ndarray = _EMPTY
    validation_accuracy: np.ndarray = _EMPTY
    domain_loss: np.ndarray = _EMPTY
    domain_accuracy: np.ndarray = _EMPTY
    domain_chance: float = _NAN
    domain_guess_loss: float = _NAN
    strength: np.ndarray = _EMPTY
    strength_wanted: float = 0.0
    gradient_label: np.ndarray = _EMPTY
    gradient_domain: np.ndarray = _EMPTY
    probe_accuracy: float = _NAN
    probe_chance: float = _NAN
    label_shift: float = _NAN
    ua_gain: float = _NAN
    ua_gain_ci95: tuple[float, float] = (_NAN, _NAN)
    spread: float = _NAN
    moved: float = _NAN


def weak_discriminator(seen: Measured) -> str | None:
    """The trained discriminator finds nothing, and a fresh one does."""
    fooled = _above(_late(seen.domain_accuracy), seen.domain_chance) < 0.1
    found = _above(seen.probe_accuracy, seen.probe_chance) > 0.2
    if not (seen.strength_wanted > 0.0 and fooled and found):
        return None
    return (
        f"The discriminator is at chance while a fresh probe still finds the domain in "
        f"{_percent(seen.probe_accuracy)} of rows (chance "
        f"{_percent(seen.probe_chance)}): the discriminator is too weak. Give it more "
        f"hidden units (heads.domain_hidden) or train it longer."
    )


def domain_remains(seen: Measured) -> str | None:
    """Both discriminators find the domain: the adversary changed too little."""
    beaten = _above(_late(seen.domain_accuracy), seen.domain_chance) > 0.5
    found = _above(seen.probe_accuracy, seen.probe_chance) > 0.5
    if not (seen.strength_wanted > 0.0 and beaten and found):
        return None
    return (
        f"The discriminator still names the domain in "
        f"{_percent(_late(seen.domain_accuracy))} of rows, and a fresh probe in "
        f"{_percent(seen.probe_accuracy)}: the encoder hides little. Try a higher "
        f"strength (arms)."
    )


def classes_moved(seen: Measured) -> str | None:
    """Domains differ in their classes, the adversary won, and UA fell."""
    fooled = _late(seen.domain_loss) > 0.9 * seen.domain_guess_loss
    fell = seen.ua_gain < 0.0 and seen.ua_gain_ci95[1] < 0.0
    if not (seen.label_shift > 0.1 and fooled and fell):
        return None
    return (
        f"The classes moved together: the domain tells {_percent(seen.label_shift)} of "
        f"the class, the discriminator is at chance and UA fell by "
        f"{-100.0 * seen.ua_gain:.1f} points. What hides the domain then hides the "
        f"class. Try CDAN (heads.conditional) or class weights."
    )


def strength_not_reached(seen: Measured) -> str | None:
    """The schedule ended before the strength that the arm asks for."""
    if not len(seen.strength) or seen.strength.max() >= 0.9 * seen.strength_wanted:
        return None
    return (
        f"The strength never reached {seen.strength_wanted:g}: it ended at "
        f"{seen.strength[-1]:.2g}. Train longer (timetable.epochs) or let its schedule "
        f"(strength) rise faster."
    )


def discriminator_idle(seen: Measured) -> str | None:
    """Nothing works against the discriminator, and it has learned nothing."""
    if seen.strength_wanted > 0.0:
        return None
    if not _late(seen.domain_loss) > 0.95 * seen.domain_guess_loss:
        return None
    return (
        f"The discriminator never learned: its loss is {_late(seen.domain_loss):.2f} "
        f"at strength 0, where {seen.domain_guess_loss:.2f} is guessing. What it says "
        f"in other arms means nothing; look at its learning rate and its domain ids."
    )


def collapsed_encoder(seen: Measured) -> str | None:
    """All rows are mapped to nearly the same point."""
    if not seen.spread < 0.02:
        return None
    return (
        f"The encoder collapsed: its features differ by {_percent(seen.spread)} of "
        f"their length between rows. Lower the strength or the learning rate."
    )


def without_effect(seen: Measured) -> str | None:
    """The arm has a strength, and the very features of source-only."""
    if not (seen.strength_wanted > 0.0 and seen.moved == 0.0):
        return None
    return (
        "Nothing acted in this arm: it learned exactly what source-only did. What "
        "works on unlabelled rows needs protocol.unlabelled, and what tells domains "
        "apart needs two of them."
    )


def adversary_overwhelms(seen: Measured) -> str | None:
    """Far more gradient comes from the adversary than from the label."""
    ratio = _late(seen.gradient_domain) / max(_late(seen.gradient_label), 1e-12)
    # A label that is learned by heart has no gradient left.
    learning = _late(seen.label_loss) > 0.1
    if not (ratio > 5.0 and learning):
        return None
    return (
        f"The adversary's gradient in the encoder is {ratio:.0f} times the label's: "
        f"the emotion has no say. Lower the strength."
    )


def overfitting(seen: Measured) -> str | None:
    """Training goes on rising while validation has fallen from its best."""
    if not len(seen.validation_accuracy):
        return None
    gap = _late(seen.train_accuracy) - _late(seen.validation_accuracy)
    fallen = seen.validation_accuracy.max() - _late(seen.validation_accuracy)
    if not (gap > 0.15 and fallen > 0.03):
        return None
    return (
        f"It overfits: {_percent(_late(seen.train_accuracy))} of training rows are "
        f"right and {_percent(_late(seen.validation_accuracy))} of validation rows, "
        f"{100.0 * fallen:.1f} points below their best. Stop earlier, or use more "
        f"encoder.dropout or optimizer.weight_decay."
    )


def not_converged(seen: Measured) -> str | None:
    """The label loss of the last tenth is 5 % below that of the tenth before."""
    if len(seen.label_loss) < 10:
        return None
    part = max(len(seen.label_loss) // 10, 2)
    last, before = seen.label_loss[-part:].mean(), seen.label_loss[-2 * part : -part]
    if not last < 0.95 * before.mean() or last < 0.05:
        return None
    return (
        f"It has not converged: the label loss still fell by "
        f"{_percent(1.0 - last / before.mean())} in the last {part} epochs. Train "
        f"longer (timetable.epochs)."
    )


RULES: Mapping[str, Callable[[Measured], str | None]] = {
    "weak-discriminator": weak_discriminator,
    "domain-remains": domain_remains,
    "classes-moved": classes_moved,
    "strength-not-reached": strength_not_reached,
    "discriminator-idle": discriminator_idle,
    "collapsed-encoder": collapsed_encoder,
    "without-effect": without_effect,
    "adversary-overwhelms": adversary_overwhelms,
    "overfitting": overfitting,
    "not-converged": not_converged,
}
"""The name of a diagnosis -> its rule."""


def diagnose(seen: Measured) -> dict[str, str]:
    """The name and the sentence of every rule that fires; none for a healthy arm.

    Args:
      seen: what was measured of an arm.

    Example:
      >>> diagnose(Measured(spread=0.001))["collapsed-encoder"][:21]
      'The encoder collapsed'
    """
    found = {name: rule(seen) for name, rule in RULES.items()}
    return {name: text for name, text in found.items() if text is not None}


def _late(curve: np.ndarray) -> float:
    """Mean of the last tenth of a curve, of the last two points at least."""
    if not len(curve):
        return _NAN
    return float(np.mean(curve[-max(len(curve) // 10, 2) :]))


def _above(accuracy: float, chance: float) -> float:
    """How far from chance (0) to all right (1)."""
    return (accuracy - chance) / (1.0 - chance) if chance < 1.0 else _NAN


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f} %" if share < 0.1 else f"{100.0 * share:.0f} %"
