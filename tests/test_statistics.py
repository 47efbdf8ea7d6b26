"""Intervals and tests over speakers and seeds, against independent computations."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from dann_jax.evaluation.statistics import (
    compare,
    confusion_counts,
    interval,
    permutation_p_value,
    pooled,
)

CLASSES = 3
METRICS = ("wa", "ua", "macro_f1")
SKLEARN: dict[str, Callable] = {
    "wa": metrics.accuracy_score,
    "ua": metrics.balanced_accuracy_score,
    "macro_f1": lambda truth, guess: metrics.f1_score(truth, guess, average="macro"),
}


class Trial:
    """Predictions of several seeds for speakers who differ in all that matters."""

    def __init__(
        self, speakers: int, seeds: int, skill: float = 0.3, seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        rows = rng.integers(20, 60, speakers)
        self.speaker = np.repeat(np.arange(speakers), rows)
        habits = rng.dirichlet(np.ones(CLASSES), speakers)
        self.truth = np.array(
            [rng.choice(CLASSES, p=habits[who]) for who in self.speaker]
        )
        ease = rng.uniform(0.0, 0.4, speakers)[self.speaker]
        luck = rng.uniform(0.0, 0.3, (seeds, 1))
        right = rng.random((seeds, len(self.truth))) < skill + ease + luck
        guess = rng.integers(0, CLASSES, right.shape)
        self.prediction = np.where(right, self.truth, guess)

    @property
    def counts(self) -> np.ndarray:
        speakers = self.speaker.max() + 1
        return np.stack(
            [
                confusion_counts(self.truth, guess, self.speaker, CLASSES, speakers)
                for guess in self.prediction
            ]
        )


def counts_with(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Two classes, as many rows of each; how many of a class each speaker has right."""
    counts = np.zeros((1, len(right), 2, 2))
    counts[0, :, [0, 1], [0, 1]] = right
    counts[0, :, [0, 1], [1, 0]] = wrong
    return counts


def plain_scores(confusion: np.ndarray) -> dict[str, float]:
    """WA and UA of one confusion matrix, from their definitions."""
    recall = [row[k] / row.sum() for k, row in enumerate(confusion) if row.sum()]
    return {"wa": confusion.trace() / confusion.sum(), "ua": sum(recall) / len(recall)}


@pytest.mark.parametrize("metric", METRICS)
def test_pooled_is_sklearns_score_of_all_predictions_averaged_over_seeds(
    metric: str,
) -> None:
    trial = Trial(speakers=5, seeds=3)
    expected = [SKLEARN[metric](trial.truth, guess) for guess in trial.prediction]
    assert np.ptp(expected) > 0.01
    assert pooled(trial.counts, metric) == pytest.approx(np.mean(expected), abs=1e-12)


def test_counts_are_sklearns_confusion_matrix_of_each_speaker() -> None:
    trial = Trial(speakers=4, seeds=1)
    for who, counts in enumerate(trial.counts[0]):
        rows = trial.speaker == who
        expected = metrics.confusion_matrix(
            trial.truth[rows], trial.prediction[0, rows], labels=range(CLASSES)
        )
        np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("metric", ["wa", "ua"])
@pytest.mark.parametrize("seeds", [1, 4])
def test_interval_is_that_of_a_bootstrap_of_whole_speakers_and_of_seeds(
    metric: str, seeds: int
) -> None:
    trial, rng, draws = Trial(speakers=12, seeds=seeds), np.random.default_rng(1), 4000
    own = [np.flatnonzero(trial.speaker == who) for who in range(12)]
    scores = []
    for _ in range(draws):
        # Rows of the drawn speakers, one after the other; each drawn seed scored.
        rows = np.concatenate([own[who] for who in rng.integers(0, 12, 12)])
        truth = trial.truth[rows]
        by_seed = []
        for which in rng.integers(0, seeds, seeds):
            right = trial.prediction[which, rows] == truth
            recall = [right[truth == label].mean() for label in np.unique(truth)]
            by_seed.append(right.mean() if metric == "wa" else np.mean(recall))
        scores.append(np.mean(by_seed))
    # Four standard errors of the difference of two empirical percentiles, the
    # density at them taken from a normal; the package draws 2000 times.
    # As wide as t with 11 degrees of freedom makes an interval of a mean.
    wide = stats.t.ppf(0.975, 11) * np.sqrt(12 / 11)
    tail, density = stats.norm.sf(wide), stats.norm.pdf(wide)
    error = np.sqrt(tail * (1 - tail) * (1 / draws + 1 / 2000)) / density
    expected = np.quantile(scores, [tail, 1 - tail])
    found = interval(trial.counts, metric)
    np.testing.assert_allclose(found, expected, atol=4 * error * np.std(scores), rtol=0)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seeds", [1, 3])
def test_interval_holds_the_pooled_score(metric: str, seeds: int) -> None:
    for seed in range(5):
        counts = Trial(speakers=6, seeds=seeds, seed=seed).counts
        low, high = interval(counts, metric)
        assert low < pooled(counts, metric) < high


def test_an_arm_compared_with_itself_gains_nothing_and_p_is_one() -> None:
    counts = Trial(speakers=6, seeds=2).counts
    found = compare(counts, counts, "ua")
    assert found == {"difference": 0.0, "ci95": [0.0, 0.0], "p_value": 1.0}


@pytest.mark.parametrize("metric", ["wa", "ua"])
@pytest.mark.parametrize("speakers", [3, 6])
def test_p_is_the_share_of_all_swaps_with_as_large_a_difference(
    metric: str, speakers: int
) -> None:
    one = Trial(speakers, seeds=2).counts
    other = Trial(speakers, seeds=2, skill=0.22).counts

    def difference(swapped: tuple[bool, ...]) -> float:
        sums = np.zeros((2, 2, CLASSES, CLASSES))
        for who, swap in enumerate(swapped):
            first, second = (other, one) if swap else (one, other)
            sums[0] += first[:, who]
            sums[1] += second[:, who]
        scores = [[plain_scores(seed)[metric] for seed in arm] for arm in sums]
        return float(np.mean(scores[0]) - np.mean(scores[1]))

    swaps = list(itertools.product([False, True], repeat=speakers))
    null = np.array([difference(swapped) for swapped in swaps])
    # Each speaker is tested by a fold of their own.
    found = compare(one, other, metric, trainings=(one, other))
    assert found["difference"] == pytest.approx(null[0], abs=1e-12)
    expected = np.mean(np.abs(null) >= abs(null[0]) - 1e-12)
    assert 0.0 < expected < 1.0
    assert found["p_value"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("speakers", [8, 16])
def test_p_is_small_where_every_speaker_gains(speakers: int) -> None:
    right = np.random.default_rng(0).integers(8, 15, speakers)
    better, worse = (
        counts_with(right, 20 - right),
        counts_with(right - 4, 24 - right),
    )
    # Only swapping nobody, or everybody, gives as large a difference; where there
    # are more swaps than draws, the one observed is counted in.
    smallest = 2 / 2**speakers if 2**speakers <= 2000 else 2 / 2001
    for metric in ("wa", "ua"):
        found = compare(better, worse, metric, trainings=(better, worse))
        again = compare(worse, better, metric, trainings=(worse, better))
        assert found["p_value"] == pytest.approx(smallest, rel=1e-9)
        assert found["difference"] == pytest.approx(0.2)
        assert again["p_value"] == found["p_value"]


def test_p_is_large_where_half_of_the_speakers_lose_what_the_others_gain() -> None:
    right = np.full(10, 10)
    change = np.where(np.arange(10) % 2, 3, -3)
    arm = counts_with(right + change, 10 - change)
    other = counts_with(right, right)
    found = compare(arm, other, "ua", trainings=(arm, other))
    assert found["difference"] == pytest.approx(0.0, abs=1e-12)
    assert found["p_value"] == 1.0
    assert found["ci95"][0] < -0.02 and found["ci95"][1] > 0.02


def test_one_speaker_has_a_difference_but_no_interval_and_p_is_of_the_seeds() -> None:
    one, other = (Trial(1, seeds=3, skill=skill).counts for skill in (0.5, 0.2))
    assert np.isnan(interval(one, "ua")).all()
    found = compare(one, other, "ua")
    assert found["difference"] > 0.1
    assert np.isnan(found["ci95"]).all()
    # Three seeds can be swapped in eight ways, one seed in no way.
    assert found["p_value"] == 0.25
    assert np.isnan(compare(one[:1], other[:1], "ua")["p_value"])


def gains_of_trainings(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two arms of six seeds that differ by the luck of each training alone."""
    luck = rng.normal(0.0, 0.05, (2, 6, 1))
    right = rng.binomial(100, np.clip(0.7 + luck, 0.0, 1.0), (2, 6, 10))
    counts = np.zeros((2, 6, 10, 2, 2))
    counts[..., 0, 0], counts[..., 0, 1] = right, 100 - right
    counts[..., 1, 1] = 100
    return counts[0], counts[1]


def test_p_finds_nothing_in_the_luck_of_trainings_that_serve_all_speakers() -> None:
    rng, trials = np.random.default_rng(0), 150
    by_training, by_speaker = [], []
    for _ in range(trials):
        one, other = gains_of_trainings(rng)
        trainings = [counts.sum(1, keepdims=True) for counts in (one, other)]
        by_training.append(permutation_p_value(*trainings, "wa") <= 0.05)
        by_speaker.append(permutation_p_value(one, other, "wa") <= 0.05)
    # `compare` goes by trainings; its interval takes longer than all of these.
    found = compare(one, other, "wa")["p_value"]
    assert found == permutation_p_value(*trainings, "wa")
    # Of 64 swaps two are as extreme in 3 % of the trials; three deviations allowed.
    assert np.mean(by_training) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    # Swapping speaker by speaker would find what is not there.
    assert np.mean(by_speaker) > 0.3


def test_the_same_seed_gives_the_same_numbers_and_another_one_others() -> None:
    # More swaps than draws, so that p is drawn too.
    one, other = (Trial(14, seeds=2, skill=skill).counts for skill in (0.3, 0.28))
    assert interval(one, "ua", seed=3) == interval(one, "ua", seed=3)
    assert interval(one, "ua", seed=3) != interval(one, "ua", seed=4)
    found = [
        compare(one, other, "ua", trainings=(one, other), seed=seed)
        for seed in (3, 3, 4, 5)
    ]
    assert found[0] == found[1]
    drawn = [comparison["p_value"] for comparison in found]
    assert len(set(drawn)) > 1


def test_both_arms_are_scored_on_the_same_draws() -> None:
    right = np.arange(2, 18)
    better, worse = counts_with(right, 20 - right), counts_with(right - 2, 22 - right)
    low, high = compare(better, worse, "wa")["ci95"]
    # Every speaker gains two of twenty, so every draw of speakers does.
    np.testing.assert_allclose([low, high], 0.1, atol=1e-12)
    for arm in (better, worse):
        own = interval(arm, "wa")
        assert own[1] - own[0] > 0.15


def test_every_utterance_weighs_the_same_not_every_speaker() -> None:
    # Forty rows of one speaker and two of another; the first has half of them wrong.
    arm = counts_with(np.array([20, 0]), np.array([0, 1]))
    other = counts_with(np.array([10, 1]), np.array([10, 0]))
    assert compare(arm, other, "wa")["difference"] == pytest.approx((40 - 22) / 42)
