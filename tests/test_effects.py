"""Effect sizes, corrections and what may be said of them, each computed twice."""

import itertools

import numpy as np
import pytest
from scipy import stats

from dann_jax.evaluation.correction import benjamini_hochberg, corrected, holm
from dann_jax.evaluation.effects import (
    concluded,
    effect_size,
    gain_size,
    speaker_scores,
)
from dann_jax.evaluation.power import seeds_needed, variance_components
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


def test_scores_of_speakers_are_their_share_of_right_rows() -> None:
    for metric in ("wa", "ua"):
        np.testing.assert_allclose(speaker_scores(counts_of(ARM), metric), ARM / 20)


def test_d_z_is_the_paired_t_over_the_root_of_the_speakers() -> None:
    found = effect_size(counts_of(ARM), counts_of(OTHER), "ua")
    paired = stats.ttest_rel(ARM.mean(0), OTHER.mean(0)).statistic
    assert found["d_z"] == pytest.approx(paired / np.sqrt(9), rel=1e-9)


def test_d_z_of_a_known_effect_is_found_within_its_error() -> None:
    rng, speakers = np.random.default_rng(1), 400
    base = np.full((1, speakers), 500.0)
    gain = rng.normal(10.0, 20.0, (1, speakers))
    found = effect_size(counts_of(base + gain, 1000), counts_of(base, 1000), "wa")
    error = 4 * np.sqrt(1 / speakers + 0.5**2 / (2 * speakers))
    assert found["d_z"] == pytest.approx(0.5, abs=error)
    share = stats.norm.cdf(0.5)
    error = 4 * np.sqrt(share * (1 - share) / speakers)
    assert found["superiority"] == pytest.approx(share, abs=error)


def test_superiority_is_counted_one_speaker_at_a_time_with_ties_half() -> None:
    arm, other = np.array([[3, 5, 5, 9]]), np.array([[2, 5, 6, 1]])
    found = effect_size(counts_of(arm), counts_of(other), "wa")
    assert found["superiority"] == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    reverse = effect_size(counts_of(other), counts_of(arm), "wa")
    assert reverse["superiority"] == pytest.approx(1 - found["superiority"])
    assert reverse["d_z"] == pytest.approx(-found["d_z"])


@pytest.mark.parametrize("speakers", [1, 5])
def test_equal_gains_have_no_d_z_but_a_superiority(speakers: int) -> None:
    right = RNG.integers(5, 10, (2, speakers))
    found = effect_size(counts_of(right + 3), counts_of(right), "ua")
    assert np.isnan(found["d_z"]) and found["superiority"] == 1.0
    none = effect_size(counts_of(right), counts_of(right), "ua")
    assert np.isnan(none["d_z"]) and none["superiority"] == 0.5


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


@pytest.mark.parametrize("seed", range(4))
def test_benjamini_hochberg_is_the_step_up_rule(seed: int) -> None:
    p = np.random.default_rng(seed).random(6) ** 2
    adjusted = benjamini_hochberg(p)
    for level in np.linspace(0.01, 0.99, 50):
        ranked = np.sort(p)
        passed = [k for k in range(6) if ranked[k] <= level * (k + 1) / 6]
        bar = ranked[passed[-1]] if passed else -1.0
        np.testing.assert_array_equal(adjusted <= level, p <= bar)


def test_corrections_keep_what_they_promise_when_nothing_is_there() -> None:
    trials = np.random.default_rng(2).random((2000, 5))
    for correct, least in ((holm, 0.02), (benjamini_hochberg, 0.02)):
        wrong = np.mean([(correct(p) <= 0.05).any() for p in trials])
        # Three standard deviations above the level; not far below it either.
        assert least < wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_the_order_of_the_arms_does_not_matter_and_none_is_allowed(correct) -> None:
    p = np.array([0.04, 0.001, 0.04, 0.9, 0.02])
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(correct(p)[order], correct(p[order]), atol=1e-15)
    assert correct(np.array([])).shape == (0,)


def entry(arm: str, metric: str, p: float, **other: object) -> dict:
    return {"arm": arm, "against": "plain", "metric": metric, "p_value": p, **other}


def test_each_metric_is_a_family_and_a_missing_p_stays_missing() -> None:
    entries = [
        entry("a", "ua", 0.03),
        entry("a", "wa", 0.01),
        entry("b", "ua", 0.04),
        entry("c", "ua", float("nan")),
    ]
    for by, expected in (
        ("holm", [0.06, 0.01, 0.06]),
        ("benjamini_hochberg", [0.04, 0.01, 0.04]),
    ):
        found = corrected(entries, by=by)
        assert [e["p_corrected"] for e in found[:3]] == expected
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
    assert found["effect_size"] == effect_size(arm, other, "ua")["d_z"]
    for few in (slice(0, 1), slice(0, 3)):
        one = gain_size(arm[few, :1], other[few, :1], "ua")
        assert one["seeds_needed"] is None
    assert gain_size(arm, arm, "ua")["seeds_needed"] is None


def test_an_arm_compared_with_itself_is_no_difference() -> None:
    same = compare(counts_of(ARM), counts_of(ARM), "ua")
    found = {"arm": "dann", "against": "plain", "metric": "ua", **same}
    assert sentence(found).startswith("dann and plain: no difference shown")
