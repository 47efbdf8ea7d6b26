"""Schedules: their formulas, their ends, and that they can be traced."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dann_jax.training.schedules import (
    STRENGTH_SCHEDULES,
    constant,
    ganin_learning_rate,
    ganin_strength,
    linear,
    warmup_hold,
)

TOTAL = 1000
STEPS = np.arange(0, TOTAL + 1, 50)
CONSTRUCTORS = {**STRENGTH_SCHEDULES, "learning_rate": ganin_learning_rate}

schedules = pytest.mark.parametrize(
    "construct", CONSTRUCTORS.values(), ids=CONSTRUCTORS.keys()
)
strengths = pytest.mark.parametrize(
    "construct", STRENGTH_SCHEDULES.values(), ids=STRENGTH_SCHEDULES.keys()
)


@strengths
def test_strength_stays_in_the_unit_interval_and_never_falls(
    construct: Callable,
) -> None:
    values = np.array([construct(TOTAL)(step) for step in STEPS])
    assert (values >= 0.0).all() and (values <= 1.0).all()
    assert (np.diff(values) >= 0.0).all()


@strengths
def test_strength_begins_at_zero_unless_constant_and_ends_at_one(
    construct: Callable,
) -> None:
    schedule = construct(TOTAL)
    assert float(schedule(0)) == (1.0 if construct is constant else 0.0)
    # tanh(5), where Ganin's curve ends, is 1 - 9.1e-5.
    assert 1.0 - 1e-4 < float(schedule(TOTAL)) <= 1.0


@pytest.mark.parametrize("gamma", [1.0, 10.0])
def test_ganin_strength_is_the_printed_formula(gamma: float) -> None:
    p = STEPS / TOTAL
    expected = 2.0 / (1.0 + np.exp(-gamma * p)) - 1.0
    # Two float32 roundings of numbers up to 1.
    np.testing.assert_allclose(
        ganin_strength(TOTAL, gamma=gamma)(STEPS), expected, atol=2e-7
    )


def test_ganin_strength_is_accurate_in_the_first_steps_of_a_long_run() -> None:
    expected = np.tanh(5.0 * 1e-6)
    np.testing.assert_allclose(ganin_strength(1_000_000)(1), expected, rtol=1e-6)


def test_linear_is_the_fraction_done() -> None:
    np.testing.assert_allclose(linear(TOTAL)(STEPS), STEPS / TOTAL, atol=1e-7)


def test_warmup_hold_waits_rises_and_holds() -> None:
    schedule = warmup_hold(TOTAL, start=0.2, end=0.6)
    expected = np.interp(STEPS / TOTAL, [0.2, 0.6], [0.0, 1.0])
    # The difference of fractions loses about one bit in float32.
    np.testing.assert_allclose(schedule(STEPS), expected, atol=3e-7)
    assert float(schedule(200)) == 0.0 and float(schedule(600)) >= 1.0 - 3e-7


def test_ganin_learning_rate_is_the_printed_formula_and_falls() -> None:
    rate = ganin_learning_rate(TOTAL, base=0.02, alpha=5.0, beta=0.5)(STEPS)
    expected = 0.02 / (1.0 + 5.0 * STEPS / TOTAL) ** 0.5
    np.testing.assert_allclose(rate, expected, rtol=1e-6)
    assert (np.diff(rate) < 0.0).all()


@schedules
def test_beyond_the_end_and_before_the_start_the_end_values_hold(
    construct: Callable,
) -> None:
    schedule = construct(TOTAL)
    assert float(schedule(7 * TOTAL)) == float(schedule(TOTAL))
    assert float(schedule(-3)) == float(schedule(0))


@schedules
def test_traced_and_mapped_values_equal_the_eager_ones(construct: Callable) -> None:
    schedule = construct(TOTAL)
    eager = np.array([schedule(step) for step in STEPS])
    assert eager.dtype == np.float32
    # Fusion may move the last bit.
    traced = jax.jit(jax.vmap(schedule))(jnp.asarray(STEPS, jnp.int32))
    np.testing.assert_allclose(traced, eager, rtol=1e-6, atol=1e-7)


@schedules
@pytest.mark.parametrize("total_steps", [0, -5])
def test_a_run_without_steps_is_refused(construct: Callable, total_steps: int) -> None:
    with pytest.raises(ValueError, match="total_steps"):
        construct(total_steps)


@pytest.mark.parametrize(
    ("start", "end"), [(0.5, 0.5), (0.6, 0.4), (-0.1, 0.5), (0.5, 1.1)]
)
def test_an_impossible_warmup_is_refused(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="start < end"):
        warmup_hold(TOTAL, start=start, end=end)
