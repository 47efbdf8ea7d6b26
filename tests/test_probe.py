"""A probe says what frozen features give away, and what guessing would."""

import numpy as np
import pytest

from dann_jax.evaluation.probe import domain_probe, domain_probes


def features_with(domain: np.ndarray, shift: float, width: int = 8) -> np.ndarray:
    """Noise, to which each domain adds a direction of its own."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(domain.max() + 1, width))
    return rng.normal(size=(len(domain), width)) + shift * directions[domain]


def test_a_domain_that_is_linearly_there_is_found() -> None:
    domain = np.arange(300) % 3
    found = domain_probe(features_with(domain, 5.0), domain)
    assert found["accuracy"] > 0.95


def test_the_scale_and_the_origin_of_the_features_do_not_matter() -> None:
    domain = np.arange(300) % 3
    features = features_with(domain, 5.0)
    assert domain_probe(1e-4 * features + 7.0, domain)["accuracy"] > 0.95


def test_noise_gives_no_more_than_chance() -> None:
    # Wide enough to learn by heart the rows that it is fitted on.
    domain = np.random.default_rng(1).integers(0, 4, 400)
    found = domain_probe(features_with(domain, 0.0, width=100), domain)
    # Four standard deviations of a share of 400 guesses.
    error = 4 * np.sqrt(found["chance"] * (1 - found["chance"]) / 400)
    assert abs(found["accuracy"] - found["chance"]) < error


def test_chance_is_the_share_of_the_most_frequent_domain() -> None:
    domain = np.repeat([0, 1, 2], [60, 30, 30])
    found = domain_probe(features_with(domain, 0.0), domain)
    assert found["chance"] == pytest.approx(0.5)


@pytest.mark.parametrize("counts", [[30], [30, 2], [2, 1, 2]])
def test_fewer_than_two_domains_of_three_rows_give_nan(counts: list[int]) -> None:
    domain = np.repeat(np.arange(len(counts)), counts)
    found = domain_probe(features_with(domain, 5.0), domain)
    assert np.isnan(found["accuracy"]) and np.isnan(found["chance"])


def test_domains_with_too_few_rows_for_three_folds_take_no_part() -> None:
    domain = np.repeat([0, 1, 2], [40, 40, 2])
    found = domain_probe(features_with(domain, 5.0), domain)
    assert found["accuracy"] > 0.95
    assert found["chance"] == pytest.approx(0.5, abs=0.02)


def test_at_most_so_many_rows_are_used_and_the_seed_draws_them() -> None:
    domain = np.arange(200) % 2
    features = features_with(domain, 0.3)
    few = [domain_probe(features, domain, rows=30, seed=seed) for seed in range(4)]
    assert len({found["accuracy"] for found in few}) > 1
    assert few[0] == domain_probe(features, domain, rows=30, seed=0)
    drawn = np.random.default_rng(0).permutation(200)[:30]
    share = np.bincount(domain[drawn]).max() / 30
    assert few[0]["chance"] == pytest.approx(share, abs=0.04)


@pytest.mark.slow
def test_probes_in_processes_say_what_probes_in_this_one_say() -> None:
    domain = np.arange(30) % 3
    features = features_with(domain, 1.0) * np.linspace(0.1, 10, 100)[:, None, None]
    features[1::2] += np.random.default_rng(1).normal(size=features[1::2].shape)
    few = domain_probes(features[:10], domain)
    assert domain_probes(features, domain)[:10] == few
    assert few[0] != few[1]
