"""Losses: values, invariances, and gradients that unknown rows cannot spoil."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from jax.test_util import check_grads
from sklearn.metrics import log_loss

from dann_jax.objectives.losses import (
    binary_cross_entropy,
    cross_entropy,
    entropy,
    masked_mean,
    soft_cross_entropy,
    uniform_cross_entropy,
)
from dann_jax.types import UNKNOWN, Array

ROWS, CLASSES = 7, 4
POISON = (np.nan, np.inf, -np.inf, 1e38)


def random_rows(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels; rows 1 and 4 are unknown."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, ROWS).astype(np.int32)
    labels[[1, 4]] = UNKNOWN
    return rng.normal(0.0, 3.0, (ROWS, CLASSES)).astype(np.float32), labels


@partial(jax.jit, static_argnames="smoothing")
def row_losses(
    logits: Array, labels: Array, smoothing: float = 0.0
) -> tuple[Array, Array]:
    return cross_entropy(logits=logits, labels=labels, smoothing=smoothing)


@partial(jax.jit, static_argnames="smoothing")
def loss_and_gradient(
    logits: Array, labels: Array, smoothing: float = 0.0
) -> tuple[Array, Array]:
    return jax.value_and_grad(lambda x: masked_mean(*row_losses(x, labels, smoothing)))(
        logits
    )


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_the_classes() -> None:
    losses, known = row_losses(jnp.zeros((3, 5)), jnp.array([0, 4, -1]))
    np.testing.assert_allclose(losses, [np.log(5.0), np.log(5.0), 0.0], rtol=1e-6)
    assert known.tolist() == [True, True, False]


def test_cross_entropy_of_two_classes_is_the_softplus_of_the_margin() -> None:
    losses, _ = row_losses(jnp.array([[2.0, -1.0], [2.0, -1.0]]), jnp.array([0, 1]))
    expected = np.log1p(np.exp([-3.0, 3.0]))
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_cross_entropy_agrees_with_scipy_row_by_row(seed: int) -> None:
    logits, labels = random_rows(seed)
    losses, known = row_losses(logits, labels)
    logs = scipy.special.log_softmax(logits.astype(np.float64), axis=-1)
    expected = np.where(labels == UNKNOWN, 0.0, -logs[np.arange(ROWS), labels])
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(known, labels != UNKNOWN)


@pytest.mark.parametrize("seed", range(3))
def test_mean_loss_agrees_with_scikit_learn_on_the_known_rows(seed: int) -> None:
    logits, labels = random_rows(seed)
    known = labels != UNKNOWN
    probabilities = scipy.special.softmax(logits[known].astype(np.float64), axis=-1)
    expected = log_loss(labels[known], probabilities, labels=range(CLASSES))
    np.testing.assert_allclose(
        loss_and_gradient(logits, labels)[0], expected, rtol=1e-5
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_masked_rows_are_as_if_they_were_not_there(smoothing: float) -> None:
    logits, labels = random_rows()
    known = labels != UNKNOWN
    whole, whole_gradient = loss_and_gradient(logits, labels, smoothing)
    part, part_gradient = loss_and_gradient(logits[known], labels[known], smoothing)
    np.testing.assert_allclose(whole, part, rtol=1e-6)
    np.testing.assert_allclose(
        whole_gradient[known], part_gradient, rtol=1e-6, atol=1e-8
    )
    np.testing.assert_array_equal(whole_gradient[~known], 0.0)


@pytest.mark.parametrize("shift", [-50.0, 1000.0])
def test_cross_entropy_does_not_change_when_all_logits_shift(shift: float) -> None:
    logits, labels = random_rows()
    losses, _ = row_losses(logits, labels)
    shifted, _ = row_losses(logits + np.float32(shift), labels)
    # Adding 1000 rounds each logit to 6e-5.
    np.testing.assert_allclose(shifted, losses, atol=2e-4)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothing_spreads_its_share_over_all_classes(smoothing: float) -> None:
    logits, labels = random_rows()
    losses, known = row_losses(logits, labels, smoothing)
    logs = scipy.special.log_softmax(logits.astype(np.float64), axis=-1)
    hard = -logs[np.arange(ROWS), labels]
    expected = (1.0 - smoothing) * hard - smoothing * logs.mean(-1)
    np.testing.assert_allclose(losses, np.where(known, expected, 0.0), rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("poison", POISON)
def test_unknown_rows_change_nothing_whatever_their_logits(
    poison: float, smoothing: float
) -> None:
    logits, labels = random_rows()
    poisoned = np.where(labels[:, None] == UNKNOWN, np.float32(poison), logits)
    value, gradient = loss_and_gradient(logits, labels, smoothing)
    other, other_gradient = loss_and_gradient(poisoned, labels, smoothing)
    assert np.isfinite(value) and value == other
    np.testing.assert_array_equal(other_gradient, gradient)
    np.testing.assert_array_equal(other_gradient[labels == UNKNOWN], 0.0)


@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_extreme_logits_have_finite_losses_and_gradients(
    size: float, smoothing: float
) -> None:
    logits = jnp.array([[size, -size, 0.0], [-size, size, 0.0]])
    value, gradient = loss_and_gradient(logits, jnp.array([0, 0]), smoothing)
    assert jnp.isfinite(value) and jnp.isfinite(gradient).all()
    if not smoothing:
        # The right row is free, the wrong one costs its margin.
        np.testing.assert_allclose(value, size, rtol=1e-6)
        np.testing.assert_array_equal(gradient, [[0, 0, 0], [-0.5, 0.5, 0.0]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradient_of_the_mean_loss_agrees_with_finite_differences(
    smoothing: float,
) -> None:
    logits, labels = random_rows()
    check_grads(
        lambda x: masked_mean(*row_losses(x, labels, smoothing)),
        (logits,),
        order=2,
        modes=["rev"],
    )


def test_losses_keep_the_leading_axes_of_the_labels() -> None:
    losses, known = row_losses(jnp.zeros((2, 3, 5)), jnp.zeros((2, 3), jnp.int32))
    assert losses.shape == known.shape == (2, 3)


def test_masked_mean_is_the_mean_of_what_is_selected() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    mask = np.random.default_rng(1).random((3, 4)) > 0.5
    np.testing.assert_allclose(
        masked_mean(values, mask), values[mask].mean(), rtol=1e-6
    )


def test_masked_mean_takes_weights() -> None:
    values, weights = jnp.array([1.0, 5.0, 9.0]), jnp.array([0.5, 1.5, 0.0])
    np.testing.assert_allclose(masked_mean(values, weights), 4.0, rtol=1e-6)


@pytest.mark.parametrize("poison", POISON)
def test_masked_mean_ignores_what_the_mask_hides(poison: float) -> None:
    values, mask = jnp.array([1.0, poison, 3.0]), jnp.array([True, False, True])
    value, gradient = jax.value_and_grad(masked_mean)(values, mask)
    assert value == 2.0
    np.testing.assert_array_equal(gradient, [0.5, 0.0, 0.5])


@pytest.mark.parametrize("fill", [3.0, np.nan])
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_masked_mean_of_nothing_is_zero_with_zero_gradient(
    wrap: Callable, fill: float
) -> None:
    values, mask = jnp.full(4, fill), jnp.zeros(4, bool)
    value, gradient = wrap(jax.value_and_grad(masked_mean))(values, mask)
    assert value == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


def test_gradient_of_the_masked_mean_agrees_with_finite_differences() -> None:
    values, mask = jnp.array([0.5, -1.0, 2.0]), jnp.array([True, False, True])
    # Squared: the mean alone is linear, and any order of it would do.
    check_grads(lambda v: masked_mean(v, mask) ** 2, (values,), order=2, modes=["rev"])


# The others.


@pytest.mark.parametrize("seed", range(3))
def test_entropy_agrees_with_scipy(seed: int) -> None:
    logits, _ = random_rows(seed)
    chances = scipy.special.softmax(logits.astype(np.float64), axis=-1)
    expected = scipy.stats.entropy(chances, axis=-1)
    np.testing.assert_allclose(entropy(logits), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_uniform_cross_entropy_is_entropy_plus_divergence_from_uniform(
    seed: int,
) -> None:
    logits, _ = random_rows(seed)
    chances = scipy.special.softmax(logits.astype(np.float64), axis=-1)
    uniform = np.full_like(chances, 1.0 / CLASSES)
    expected = np.log(CLASSES) + scipy.stats.entropy(uniform, chances, axis=-1)
    np.testing.assert_allclose(uniform_cross_entropy(logits), expected, rtol=1e-5)


def test_uniform_cross_entropy_is_least_where_nothing_is_said() -> None:
    value, gradient = jax.value_and_grad(lambda x: uniform_cross_entropy(x).sum())(
        jnp.zeros((1, 4))
    )
    np.testing.assert_allclose(value, np.log(4.0), rtol=1e-6)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-7)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_soft_cross_entropy_agrees_with_scipy(temperature: float) -> None:
    logits, _ = random_rows()
    targets = np.random.default_rng(3).dirichlet(np.ones(CLASSES), ROWS)
    logs = scipy.special.log_softmax(logits.astype(np.float64) / temperature, axis=-1)
    found = soft_cross_entropy(
        logits=logits, targets=targets.astype(np.float32), temperature=temperature
    )
    np.testing.assert_allclose(found, -(targets * logs).sum(-1), rtol=1e-5)


def test_soft_cross_entropy_of_hard_targets_is_the_cross_entropy() -> None:
    logits, labels = random_rows()
    known = labels != UNKNOWN
    targets = np.eye(CLASSES, dtype=np.float32)[labels[known]]
    np.testing.assert_allclose(
        soft_cross_entropy(logits=logits[known], targets=targets),
        row_losses(logits, labels)[0][known],
        rtol=1e-6,
    )


def test_binary_cross_entropy_is_that_of_two_classes() -> None:
    logits, labels = random_rows()[0][:, 0], random_rows()[1] % 2
    labels[[1, 4]] = UNKNOWN
    losses, known = binary_cross_entropy(logits=logits, labels=labels)
    pairs = np.stack([np.zeros_like(logits), logits], -1)
    expected, same = row_losses(pairs, labels)
    np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(known, same)


@pytest.mark.parametrize("poison", POISON)
def test_unknown_answers_change_nothing(poison: float) -> None:
    labels = jnp.array([1, UNKNOWN, 0])

    def loss(logits: Array) -> Array:
        return masked_mean(*binary_cross_entropy(logits=logits, labels=labels))

    found = jax.value_and_grad(loss)(jnp.array([0.3, poison, -0.2]))
    expected = jax.value_and_grad(loss)(jnp.array([0.3, 0.0, -0.2]))
    jax.tree.map(np.testing.assert_array_equal, found, expected)


ROW_LOSSES = {
    "entropy": entropy,
    "uniform": uniform_cross_entropy,
    "soft": lambda x: soft_cross_entropy(
        logits=x,
        targets=jnp.broadcast_to(jnp.array([0.7, 0.2, 0.1, 0.0]), x.shape),
        temperature=2.5,
    ),
    "binary": lambda x: binary_cross_entropy(
        logits=x, labels=jnp.broadcast_to(jnp.array([1, 0, 1, 0]), x.shape)
    )[0],
}
row_loss = pytest.mark.parametrize("loss", ROW_LOSSES.values(), ids=ROW_LOSSES)


@row_loss
def test_gradients_of_row_losses_agree_with_finite_differences(loss: Callable) -> None:
    check_grads(
        lambda x: loss(x).sum(), (random_rows()[0],), order=1, modes=["rev"], rtol=0.01
    )


@row_loss
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_row_losses_of_extreme_logits_are_finite(loss: Callable, size: float) -> None:
    logits = jnp.array([[size, -size, 0.0, size]])
    value, gradient = jax.jit(jax.value_and_grad(lambda x: loss(x).sum()))(logits)
    assert jnp.isfinite(value) and jnp.isfinite(gradient).all()
