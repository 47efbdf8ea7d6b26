"""Distances between domains, against Gaussians and information theory."""

import numpy as np
import pytest
from scipy import stats

from dann_jax.evaluation.divergence import label_shift, proxy_a_distance


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5, 8.0])
@pytest.mark.parametrize("sizes", [(2000, 2000), (3200, 800)])
def test_the_distance_of_two_gaussians_is_that_of_their_best_classifier(
    shift: float, sizes: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    domain = np.repeat(["here", "there"], sizes)
    features = rng.normal(size=(sum(sizes), 3))
    features[domain == "there", 0] += shift
    error = stats.norm.cdf(-shift / 2)
    found = proxy_a_distance(features, domain, rows=4000)
    # Four deviations of 4 times a mean error rate, and what two useless features cost.
    spread = 2 * np.sqrt(error * (1 - error) * (1 / sizes[0] + 1 / sizes[1]))
    assert found == pytest.approx(2 * (1 - 2 * error), abs=4 * spread + 0.02)


def test_of_more_domains_it_is_the_mean_of_each_against_the_rest() -> None:
    rng = np.random.default_rng(1)
    domain = np.repeat(np.arange(3), 200)
    features = rng.normal(size=(600, 4)) + np.eye(4)[domain] * 2.0
    each = [proxy_a_distance(features, domain == name) for name in range(3)]
    assert proxy_a_distance(features, domain) == pytest.approx(np.mean(each), abs=1e-12)


def test_the_names_of_the_domains_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    side = np.arange(300) % 2
    features = rng.normal(size=(300, 2)) + side[:, None]
    swapped = proxy_a_distance(features, 1 - side)
    assert proxy_a_distance(features, side) == pytest.approx(swapped, abs=1e-12)


def test_one_domain_has_no_distance() -> None:
    assert np.isnan(proxy_a_distance(np.ones((20, 2)), np.zeros(20, int)))


def test_label_shift_is_the_mean_divergence_of_the_priors_over_their_entropy() -> None:
    rng = np.random.default_rng(4)
    domain = np.repeat(np.arange(3), [4000, 2000, 2000])
    priors = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    label = np.array([rng.choice(3, p=priors[d]) for d in domain])
    own = [np.bincount(label[domain == d], minlength=3) for d in range(3)]
    pooled = sum(own)
    divergence = sum(
        counts.sum() / 8000 * stats.entropy(counts, pooled) for counts in own
    )
    # Miller's correction: (classes - 1) (domains - 1) / 2n.
    expected = (divergence - 4 / 16000) / stats.entropy(pooled)
    assert label_shift(label, domain) == pytest.approx(expected, abs=1e-12)


def test_chance_alone_is_no_label_shift() -> None:
    rng = np.random.default_rng(5)
    found = [
        label_shift(rng.integers(0, 4, 400), rng.integers(0, 10, 400))
        for _ in range(100)
    ]
    raw = (4 - 1) * (10 - 1) / 800 / np.log(4)
    assert np.mean(found) < raw / 2
    assert min(found) == 0.0


def test_speakers_of_one_emotion_each_are_all_shift() -> None:
    label = np.repeat([0, 1, 2], 3000)
    assert label_shift(label, label) == pytest.approx(1.0, abs=1e-3)
    assert np.isnan(label_shift(np.zeros(5, int), np.arange(5)))
