"""Each diagnosis fires on what it is made for, and not on a healthy run."""

import numpy as np
import pytest

from dann_jax.evaluation.diagnosis import RULES, Measured, diagnose

EPOCHS = 30
TIME = np.linspace(0.0, 1.0, EPOCHS)
RISING = 2.0 / (1.0 + np.exp(-10.0 * TIME)) - 1.0
GUESS = np.log(10.0)

HEALTHY = Measured(
    domain_loss=GUESS - 0.1 - 0.5 * np.exp(-10.0 * TIME),
    domain_accuracy=0.14 + 0.1 * np.exp(-10.0 * TIME),
    domain_chance=0.12,
    domain_guess_loss=GUESS,
    strength=0.3 * RISING,
    strength_wanted=0.3,
    probe_accuracy=0.2,
    probe_chance=0.1,
    moved=1.3,
)
SOURCE_ONLY = HEALTHY._replace(
    domain_loss=0.8 + 1.4 * np.exp(-6.0 * TIME),
    domain_accuracy=0.75 - 0.6 * np.exp(-6.0 * TIME),
    strength=0.0 * TIME,
    strength_wanted=0.0,
    probe_accuracy=0.85,
    moved=0.0,
)

SICK = {
    "weak-discriminator": HEALTHY._replace(probe_accuracy=0.61),
    "strength-not-reached": HEALTHY._replace(strength=0.3 * 0.5 * TIME),
    "discriminator-idle": SOURCE_ONLY._replace(
        domain_loss=GUESS + 0.0 * TIME, domain_accuracy=0.12 + 0.0 * TIME
    ),
    "without-effect": HEALTHY._replace(moved=0.0),
}


@pytest.mark.parametrize("arm", [HEALTHY, SOURCE_ONLY], ids=["dann", "source-only"])
def test_a_healthy_arm_has_no_diagnosis(arm: Measured) -> None:
    assert diagnose(arm) == {}


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
        ("strength-not-reached", "never reached 0.3: it ended at 0.15"),
        (
            "discriminator-idle",
            "right in 12 % of rows (chance 12 %), with",
        ),
    ],
)
def test_the_sentence_has_the_numbers(name: str, words: str) -> None:
    assert words in diagnose(SICK[name])[name]


def test_a_new_discriminator_that_names_domains_above_chance_has_learned() -> None:
    # Dropout keeps its loss above that of guessing for many epochs.
    young = SOURCE_ONLY._replace(domain_loss=GUESS + 0.1 + 0.0 * TIME)
    assert diagnose(young._replace(domain_accuracy=0.25 + 0.0 * TIME)) == {}


def test_where_a_probe_finds_no_domain_the_discriminator_is_not_to_blame() -> None:
    idle = SICK["discriminator-idle"]
    assert diagnose(idle._replace(probe_accuracy=0.11)) == {}
    assert list(diagnose(idle._replace(probe_accuracy=np.nan))) == [
        "discriminator-idle"
    ]


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


def test_a_strength_that_is_passed_and_taken_back_was_reached() -> None:
    hump = 0.3 * np.sin(np.pi * TIME)
    assert diagnose(HEALTHY._replace(strength=hump)) == {}
