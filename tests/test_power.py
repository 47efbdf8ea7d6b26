"""Variance components and planned sizes, against algebra and simulation."""

import numpy as np
import pytest
from scipy import stats

from dann_jax.evaluation.effects import Components, seeds_needed, variance_components


def power(parts: Components, effect: float, *, seeds: int, speakers: int) -> float:
    """Chance that a normal test shows the effect, in the right direction."""
    cells = parts.residual / (seeds * speakers)
    error = np.sqrt(parts.speaker / speakers + parts.seed / seeds + cells)
    return float(stats.norm.cdf(abs(effect) / error - stats.norm.ppf(0.975)))


def gains(
    parts: Components, seeds: int, speakers: int, rng: np.random.Generator
) -> np.ndarray:
    return (
        rng.normal(0.0, np.sqrt(parts.speaker), speakers)
        + rng.normal(0.0, np.sqrt(parts.seed), (seeds, 1))
        + rng.normal(0.0, np.sqrt(parts.residual), (seeds, speakers))
    )


def test_components_are_those_of_the_analysis_of_variance_in_loops() -> None:
    table = np.random.default_rng(0).normal(size=(3, 5)) + 2 * np.arange(5)
    table += 3 * np.arange(3)[:, None]
    grand = sum(table[i][j] for i in range(3) for j in range(5)) / 15
    rows = [sum(row) / 5 for row in table]
    columns = [sum(table[:, j]) / 3 for j in range(5)]
    ms_rows = 5 * sum((r - grand) ** 2 for r in rows) / 2
    ms_columns = 3 * sum((c - grand) ** 2 for c in columns) / 4
    ms_rest = (
        sum(
            (table[i][j] - rows[i] - columns[j] + grand) ** 2
            for i in range(3)
            for j in range(5)
        )
        / 8
    )
    found = variance_components(table)
    assert found.residual == pytest.approx(ms_rest, abs=1e-12)
    assert found.seed == pytest.approx((ms_rows - ms_rest) / 5, abs=1e-12)
    assert found.speaker == pytest.approx((ms_columns - ms_rest) / 3, abs=1e-12)


def test_components_of_many_tables_average_to_the_truth() -> None:
    truth, rng = Components(4.0, 2.0, 1.0), np.random.default_rng(1)
    found = np.array(
        [variance_components(gains(truth, 8, 12, rng)) for _ in range(400)]
    )
    error = 4 * found.std(0, ddof=1) / np.sqrt(400)
    # Cutting off below 0 adds little where all components are large.
    assert (np.abs(found.mean(0) - truth) < error + 0.01).all()


def test_no_component_is_negative() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        found = variance_components(gains(Components(0.0, 0.0, 1.0), 3, 4, rng))
        assert min(found) >= 0.0


@pytest.mark.parametrize("shape", [(1, 5), (5, 1)])
def test_one_seed_or_one_speaker_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="two seeds and two speakers"):
        variance_components(np.zeros(shape))


CASES = [
    (Components(0.5, 1.0, 2.0), 1.0, 10),
    (Components(0.0, 0.3, 1.0), 0.2, 24),
    (Components(1.0, 0.0, 5.0), 0.9, 12),
    (Components(0.1, 0.0, 0.1), 2.0, 10),
]


@pytest.mark.parametrize(("parts", "effect", "speakers"), CASES)
@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
def test_the_seeds_needed_are_the_fewest(
    parts: Components, effect: float, speakers: int, wanted: float
) -> None:
    needed = seeds_needed(parts, effect, speakers=speakers, wanted=wanted)
    if needed is None:
        # Not even a million is enough.
        assert power(parts, effect, seeds=10**6, speakers=speakers) < wanted
        return
    assert power(parts, effect, seeds=needed, speakers=speakers) >= wanted - 1e-12
    if needed > 1:
        assert power(parts, effect, seeds=needed - 1, speakers=speakers) < wanted


def test_where_speakers_differ_too_much_only_more_of_them_help() -> None:
    parts = Components(4.0, 0.1, 1.0)
    assert seeds_needed(parts, 0.5, speakers=10) is None
    assert seeds_needed(parts, 0.5, speakers=1000) is not None


def test_a_difference_without_spread_is_always_shown() -> None:
    nothing = Components(0.0, 0.0, 0.0)
    assert seeds_needed(nothing, 0.1, speakers=2) == 1


@pytest.mark.parametrize(("parts", "effect", "speakers"), CASES[:2])
def test_runs_of_the_planned_size_show_the_difference_as_often_as_planned(
    parts: Components, effect: float, speakers: int
) -> None:
    seeds = seeds_needed(parts, effect, speakers=speakers)
    planned = power(parts, effect, seeds=seeds, speakers=speakers)
    rng, trials = np.random.default_rng(3), 1500
    means = [effect + gains(parts, seeds, speakers, rng).mean() for _ in range(trials)]
    # The spread of the mean is measured here, not taken from the components.
    shown = np.mean(np.array(means) > 1.96 * np.std(means))
    error = 4 * np.sqrt(planned * (1 - planned) / trials) + 0.02
    assert shown == pytest.approx(planned, abs=error)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 10])
def test_a_t_test_over_speakers_has_the_power_that_the_pilot_foretold(
    seeds: int,
) -> None:
    # Speakers with trainings of their own: no variance by seed alone.
    parts, effect, speakers = Components(1.0, 0.0, 2.0), 0.6, 30
    planned = power(parts, effect, seeds=seeds, speakers=speakers)
    rng, trials = np.random.default_rng(4), 1000
    tests = [
        stats.ttest_1samp((effect + gains(parts, seeds, speakers, rng)).mean(0), 0.0)
        for _ in range(trials)
    ]
    shown = np.mean([test.pvalue < 0.05 for test in tests])
    # The t test of 30 speakers has about two points less than the normal one.
    assert planned - 0.06 < shown < planned + 0.03
