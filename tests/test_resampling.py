"""Both ways of drawing seeds, against closed forms and by how often they are right."""

import numpy as np
import pytest

from dann_jax.evaluation.resampling import RESAMPLES, bootstrap_interval
from dann_jax.evaluation.statistics import compare, interval


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


def draws_of(gains: np.ndarray, resampling: str) -> np.ndarray:
    seen: list[np.ndarray] = []

    def mean(who: np.ndarray, which: np.ndarray) -> np.ndarray:
        seen.append(gains[which, who].mean((-1, -2)))
        return seen[-1]

    bootstrap_interval(mean, *gains.shape, resampling=resampling)
    return np.concatenate([np.ravel(part) for part in seen])


@pytest.mark.parametrize("resampling", ["crossed", "nested"])
@pytest.mark.parametrize("spread", [(1.0, 0.0, 1.0), (0.3, 1.0, 0.3)])
def test_the_spread_of_the_draws_is_that_of_the_formula(
    resampling: str, spread: tuple[float, float, float]
) -> None:
    gains = table(9, 4, spread, seed=1)
    seeds, speakers = gains.shape
    between = gains.mean(0).var() / speakers
    if resampling == "nested":
        # The mean of a drawn speaker's drawn seeds (Davison and Hinkley, 3.8).
        expected = between + gains.var(0).mean() / (seeds * speakers)
    else:
        left = gains - gains.mean(0) - gains.mean(1)[:, None] + gains.mean()
        expected = between + gains.mean(1).var() / seeds + left.var() / gains.size
    draws = draws_of(gains, resampling)
    # Four standard errors of a variance from so many nearly normal draws.
    error = 4 * np.sqrt(2 / RESAMPLES) * expected
    assert draws.var() == pytest.approx(expected, abs=error)
    assert draws.mean() == pytest.approx(
        gains.mean(), abs=4 * np.sqrt(expected / RESAMPLES)
    )


def test_an_expanded_interval_is_longer_by_the_t_table() -> None:
    # Of a mean, with so many seeds alike that speakers alone matter.
    gains = np.tile(table(8, 1, (1.0, 0.0, 0.0), seed=2), (2, 1))

    def mean(who: np.ndarray, which: np.ndarray) -> np.ndarray:
        return gains[which, who].mean((-1, -2))

    plain = bootstrap_interval(mean, 2, 8)
    longer = bootstrap_interval(mean, 2, 8, expanded=True)
    assert longer[0] < plain[0] < plain[1] < longer[1]
    # t with 7 degrees of freedom over 1.96, times sqrt(8 / 7).
    ratio = 2.3646 / 1.9600 * np.sqrt(8 / 7)
    assert np.ptp(longer) / np.ptp(plain) == pytest.approx(ratio, rel=0.1)


def test_an_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'both'; choose from crossed, nested"):
        bootstrap_interval(lambda who, which: who, 2, 3, resampling="both")


@pytest.mark.parametrize("resampling", ["crossed", "nested"])
def test_one_speaker_has_no_interval(resampling: str) -> None:
    ends = bootstrap_interval(lambda who, which: who, 3, 1, resampling=resampling)
    assert np.isnan(ends).all()


def counts(speakers: int, seeds: int, skill: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    right = rng.binomial(30, skill, (seeds, speakers, 2))
    found = np.zeros((seeds, speakers, 2, 2))
    found[..., [0, 1], [0, 1]], found[..., [0, 1], [1, 0]] = right, 30 - right
    return found


def test_one_seed_makes_both_ways_the_same() -> None:
    arm = counts(7, 1, 0.6)
    ends = [interval(arm, "ua", resampling=word) for word in ("crossed", "nested")]
    # The same scores are drawn, by other random numbers.
    spread = np.ptp(ends[0])
    np.testing.assert_allclose(ends[0], ends[1], atol=0.1 * spread, rtol=0)


def test_nested_and_expanded_reach_a_comparison() -> None:
    arm, other = counts(7, 3, 0.7), counts(7, 3, 0.5)
    plain = compare(arm, other, "ua", expanded=False)
    nested = compare(arm, other, "ua", resampling="nested", expanded=False)
    expanded = compare(arm, other, "ua", expanded=True)
    assert plain["ci95"] != nested["ci95"]
    assert expanded["ci95"][0] < plain["ci95"][0]
    assert {found["p_value"] for found in (nested, expanded)} == {plain["p_value"]}


def coverage(
    speakers: int, seeds: int, spread: tuple, trials: int = 300, **options: object
) -> float:
    """How often the interval holds the true mean, 0."""
    held = 0
    for trial in range(trials):
        gains = table(speakers, seeds, spread, seed=trial)
        low, high = bootstrap_interval(
            lambda who, which, gains=gains: gains[which, who].mean((-1, -2)),
            seeds,
            speakers,
            seed=trial,
            **options,
        )
        held += low <= 0.0 <= high
    return held / trials


OWN_TRAINING, SHARED_TRAINING = (1.0, 0.0, 1.0), (1.0, 0.5, 0.5)
# Three standard deviations of a share of 300 trials of an interval that holds.
LEAST = 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [OWN_TRAINING, SHARED_TRAINING])
def test_crossed_and_expanded_holds_the_truth_in_either_design(spread: tuple) -> None:
    assert coverage(10, 5, spread, resampling="crossed", expanded=True) >= LEAST


@pytest.mark.slow
def test_nested_holds_the_truth_only_where_speakers_have_trainings_of_their_own() -> (
    None
):
    nested = {"resampling": "nested", "expanded": True}
    assert coverage(10, 3, OWN_TRAINING, **nested) >= LEAST
    assert coverage(24, 3, SHARED_TRAINING, **nested) < 0.88
