"""Groups of rows: membership, means of groups, and weights that balance them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from dann_jax.objectives.groups import balancing_weights, group_means, members
from dann_jax.objectives.losses import masked_mean
from dann_jax.types import UNKNOWN


def draw(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(4, 5)).astype(np.float32)
    return values, rng.integers(UNKNOWN, 3, (4, 5)).astype(np.int32)


def test_every_known_row_belongs_to_its_own_group_alone() -> None:
    _, ids = draw()
    found = members(ids, 3)
    np.testing.assert_array_equal(found.sum(0), ids != UNKNOWN)
    np.testing.assert_array_equal(found[2], ids == 2)


@pytest.mark.parametrize("seed", range(3))
def test_means_of_groups_agree_with_selection(seed: int) -> None:
    values, ids = draw(seed)
    means, present = group_means(values, members(ids, 4))
    expected = [values[ids == g].mean() for g in range(3)]
    np.testing.assert_allclose(means, [*expected, 0.0], rtol=1e-5)
    assert present.tolist() == [True, True, True, False]


@pytest.mark.parametrize("seed", range(3))
def test_balancing_weights_are_those_of_scikit_learn_up_to_a_factor(seed: int) -> None:
    _, ids = draw(seed)
    known = ids != UNKNOWN
    found = np.asarray(balancing_weights(ids, 3))[known]
    expected = compute_sample_weight("balanced", ids[known])
    np.testing.assert_allclose(
        found / found.sum(), expected / expected.sum(), rtol=1e-5
    )


def test_a_balanced_mean_is_the_mean_of_the_means_of_the_groups_that_are_there() -> (
    None
):
    values, ids = draw()
    found = masked_mean(values, balancing_weights(ids, 7))
    means, present = group_means(values, members(ids, 7))
    np.testing.assert_allclose(found, means[present].mean(), rtol=1e-5)


def test_rows_of_no_group_weigh_nothing_and_an_empty_batch_too() -> None:
    _, ids = draw()
    np.testing.assert_array_equal(balancing_weights(ids, 3)[ids == UNKNOWN], 0.0)
    nobody = jnp.full((2, 3), UNKNOWN)
    np.testing.assert_array_equal(balancing_weights(nobody, 3), 0.0)


def test_balancing_maps_over_replicas() -> None:
    ids = np.stack([draw(seed)[1] for seed in range(3)])
    found = jax.vmap(lambda i: balancing_weights(i, 3))(ids)
    np.testing.assert_array_equal(found, [balancing_weights(i, 3) for i in ids])
