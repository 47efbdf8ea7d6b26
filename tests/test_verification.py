"""Verification: trials, error rates against brute force, PLDA against the Gaussian."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from sklearn.metrics.pairwise import paired_cosine_distances

from dann_jax.evaluation.detection import weighted_errors
from dann_jax.evaluation.plda import Plda, fit_plda, plda_scores
from dann_jax.evaluation.verification import cosine_scores, make_trials

SPEAKER = np.repeat(["a", "b", "c", "d", ""], [6, 5, 1, 4, 3])


def scored(seed: int = 0, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.random(n) > 0.4
    # Rounded, so that there are ties.
    return (rng.normal(size=n) + 1.5 * target).round(1), target


# Trials.


def test_trials_are_of_speakers_never_trained_on_and_name_them_rightly() -> None:
    trials = make_trials(SPEAKER, trained={"d"})
    heard = set(SPEAKER[np.concatenate([trials.first, trials.second])])
    assert heard == {"a", "b", "c"}
    same = SPEAKER[trials.first] == SPEAKER[trials.second]
    np.testing.assert_array_equal(same, trials.target)
    assert (trials.first != trials.second).all()


def test_trials_are_balanced_and_no_pair_comes_twice() -> None:
    trials = make_trials(SPEAKER)
    assert trials.target.sum() == 15 + 10 + 6 == (~trials.target).sum()
    pairs = {tuple(sorted(p)) for p in zip(trials.first, trials.second, strict=True)}
    assert len(pairs) == len(trials.target)


def test_no_speaker_has_more_target_trials_than_the_cap() -> None:
    trials = make_trials(SPEAKER, per_speaker=7)
    of = SPEAKER[trials.first[trials.target]]
    assert [(of == name).sum() for name in "abcd"] == [7, 7, 0, 6]


def test_trials_are_the_same_again_and_others_with_another_seed() -> None:
    one, two, other = (make_trials(SPEAKER, per_speaker=3, seed=s) for s in (0, 0, 1))
    for left, right in zip(one, two, strict=True):
        np.testing.assert_array_equal(left, right)
    assert (one.first != other.first).any() or (one.second != other.second).any()


@pytest.mark.parametrize(
    ("speaker", "trained", "message"),
    [
        (["a", "a", "b"], {"b"}, "two speakers"),
        (["a", "b", "c"], (), "two rows"),
    ],
)
def test_trials_that_cannot_be_are_refused(
    speaker: list[str], trained: set[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_trials(np.array(speaker), trained=trained)


# Error rates.


def equal_error_rate(scores: np.ndarray, target: np.ndarray) -> float:
    return float(weighted_errors(scores, target, np.ones(len(scores)))["eer"])


def min_dcf(scores: np.ndarray, target: np.ndarray) -> float:
    return float(weighted_errors(scores, target, np.ones(len(scores)))["min_dcf"])


def rates(scores: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Misses and false alarms of `score >= threshold`, by counting."""
    thresholds = [-np.inf, *np.unique(scores), np.inf]
    miss = [np.mean(scores[target] < t) for t in thresholds]
    alarm = [np.mean(scores[~target] >= t) for t in thresholds]
    return np.array(miss), np.array(alarm)


@pytest.mark.parametrize("seed", range(4))
def test_equal_error_rate_lies_on_both_curves(seed: int) -> None:
    scores, target = scored(seed)
    miss, alarm = rates(scores, target)
    # Both curves over the gap between them, which rises with the threshold.
    expected = np.interp(0.0, miss - alarm, miss)
    found = equal_error_rate(scores, target)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(found, np.interp(0.0, miss - alarm, alarm), rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_min_dcf_is_the_least_cost_by_counting(seed: int) -> None:
    scores, target = scored(seed)
    miss, alarm = rates(scores, target)
    expected = (miss * 0.01 + alarm * 0.99).min() / 0.01
    np.testing.assert_allclose(min_dcf(scores, target), expected, rtol=1e-9)


@pytest.mark.parametrize("metric", [equal_error_rate, min_dcf])
def test_error_rates_see_only_the_order_of_the_scores(metric) -> None:
    scores, target = scored()
    assert metric(np.exp(scores), target) == metric(scores, target)


def test_error_rates_of_the_perfect_the_useless_and_the_inverted() -> None:
    target = np.array([True, True, False, False])
    perfect = target.astype(float)
    assert equal_error_rate(perfect, target) == 0.0 == min_dcf(perfect, target)
    assert equal_error_rate(np.zeros(4), target) == 0.5
    assert min_dcf(np.zeros(4), target) == 1.0
    assert equal_error_rate(-perfect, target) == 1.0
    assert min_dcf(-perfect, target) == 1.0


def test_equal_error_rate_of_two_normals_is_what_their_distance_says() -> None:
    rng = np.random.default_rng(0)
    target = np.arange(40_000) % 2 == 0
    scores = rng.normal(size=len(target)) + 2.0 * target
    found = equal_error_rate(scores, target)
    # Three standard errors of a share of 20,000.
    np.testing.assert_allclose(found, norm.cdf(-1.0), atol=0.008)


@pytest.mark.parametrize(
    ("scores", "target", "message"),
    [([1.0, 2.0], [True, True], "trials"), ([1.0, np.nan], [True, False], "finite")],
)
def test_scores_that_tell_nothing_are_refused(
    scores: list[float], target: list[bool], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        equal_error_rate(np.array(scores), np.array(target))


def test_cosine_scores_do_not_depend_on_length() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5, 3))
    expected = 1.0 - paired_cosine_distances(x, y)
    np.testing.assert_allclose(cosine_scores(x, y), expected)
    np.testing.assert_allclose(cosine_scores(7.0 * x, 0.1 * y), expected)
    assert cosine_scores(np.zeros((1, 3)), x[:1]) == 0.0


# PLDA.


def spread(width: int, seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(width, width))
    return root @ root.T / width + 0.1 * np.eye(width)


def world(
    speakers: int, rows: int | None, seed: int = 0, width: int = 3
) -> tuple[Plda, np.ndarray, np.ndarray]:
    """A model, and rows drawn from it; with `rows` None as many as chance has it."""
    rng = np.random.default_rng(seed)
    model = Plda(rng.normal(size=width), 2.0 * spread(width, 1), spread(width, 2))
    counts = np.full(speakers, rows) if rows else rng.integers(1, 9, speakers)
    ids = np.repeat(np.arange(speakers), counts)
    points = rng.multivariate_normal(np.zeros(width), model.between, speakers)
    noise = rng.multivariate_normal(np.zeros(width), model.within, len(ids))
    return model, model.mean + points[ids] + noise, ids


def log_likelihood(model: Plda, features: np.ndarray, ids: np.ndarray) -> float:
    """By the whole covariance of each speaker's rows."""
    total = 0.0
    for name in np.unique(ids):
        rows = features[ids == name]
        n = len(rows)
        covariance = np.kron(np.ones((n, n)), model.between)
        covariance += np.kron(np.eye(n), model.within)
        total += multivariate_normal.logpdf(
            rows.ravel(), np.tile(model.mean, n), covariance
        )
    return total


def test_plda_scores_are_the_likelihood_ratio_of_the_whole_gaussian() -> None:
    model, features, _ = world(10, 2)
    first, second = features[::2], features[1::2]
    total = model.between + model.within
    joint = np.block([[total, model.between], [model.between, total]])
    both = multivariate_normal(np.tile(model.mean, 2), joint)
    alone = multivariate_normal(model.mean, total)
    expected = both.logpdf(np.hstack([first, second]))
    expected -= alone.logpdf(first) + alone.logpdf(second)
    np.testing.assert_allclose(plda_scores(model, first, second), expected, rtol=1e-9)
    np.testing.assert_allclose(plda_scores(model, second, first), expected, rtol=1e-9)


@pytest.mark.parametrize("rows", [4, None])
def test_every_iteration_of_plda_raises_the_likelihood(rows: int | None) -> None:
    _, features, ids = world(40, rows)
    found = [
        log_likelihood(
            fit_plda(features, ids, iterations=n, shrinkage=0.0), features, ids
        )
        for n in range(6)
    ]
    assert (np.diff(found) >= -1e-6).all() and found[-1] > found[0]


@pytest.mark.parametrize("rows", [6, None])
def test_plda_finds_the_model_that_made_the_rows(rows: int | None) -> None:
    model, features, ids = world(4000, rows)
    found = fit_plda(features, ids, shrinkage=0.0)
    # 4,000 speakers: a standard error of about 2 % of a variance.
    np.testing.assert_allclose(found.mean, model.mean, atol=0.1)
    for name in ("between", "within"):
        true = getattr(model, name)
        difference = np.linalg.norm(getattr(found, name) - true) / np.linalg.norm(true)
        assert difference < 0.06


def test_with_equal_counts_plda_has_the_closed_form() -> None:
    _, features, ids = world(50, 4)
    found = fit_plda(features, ids, iterations=200, shrinkage=0.0)
    means = np.stack([features[ids == i].mean(0) for i in range(50)])
    residuals = features - means[ids]
    within = residuals.T @ residuals / (50 * 3)
    between = np.cov(means.T, bias=True) - within / 4
    np.testing.assert_allclose(found.within, within, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.between, between, rtol=1e-4, atol=1e-5)


def test_plda_beats_the_cosine_where_noise_has_a_direction() -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(120), 5)
    features = rng.normal(size=(120, 4))[ids]
    features += rng.normal(size=(600, 4)) * [5.0, 0.3, 0.3, 0.3]
    known = ids < 60
    model = fit_plda(features[known], ids[known])
    trials = make_trials(ids, trained=set(range(60)))
    pair = features[trials.first], features[trials.second]
    by_plda = equal_error_rate(plda_scores(model, *pair), trials.target)
    by_cosine = equal_error_rate(cosine_scores(*pair), trials.target)
    assert by_plda < 0.1 < by_cosine


def test_plda_of_fewer_rows_than_widths_scores_finitely() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(8, 20))
    model = fit_plda(features, np.arange(8) // 2)
    assert np.isfinite(plda_scores(model, features[:4], features[4:])).all()


@pytest.mark.parametrize("speaker", [[0, 0, 0], [0, 1, 2]])
def test_plda_without_speakers_to_compare_is_refused(speaker: list[int]) -> None:
    with pytest.raises(ValueError, match="PLDA needs"):
        fit_plda(np.eye(3), np.array(speaker))
