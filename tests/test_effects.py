"""Effect sizes, corrections and what may be said of them, each computed twice."""

import itertools

import numpy as np
import pytest
from scipy import stats

from dann_jax.evaluation.effects import (
    concluded,
    corrected,
    gain_size,
    holm,
    seeds_needed,
    variance_components,
)
from dann_jax.evaluation.statistics import compare
from dann_jax.evaluation.verdicts import sentence, verdict


def counts_of(right: np.ndarray, rows: int = 20) -> np.ndarray:
    """Two classes of `rows` each; `right` `[seeds, speakers]` of both are right."""
    counts = np.zeros((*right.shape, 2, 2))
    counts[..., [0, 1], [0, 1]] = right[..., None]
    counts[..., [0, 1], [1, 0]] = rows - right[..., None]
    return counts


RNG = np.random.default_rng(0)
ARM, OTHER = RNG.integers(8, 18, (3, 9)), RNG.integers(6, 16, (3, 9))


def test_d_z_is_the_paired_t_over_the_root_of_the_speakers() -> None:
    found = gain_size(counts_of(ARM), counts_of(OTHER), "ua")
    paired = stats.ttest_rel(ARM.mean(0), OTHER.mean(0)).statistic
    assert found["effect_size"] == pytest.approx(paired / np.sqrt(9), rel=1e-9)


def test_d_z_of_a_known_effect_is_found_within_its_error() -> None:
    rng, speakers = np.random.default_rng(1), 400
    base = np.full((1, speakers), 500.0)
    gain = rng.normal(10.0, 20.0, (1, speakers))
    found = gain_size(counts_of(base + gain, 1000), counts_of(base, 1000), "wa")
    error = 4 * np.sqrt(1 / speakers + 0.5**2 / (2 * speakers))
    assert found["effect_size"] == pytest.approx(0.5, abs=error)


def test_the_effect_of_the_other_arm_is_the_opposite() -> None:
    arm, other = counts_of(ARM), counts_of(OTHER)
    one, reverse = gain_size(arm, other, "wa"), gain_size(other, arm, "wa")
    assert reverse["effect_size"] == pytest.approx(-one["effect_size"])


@pytest.mark.parametrize("speakers", [1, 5])
def test_equal_gains_have_no_effect_size(speakers: int) -> None:
    right = RNG.integers(5, 10, (2, speakers))
    found = gain_size(counts_of(right + 3), counts_of(right), "ua")
    assert np.isnan(found["effect_size"])
    none = gain_size(counts_of(right), counts_of(right), "ua")
    assert np.isnan(none["effect_size"])


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_holm_is_the_closed_test_of_bonferroni(size: int, seed: int) -> None:
    p = np.random.default_rng(seed).random(size) ** 2
    # Adjusted p: the largest Bonferroni p of all sets of hypotheses that hold this one.
    sets = [
        chosen
        for count in range(1, size + 1)
        for chosen in itertools.combinations(range(size), count)
    ]
    for index, found in enumerate(holm(p)):
        expected = max(
            min(1.0, len(chosen) * min(p[list(chosen)]))
            for chosen in sets
            if index in chosen
        )
        assert found == pytest.approx(expected, abs=1e-12)


def test_the_correction_keeps_what_it_promises_when_nothing_is_there() -> None:
    trials = np.random.default_rng(2).random((2000, 5))
    wrong = np.mean([(holm(p) <= 0.05).any() for p in trials])
    # Three standard deviations above the level; not far below it either.
    assert 0.02 < wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_the_order_of_the_arms_does_not_matter_and_none_is_allowed() -> None:
    p = np.array([0.04, 0.001, 0.04, 0.9, 0.02])
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(holm(p)[order], holm(p[order]), atol=1e-15)
    assert holm(np.array([])).shape == (0,)


def entry(arm: str, metric: str, p: float, **other: object) -> dict:
    return {"arm": arm, "against": "plain", "metric": metric, "p_value": p, **other}


def test_each_metric_is_a_family_and_a_missing_p_stays_missing() -> None:
    entries = [
        entry("a", "ua", 0.03),
        entry("a", "wa", 0.01),
        entry("b", "ua", 0.04),
        entry("c", "ua", float("nan")),
    ]
    found = corrected(entries)
    assert [e["p_corrected"] for e in found[:3]] == [0.06, 0.01, 0.06]
    assert np.isnan(found[3]["p_corrected"]) and found[3]["arm"] == "c"


def test_what_was_compared_is_left_as_it_was() -> None:
    before = [entry("a", "ua", 0.5)]
    corrected(before)
    assert before == [entry("a", "ua", 0.5)]


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((0.001, 0.2), "better"),
        ((-0.2, -0.001), "worse"),
        ((-0.1, 0.1), "no difference shown"),
        ((0.0, 0.1), "no difference shown"),
        ((-0.1, 0.0), "no difference shown"),
        ((0.0, 0.0), "no difference shown"),
        ((float("nan"), float("nan")), "no difference shown"),
    ],
)
def test_an_interval_that_touches_zero_shows_nothing(ends: tuple, said: str) -> None:
    assert verdict(ends) == said
    text = sentence(entry("dann", "ua", 0.5, difference=0.01, ci95=list(ends)))
    assert (said in text) and (said == "no difference shown") == (" and plain" in text)
    assert "nan" not in text


def test_a_gain_that_the_correction_takes_back_says_so() -> None:
    base = entry("dann", "ua", 0.03, difference=0.02, ci95=[0.01, 0.03])
    assert sentence(base) == (
        "dann is better than plain in UA (+2.00 points, 95 % +1.00 to +3.00)."
    )
    assert "not after correction" in sentence({**base, "p_corrected": 0.09})
    assert "not after correction" not in sentence({**base, "p_corrected": 0.04})
    # What was no finding before it has nothing to lose.
    few = {**base, "p_value": 0.06, "p_corrected": 0.12}
    assert "not after correction" not in sentence(few)


def test_a_conclusion_holds_verdict_sentence_and_corrected_p() -> None:
    ends = {"difference": 0.02, "ci95": [0.01, 0.03]}
    found = concluded([entry("a", "ua", 0.03, **ends), entry("b", "ua", 0.04, **ends)])
    assert [e["verdict"] for e in found] == ["better", "better"]
    assert [e["p_corrected"] for e in found] == [0.06, 0.06]
    assert all("not after correction" in e["sentence"] for e in found)


def test_seeds_needed_are_those_of_the_mean_gain_of_the_speakers() -> None:
    arm, other = counts_of(ARM), counts_of(OTHER)
    found = gain_size(arm, other, "ua")
    gain = (ARM - OTHER) / 20
    parts = variance_components(gain)
    expected = seeds_needed(parts, gain.mean(), speakers=gain.shape[1])
    assert found["seeds_needed"] == expected
    for few in (slice(0, 1), slice(0, 3)):
        one = gain_size(arm[few, :1], other[few, :1], "ua")
        assert one["seeds_needed"] is None
    assert gain_size(arm, arm, "ua")["seeds_needed"] is None


def test_an_arm_compared_with_itself_is_no_difference() -> None:
    same = compare(counts_of(ARM), counts_of(ARM), "ua")
    found = {"arm": "dann", "against": "plain", "metric": "ua", **same}
    assert sentence(found).startswith("dann and plain: no difference shown")
