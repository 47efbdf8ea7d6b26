"""Selection criteria against loops, closed forms and known answers."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from dann_jax.evaluation.reweighting import (
    controlled_risk,
    deep_embedded_validation,
    density_ratio,
)
from dann_jax.evaluation.unsupervised import (
    CRITERIA,
    View,
    entropy,
    information_maximisation,
    reverse_validation,
    soft_neighbourhood_density,
)

RNG = np.random.default_rng(0)
LOGITS = 3.0 * RNG.normal(size=(37, 4))


def plain_softmax(row: list[float]) -> list[float]:
    powers = [math.exp(x) for x in row]
    return [power / sum(powers) for power in powers]


def plain_entropy(shares: list[float]) -> float:
    return -sum(p * math.log(p) for p in shares if p > 0)


def test_entropy_is_that_of_a_loop() -> None:
    expected = [plain_entropy(plain_softmax(list(row))) for row in LOGITS]
    assert entropy(LOGITS) == pytest.approx(sum(expected) / len(expected), abs=1e-12)


def test_information_maximisation_is_the_mean_divergence_from_the_mean() -> None:
    # I(row; class) = mean KL(p_i || mean p): another formula for the same number.
    shares = np.array([plain_softmax(list(row)) for row in LOGITS])
    expected = np.mean([stats.entropy(p, shares.mean(0)) for p in shares])
    assert information_maximisation(LOGITS) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_what_is_added_to_all_logits_of_a_row_does_not_matter(offset: float) -> None:
    moved = LOGITS + offset * np.arange(len(LOGITS))[:, None]
    for criterion in (entropy, information_maximisation, soft_neighbourhood_density):
        assert criterion(moved) == pytest.approx(criterion(LOGITS), abs=1e-9)


@pytest.mark.parametrize("rows_at_once", [1, 5, 36, 37, 1024])
@pytest.mark.parametrize("temperature", [0.05, 0.7])
def test_density_is_that_of_three_nested_loops(
    rows_at_once: int, temperature: float
) -> None:
    points = [plain_softmax(list(row)) for row in LOGITS]
    entropies = []
    for i, one in enumerate(points):
        similarity = []
        for j, other in enumerate(points):
            if i != j:
                dot = sum(a * b for a, b in zip(one, other, strict=True))
                cosine = dot / math.hypot(*one) / math.hypot(*other)
                similarity.append(cosine / temperature)
        entropies.append(plain_entropy(plain_softmax(similarity)))
    found = soft_neighbourhood_density(
        LOGITS, temperature=temperature, rows_at_once=rows_at_once
    )
    assert found == pytest.approx(sum(entropies) / len(entropies), abs=1e-10)


def test_density_of_clusters_is_the_log_of_their_other_members() -> None:
    # Three orthogonal clusters of ten: nine equal neighbours, twenty far ones.
    logits = 100.0 * np.repeat(np.eye(3), 10, axis=0)
    far = 20 * math.exp(-20.0)
    shares = [1 / (9 + far)] * 9 + [math.exp(-20.0) / (9 + far)] * 20
    assert soft_neighbourhood_density(logits) == pytest.approx(
        plain_entropy(shares), abs=1e-12
    )


def test_density_of_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match="two rows"):
        soft_neighbourhood_density(LOGITS[:1])


@pytest.mark.parametrize("sizes", [(4000, 4000), (4000, 1000), (1000, 4000)])
def test_the_ratio_of_two_gaussians_is_log_linear_whatever_the_sample_sizes(
    sizes: tuple[int, int],
) -> None:
    rng, shift = np.random.default_rng(1), np.array([0.8, -0.4])
    source = rng.normal(size=(sizes[0], 2))
    target = rng.normal(size=(sizes[1], 2)) + shift
    at = rng.normal(size=(50, 2))
    expected = at @ shift - shift @ shift / 2
    found = np.log(density_ratio(source, target, at))
    # Four standard errors of a coefficient of a balanced logistic regression is about
    # 4 * 2 / sqrt(n); a point in two dimensions has three coefficients.
    error = 8.0 / np.sqrt(min(sizes)) * np.sqrt(1 + (at**2).sum(1))
    assert (np.abs(found - expected) < error).all()
    assert np.corrcoef(found, expected)[0, 1] > 0.99


def test_the_controlled_risk_is_that_of_a_regression_on_the_weights() -> None:
    rng = np.random.default_rng(2)
    weights, losses = rng.gamma(2.0, 0.5, 200), rng.gamma(1.0, 1.0, 200)
    # The control variate estimate is the regression line of w*l on w, read at w = 1.
    line = stats.linregress(weights, weights * losses)
    expected = line.intercept + line.slope
    assert controlled_risk(losses, weights) == pytest.approx(expected, abs=1e-10)


def test_the_control_keeps_the_mean_and_lowers_the_spread() -> None:
    rng, plain, controlled = np.random.default_rng(3), [], []
    for _ in range(400):
        at = rng.normal(size=400)
        weights, losses = np.exp(0.7 * at - 0.245), at**2
        plain.append((weights * losses).mean())
        controlled.append(controlled_risk(losses, weights))
    # E under N(0.7, 1) of x^2.
    truth = 1.0 + 0.49
    # The estimate of eta is of the same data, which costs a bias of the order 1/n.
    error = 4 * np.std(controlled) / np.sqrt(400)
    assert abs(np.mean(controlled) - truth) < error + 10 / 400
    assert np.std(controlled) < 0.7 * np.std(plain)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_deep_embedded_validation_finds_the_risk_on_a_shifted_gaussian(
    shift: float,
) -> None:
    rng, estimates = np.random.default_rng(4), []
    for _ in range(20):
        train, validation = rng.normal(size=(2, 2000, 1))
        target = rng.normal(size=(2000, 1)) + shift
        losses = validation[:, 0] ** 2
        estimates.append(deep_embedded_validation(train, validation, target, losses))
    error = 4 * np.std(estimates, ddof=1) / np.sqrt(20)
    assert error < 0.25
    assert abs(np.mean(estimates) - (1.0 + shift**2)) < error + 0.02


def test_equal_weights_give_the_plain_mean() -> None:
    losses = RNG.random(9)
    assert controlled_risk(losses, np.ones(9)) == pytest.approx(losses.mean())


def two_classes(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit Gaussians around -1 and 1: the best classifier has recall 0.841."""
    rng = np.random.default_rng(seed)
    label = np.arange(rows) % 2
    return rng.normal(size=(rows, 1)) + 2.0 * label[:, None] - 1.0, label


def test_true_predictions_find_their_way_back_as_well_as_bayes() -> None:
    (target, label), (source, truth) = two_classes(4000, 5), two_classes(4000, 6)
    found = reverse_validation(target, label, source, truth)
    best = stats.norm.cdf(1.0)
    assert abs(found - best) < 4 * np.sqrt(best * (1 - best) / 4000)
    swapped = reverse_validation(target, 1 - label, source, truth)
    assert swapped == pytest.approx(1 - found, abs=1e-3)


def test_reverse_validation_is_a_regression_with_hand_made_standardisation() -> None:
    rng = np.random.default_rng(7)
    target, source = 5.0 + 3.0 * rng.normal(size=(2, 300, 4))
    guess = (target[:, 0] + rng.normal(size=300) > 5).astype(int)
    truth = (source[:, 0] > 5).astype(int)
    mean, spread = target.mean(0), target.std(0)
    model = LogisticRegression(max_iter=1000).fit((target - mean) / spread, guess)
    answer = model.predict((source - mean) / spread)
    expected = np.mean([(answer[truth == k] == k).mean() for k in (0, 1)])
    assert reverse_validation(target, guess, source, truth) == pytest.approx(
        expected, abs=1e-12
    )


@pytest.mark.parametrize("named", [0, 2])
def test_a_model_that_names_one_class_goes_back_no_better_than_chance(
    named: int,
) -> None:
    features = RNG.normal(size=(60, 3))
    truth = np.arange(60) % 4
    guess = np.full(60, named)
    assert reverse_validation(features, guess, features, truth) == pytest.approx(0.25)


def model_view(skill: float, rows: int = 600) -> View:
    """A model whose features keep three classes `skill` deviations apart.

    It is as sure of what it says whatever its skill.
    """
    rng = np.random.default_rng(8)

    def side(shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        label = rng.integers(0, 3, rows)
        features = skill * np.eye(3)[label] + rng.normal(size=(rows, 3)) + shift
        return features, 4.0 * (features - shift), label

    train, _, _ = side(0.0)
    validation, logits, label = side(0.0)
    target, target_logits, _ = side(0.3)
    return View(train, validation, logits, label, target, target_logits)


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_prefers_the_model_that_knows_the_classes(name: str) -> None:
    assert CRITERIA[name](model_view(4.0)) > CRITERIA[name](model_view(0.5)) + 0.01


def test_density_is_fooled_by_a_model_that_is_sure_of_nothing() -> None:
    view = model_view(4.0)
    unsure = soft_neighbourhood_density(0.01 * view.target_logits)
    assert unsure > soft_neighbourhood_density(view.target_logits) + 1.0
    assert unsure == pytest.approx(np.log(599), abs=0.01)


@pytest.mark.parametrize("name", CRITERIA)
def test_no_criterion_changes_what_it_is_given(name: str) -> None:
    view = model_view(2.0, rows=50)
    before = [part.copy() for part in view]
    first, again = CRITERIA[name](view), CRITERIA[name](view)
    assert first == again and np.isfinite(first)
    for part, kept in zip(view, before, strict=True):
        np.testing.assert_array_equal(part, kept)
