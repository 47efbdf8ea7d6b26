"""The bootstrap, against closed forms and by how often its interval is right."""

import numpy as np
import pytest

from dann_jax.evaluation.resampling import (
    RESAMPLES,
    Score,
    bootstrap_draws,
    bootstrap_interval,
)


def table(
    speakers: int, seeds: int, spread: tuple[float, float, float], seed: int
) -> np.ndarray:
    """Gains with mean 0 and these deviations by speaker, by seed, and of the rest."""
    rng = np.random.default_rng(seed)
    by_speaker, by_seed, rest = spread
    return (
        rng.normal(0.0, by_speaker, speakers)
        + rng.normal(0.0, by_seed, (seeds, 1))
        + rng.normal(0.0, rest, (seeds, speakers))
    )


def mean_of(gains: np.ndarray) -> Score:
    return lambda who, which: gains[which, who].mean((-1, -2))


@pytest.mark.parametrize("spread", [(1.0, 0.0, 1.0), (0.3, 1.0, 0.3)])
def test_the_spread_of_the_draws_is_that_of_the_formula(
    spread: tuple[float, float, float],
) -> None:
    gains = table(9, 4, spread, seed=1)
    seeds, speakers = gains.shape
    left = gains - gains.mean(0) - gains.mean(1)[:, None] + gains.mean()
    between = gains.mean(0).var() / speakers
    expected = between + gains.mean(1).var() / seeds + left.var() / gains.size
    draws = bootstrap_draws(mean_of(gains), seeds, speakers)
    # Four standard errors of a variance from so many nearly normal draws.
    error = 4 * np.sqrt(2 / RESAMPLES) * expected
    assert draws.var() == pytest.approx(expected, abs=error)
    assert draws.mean() == pytest.approx(
        gains.mean(), abs=4 * np.sqrt(expected / RESAMPLES)
    )


def test_an_interval_is_longer_than_the_percentiles_by_the_t_table() -> None:
    # Of a mean, with so many seeds alike that speakers alone matter.
    gains = np.tile(table(8, 1, (1.0, 0.0, 0.0), seed=2), (2, 1))
    plain = np.quantile(bootstrap_draws(mean_of(gains), 2, 8), [0.025, 0.975])
    longer = bootstrap_interval(mean_of(gains), 2, 8)
    assert longer[0] < plain[0] < plain[1] < longer[1]
    # t with 7 degrees of freedom over 1.96, times sqrt(8 / 7).
    ratio = 2.3646 / 1.9600 * np.sqrt(8 / 7)
    assert np.ptp(longer) / np.ptp(plain) == pytest.approx(ratio, rel=0.1)


def test_one_speaker_has_no_interval() -> None:
    assert np.isnan(bootstrap_interval(lambda who, which: who, 3, 1)).all()


def coverage(speakers: int, seeds: int, spread: tuple, trials: int = 300) -> float:
    """How often the interval holds the true mean, 0."""
    held = 0
    for trial in range(trials):
        gains = table(speakers, seeds, spread, seed=trial)
        low, high = bootstrap_interval(mean_of(gains), seeds, speakers, seed=trial)
        held += low <= 0.0 <= high
    return held / trials


OWN_TRAINING, SHARED_TRAINING = (1.0, 0.0, 1.0), (1.0, 0.5, 0.5)
# Three standard deviations of a share of 300 trials of an interval that holds.
LEAST = 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [OWN_TRAINING, SHARED_TRAINING])
def test_the_interval_holds_the_truth_in_either_design(spread: tuple) -> None:
    assert coverage(10, 5, spread) >= LEAST
