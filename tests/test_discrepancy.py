"""Discrepancies: hand values, NumPy and scikit-learn, invariances, gradients."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from jax.test_util import check_grads
from sklearn.metrics.pairwise import rbf_kernel

from dann_jax.objectives import discrepancy
from dann_jax.objectives.discrepancy import MULTIPLES, proxy_a_distance
from dann_jax.types import Array

ROWS, WIDTH, CLASSES = 24, 3, 2
options = ("scale", "multiples")
coral = jax.jit(discrepancy.coral)
mmd = jax.jit(discrepancy.mmd, static_argnames=options)
conditional_mmd = jax.jit(discrepancy.conditional_mmd, static_argnames=options)
median = jax.jit(partial(discrepancy.mmd, scale="median"))
fixed = jax.jit(partial(discrepancy.mmd, scale=2.0, multiples=(1.0, 3.0)))


@jax.jit
def by_class(features: Array, groups: Array) -> Array:
    """Conditional MMD with a posterior that is a function of the row's place."""
    share = jnp.linspace(0.1, 0.9, features[..., 0].size)
    share = share.reshape(features.shape[:-1])
    return conditional_mmd(features, groups, jnp.stack([share, 1.0 - share], -1))


MEASURES = {"coral": coral, "mmd": mmd, "median": median, "fixed": fixed}
measures = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
all_measures = pytest.mark.parametrize(
    "measure", [*MEASURES.values(), by_class], ids=[*MEASURES, "conditional"]
)


def draw(seed: int = 0, groups: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Features, and groups that differ in mean and spread; some rows in none."""
    rng = np.random.default_rng(seed)
    member = rng.integers(-1, groups, ROWS)
    member[: 2 * groups] = np.arange(2 * groups) % groups
    features = rng.normal(size=(ROWS, WIDTH)) * (1.0 + 0.5 * member[:, None])
    features += 0.3 * member[:, None]
    return features.astype(np.float32), member == np.arange(groups)[:, None]


def kernel_by_sklearn(x: np.ndarray, y: np.ndarray, scale: float) -> np.ndarray:
    return sum(rbf_kernel(x, y, gamma=1.0 / (m * scale)) for m in MULTIPLES)


def scale_of(points: np.ndarray, reduce: Callable) -> float:
    squares = ((points[:, None] - points) ** 2).sum(-1)
    return reduce(squares[~np.eye(len(points), dtype=bool)])


def mmd_by_sklearn(
    x: np.ndarray,
    y: np.ndarray,
    scale: float,
    a: np.ndarray | None = None,
    b: np.ndarray | None = None,
) -> float:
    a, b = np.ones(len(x)) if a is None else a, np.ones(len(y)) if b is None else b
    a, b = a / a.sum(), b / b.sum()
    within = a @ kernel_by_sklearn(x, x, scale) @ a
    within += b @ kernel_by_sklearn(y, y, scale) @ b
    return within - 2.0 * a @ kernel_by_sklearn(x, y, scale) @ b


@pytest.mark.parametrize("seed", range(3))
def test_coral_agrees_with_numpy(seed: int) -> None:
    features, (source, target) = draw(seed)
    wide = features.astype(np.float64)
    difference = np.cov(wide[source].T) - np.cov(wide[target].T)
    expected = scipy.linalg.norm(difference, "fro") ** 2 / (4 * WIDTH**2)
    found = coral(features, np.stack([source, target]))
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_coral_takes_weights_as_numpy_does() -> None:
    features, groups = draw()
    weights = groups * np.random.default_rng(1).random(ROWS)
    one, two = (np.cov(features.T, aweights=w) for w in weights)
    expected = ((one - two) ** 2).sum() / (4 * WIDTH**2)
    np.testing.assert_allclose(coral(features, weights), expected, rtol=2e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", ["mean", "median"])
def test_mmd_agrees_with_scikit_learn(seed: int, scale: str) -> None:
    features, groups = draw(seed)
    x, y = (features[g].astype(np.float64) for g in groups)
    width = scale_of(np.concatenate([x, y]), getattr(np, scale))
    found = mmd(features, groups, scale=scale)
    np.testing.assert_allclose(found, mmd_by_sklearn(x, y, width), rtol=1e-4)


def test_conditional_mmd_is_the_mean_over_the_classes_of_a_weighted_mmd() -> None:
    features, groups = draw()
    posterior = np.random.default_rng(2).dirichlet(np.ones(CLASSES), ROWS)
    posterior = posterior.astype(np.float32)
    wide = features.astype(np.float64)
    width = scale_of(wide[groups.any(0)], np.mean)
    (one, two) = groups
    expected = np.mean(
        [
            mmd_by_sklearn(
                wide[one], wide[two], width, posterior[one, c], posterior[two, c]
            )
            for c in range(CLASSES)
        ]
    )
    found = conditional_mmd(features, groups, posterior)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_conditional_mmd_of_hard_labels_compares_each_class_alone() -> None:
    features, groups = draw()
    label = np.arange(ROWS) // 2 % CLASSES
    one_hot = np.eye(CLASSES, dtype=np.float32)[label]
    alone = [
        mmd(features, groups & (label == c), multiples=(1.0,), scale=2.0)
        for c in range(CLASSES)
    ]
    found = conditional_mmd(features, groups, one_hot, multiples=(1.0,), scale=2.0)
    np.testing.assert_allclose(found, np.mean(alone), rtol=1e-5)


def test_a_class_that_one_side_lacks_is_left_out() -> None:
    features, groups = draw()
    label = np.arange(ROWS) // 2 % CLASSES
    label[groups[1]] = 0
    one_hot = np.eye(CLASSES, dtype=np.float32)[label]
    found = conditional_mmd(features, groups, one_hot, scale=2.0)
    alone = mmd(features, groups & (label == 0), scale=2.0)
    np.testing.assert_allclose(found, alone, rtol=1e-5)


@measures
def test_many_groups_give_the_mean_over_their_pairs(measure: Callable) -> None:
    features, groups = draw(groups=4)
    features[~groups.any(0)] = 0.0
    # A fixed scale: the automatic one is that of all groups.
    if measure in (mmd, median):
        measure = fixed
    pairs = [
        measure(features, groups[[i, j]]) for i in range(4) for j in range(i + 1, 4)
    ]
    np.testing.assert_allclose(measure(features, groups), np.mean(pairs), rtol=1e-4)


@measures
def test_masked_rows_are_as_if_they_were_not_there(measure: Callable) -> None:
    features, groups = draw()
    chosen = groups.any(0)
    assert not chosen.all()
    whole, gradient = jax.value_and_grad(measure)(features, groups)
    part, part_gradient = jax.value_and_grad(measure)(
        features[chosen], groups[:, chosen]
    )
    np.testing.assert_allclose(whole, part, rtol=1e-5)
    np.testing.assert_allclose(gradient[chosen], part_gradient, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(gradient[~chosen], 0.0)


@all_measures
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_poison_in_masked_rows_changes_nothing(
    measure: Callable, poison: float
) -> None:
    features, groups = draw()
    clean = jax.value_and_grad(measure)(features, groups)
    poisoned = np.where(groups.any(0)[:, None], features, np.float32(poison))
    found = jax.value_and_grad(measure)(poisoned, groups)
    jax.tree.map(np.testing.assert_array_equal, found, clean)


@all_measures
def test_leading_axes_are_flattened(measure: Callable) -> None:
    features, groups = draw()
    shaped = measure(features.reshape(4, 6, WIDTH), groups.reshape(2, 4, 6))
    np.testing.assert_array_equal(shaped, measure(features, groups))


@measures
def test_only_relative_weights_within_a_group_matter(measure: Callable) -> None:
    features, groups = draw()
    scaled = groups * np.float32([[0.5], [8.0]])
    np.testing.assert_allclose(
        measure(features, scaled), measure(features, groups), rtol=1e-5
    )


@measures
def test_sides_may_be_swapped_and_features_moved_and_turned(measure: Callable) -> None:
    features, groups = draw()
    expected = measure(features, groups)
    turn = scipy.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0]
    for moved, sides in (
        (features, groups[::-1]),
        (features + np.float32(3.0), groups),
        ((features @ turn).astype(np.float32), groups),
    ):
        np.testing.assert_allclose(measure(moved, sides), expected, rtol=1e-4)


@pytest.mark.parametrize("scale", ["mean", "median"])
def test_mmd_with_its_own_scale_does_not_depend_on_the_unit(scale: str) -> None:
    features, groups = draw()
    np.testing.assert_allclose(
        mmd(100.0 * features, groups, scale=scale),
        mmd(features, groups, scale=scale),
        rtol=1e-4,
    )


@all_measures
@pytest.mark.parametrize("sides", [[True, False], [False, True], [False, False]])
def test_an_empty_side_costs_nothing(measure: Callable, sides: list[bool]) -> None:
    features, groups = draw()
    value, gradient = jax.value_and_grad(measure)(
        features, groups & np.array(sides)[:, None]
    )
    assert value == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


@all_measures
@pytest.mark.parametrize("at", [0.0, 1.7])
def test_identical_points_have_distance_zero_and_a_finite_gradient(
    measure: Callable, at: float
) -> None:
    _, groups = draw()
    value, gradient = jax.value_and_grad(measure)(
        np.full((ROWS, WIDTH), at, np.float32), groups
    )
    np.testing.assert_allclose(value, 0.0, atol=1e-6)
    assert jnp.isfinite(gradient).all()


def test_the_same_rows_on_both_sides_have_distance_zero() -> None:
    features, _ = draw()
    both = np.ones((2, ROWS), bool)
    for measure in MEASURES.values():
        np.testing.assert_allclose(measure(features, both), 0.0, atol=1e-6)


def test_coral_needs_two_rows_a_side() -> None:
    features = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    assert coral(features, np.array([[1, 0, 0], [0, 1, 1]])) == 0.0


@all_measures
def test_gradients_agree_with_finite_differences(measure: Callable) -> None:
    features, groups = draw()
    if measure in (mmd, median, by_class):
        # Their scale is a constant to the gradient, and not to a difference.
        measure = fixed
    check_grads(lambda x: measure(x, groups), (features,), order=1, modes=["rev"])


@all_measures
def test_a_step_against_the_gradient_brings_the_sides_together(
    measure: Callable,
) -> None:
    features, groups = draw()
    before, gradient = jax.value_and_grad(measure)(features, groups)
    assert measure(features - 0.1 * gradient, groups) < before


@all_measures
def test_maps_over_replicas(measure: Callable) -> None:
    worlds = [draw(seed) for seed in range(3)]
    features, groups = (np.stack(part) for part in zip(*worlds, strict=True))
    np.testing.assert_allclose(
        jax.jit(jax.vmap(measure))(features, groups),
        [measure(*world) for world in worlds],
        rtol=1e-4,
        atol=1e-7,
    )


def test_groups_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="groups have shape"):
        discrepancy.mmd(np.zeros((5, 2)), np.ones((2, 4)))


@pytest.mark.parametrize(("error", "distance"), [(0.0, 2.0), (0.5, 0.0), (1.0, -2.0)])
def test_proxy_a_distance_of_perfect_blind_and_inverted(
    error: float, distance: float
) -> None:
    assert proxy_a_distance(error) == distance
