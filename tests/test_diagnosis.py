"""Each diagnosis fires on what it is made for, and not on a healthy run."""

import numpy as np
import pytest

from dann_jax.evaluation.diagnosis import RULES, Measured, diagnose
from dann_jax.evaluation.divergence import label_shift, relative_spread

EPOCHS = 30
TIME = np.linspace(0.0, 1.0, EPOCHS)
RISING = 2.0 / (1.0 + np.exp(-10.0 * TIME)) - 1.0
GUESS = np.log(10.0)

HEALTHY = Measured(
    label_loss=0.5 + 0.9 * np.exp(-8.0 * TIME),
    train_accuracy=0.8 - 0.5 * np.exp(-8.0 * TIME),
    validation_accuracy=0.72 - 0.45 * np.exp(-8.0 * TIME),
    domain_loss=GUESS - 0.1 - 0.5 * np.exp(-10.0 * TIME),
    domain_accuracy=0.14 + 0.1 * np.exp(-10.0 * TIME),
    domain_chance=0.12,
    domain_guess_loss=GUESS,
    strength=0.3 * RISING,
    strength_wanted=0.3,
    gradient_label=0.4 + np.exp(-5.0 * TIME),
    gradient_domain=0.3 * RISING,
    probe_accuracy=0.2,
    probe_chance=0.1,
    label_shift=0.02,
    ua_gain=0.01,
    ua_gain_ci95=(0.002, 0.018),
    spread=0.6,
    moved=1.3,
)
SOURCE_ONLY = HEALTHY._replace(
    domain_loss=0.8 + 1.4 * np.exp(-6.0 * TIME),
    domain_accuracy=0.75 - 0.6 * np.exp(-6.0 * TIME),
    strength=0.0 * TIME,
    strength_wanted=0.0,
    gradient_domain=0.0 * TIME,
    probe_accuracy=0.85,
    ua_gain=float("nan"),
    ua_gain_ci95=(float("nan"), float("nan")),
    moved=0.0,
)

SICK = {
    "weak-discriminator": HEALTHY._replace(probe_accuracy=0.61),
    "domain-remains": HEALTHY._replace(
        domain_accuracy=0.7 - 0.5 * np.exp(-5.0 * TIME), probe_accuracy=0.8
    ),
    "classes-moved": HEALTHY._replace(
        label_shift=0.3, ua_gain=-0.06, ua_gain_ci95=(-0.09, -0.03)
    ),
    "strength-not-reached": HEALTHY._replace(strength=0.3 * 0.5 * TIME),
    "discriminator-idle": SOURCE_ONLY._replace(domain_loss=GUESS + 0.0 * TIME),
    "collapsed-encoder": HEALTHY._replace(spread=0.003),
    "without-effect": HEALTHY._replace(moved=0.0),
    "adversary-overwhelms": HEALTHY._replace(gradient_domain=4.0 * RISING),
    "overfitting": HEALTHY._replace(
        train_accuracy=0.99 - 0.6 * np.exp(-8.0 * TIME),
        validation_accuracy=0.7 - 0.3 * (TIME - 0.4) ** 2 - 0.1 * (TIME > 0.5),
    ),
    "not-converged": HEALTHY._replace(label_loss=1.4 - 0.9 * TIME),
}


@pytest.mark.parametrize("seen", [HEALTHY, SOURCE_ONLY], ids=["dann", "source-only"])
def test_a_healthy_arm_has_no_diagnosis(seen: Measured) -> None:
    assert diagnose(seen) == {}


def test_every_rule_has_an_arm_that_is_sick_of_it() -> None:
    assert set(SICK) == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_sick_arm_has_its_diagnosis_and_no_other(name: str) -> None:
    found = diagnose(SICK[name])
    assert list(found) == [name]
    assert found[name][0].isupper() and found[name].endswith(".")
    assert "nan" not in found[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("weak-discriminator", "a fresh probe still finds the domain in 61 % of rows"),
        ("classes-moved", "UA fell by 6.0 points"),
        ("strength-not-reached", "never reached 0.3: it ended at 0.15"),
        ("discriminator-idle", "2.30 at strength 0, where 2.30 is guessing"),
        ("adversary-overwhelms", "10 times the label's"),
        ("collapsed-encoder", "by 0.3 %"),
    ],
)
def test_the_sentence_has_the_numbers(name: str, words: str) -> None:
    assert words in diagnose(SICK[name])[name]


@pytest.mark.parametrize("name", RULES)
def test_nothing_is_said_of_what_was_not_measured(name: str) -> None:
    assert RULES[name](Measured()) is None
    assert RULES[name](Measured(strength_wanted=0.5)) is None


@pytest.mark.parametrize("field", sorted({*Measured._fields} - {"strength_wanted"}))
def test_one_missing_number_starts_no_diagnosis(field: str) -> None:
    without = HEALTHY._replace(**{field: Measured._field_defaults[field]})
    assert diagnose(without) == {}


def test_a_discriminator_at_chance_is_no_fault_where_the_probe_is_too() -> None:
    fooled = HEALTHY._replace(probe_accuracy=0.11)
    assert diagnose(fooled) == {}


def test_neither_label_shift_nor_a_loss_alone_moves_the_classes() -> None:
    assert diagnose(HEALTHY._replace(label_shift=0.3)) == {}
    fallen = HEALTHY._replace(ua_gain=-0.06, ua_gain_ci95=(-0.09, -0.03))
    assert diagnose(fallen) == {}
    # A fall whose interval holds zero has not been shown.
    unsure = SICK["classes-moved"]._replace(ua_gain_ci95=(-0.13, 0.01))
    assert diagnose(unsure) == {}


def test_a_strength_that_is_passed_and_taken_back_was_reached() -> None:
    hump = 0.3 * np.sin(np.pi * TIME)
    assert diagnose(HEALTHY._replace(strength=hump)) == {}


def test_a_loss_that_ends_at_nothing_has_converged() -> None:
    gone = HEALTHY._replace(label_loss=2.0 * np.exp(-12.0 * TIME))
    assert "not-converged" not in diagnose(gone)


def test_measured_on_arrays_a_corpus_with_skewed_speakers_is_told() -> None:
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(6), 200)
    own = np.eye(3)[np.arange(6) % 3] * 0.8 + 0.2 / 3
    label = np.array([rng.choice(3, p=own[who]) for who in speaker])
    even = rng.integers(0, 3, len(speaker))
    lost = SICK["classes-moved"]
    assert diagnose(lost._replace(label_shift=label_shift(label, speaker)))
    assert diagnose(lost._replace(label_shift=label_shift(even, speaker))) == {}


def test_measured_on_arrays_a_constant_encoder_is_told() -> None:
    rows = np.random.default_rng(1).normal(size=(200, 8))
    dead = 1.0 + 1e-3 * rows
    assert diagnose(HEALTHY._replace(spread=relative_spread(dead)))
    assert diagnose(HEALTHY._replace(spread=relative_spread(rows))) == {}
