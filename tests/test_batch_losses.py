"""Losses of a batch as a whole: hand values, independent formulas, gradients."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from jax.test_util import check_grads

from dann_jax.objectives import batch_losses
from dann_jax.types import Array

# Compiled as a whole: one operation after the other takes several times as long.
certainty_weights, class_confusion, concordance, information_loss = (
    jax.jit(batch_losses.certainty_weights),
    jax.jit(batch_losses.class_confusion, static_argnames="temperature"),
    jax.jit(batch_losses.concordance),
    jax.jit(batch_losses.information_loss),
)
ROWS, CLASSES = 9, 3
LOSSES: dict[str, Callable[[Array, Array], Array]] = {
    "class_confusion": class_confusion,
    "information": information_loss,
}
losses = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def draw(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 2.0, (ROWS, CLASSES)).astype(np.float32)
    return logits, rng.random(ROWS) > 0.3


def softmax(logits: np.ndarray) -> np.ndarray:
    return scipy.special.softmax(logits.astype(np.float64), axis=-1)


@pytest.mark.parametrize("seed", range(3))
def test_information_is_the_mutual_information_of_row_and_class(seed: int) -> None:
    logits, mask = draw(seed)
    chances = softmax(logits[mask])
    joint = chances / len(chances)
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    expected = scipy.stats.entropy(joint.ravel(), independent.ravel())
    np.testing.assert_allclose(information_loss(logits, mask), -expected, rtol=1e-4)


def test_information_wants_rows_certain_and_classes_equally_frequent() -> None:
    sure = 50.0 * jnp.eye(3)
    everything = jnp.ones(3, bool)
    np.testing.assert_allclose(
        information_loss(sure, everything), -np.log(3.0), rtol=1e-6
    )
    one_class = jnp.tile(sure[:1], (3, 1))
    np.testing.assert_allclose(information_loss(one_class, everything), 0.0, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_class_confusion_agrees_with_numpy(seed: int, temperature: float) -> None:
    logits, mask = draw(seed)
    chances = softmax(logits[mask] / temperature)
    weight = 1.0 + np.exp(-scipy.stats.entropy(chances, axis=1))
    confusion = np.einsum("n,ni,nj->ij", weight, chances, chances)
    confusion /= confusion.sum(1, keepdims=True)
    expected = (confusion.sum() - np.trace(confusion)) / CLASSES
    found = class_confusion(logits, mask, temperature=temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_class_confusion_of_the_certain_and_of_the_clueless() -> None:
    everything = jnp.ones(3, bool)
    np.testing.assert_allclose(
        class_confusion(500.0 * jnp.eye(3), everything), 0.0, atol=1e-6
    )
    clueless = class_confusion(jnp.zeros((3, 3)), everything)
    np.testing.assert_allclose(clueless, 2.0 / 3.0, rtol=1e-6)


@losses
def test_masked_rows_are_as_if_they_were_not_there(loss: Callable) -> None:
    logits, mask = draw()
    whole, gradient = jax.value_and_grad(loss)(logits, mask)
    part, part_gradient = jax.value_and_grad(loss)(logits[mask], np.ones(mask.sum()))
    np.testing.assert_allclose(whole, part, rtol=1e-5)
    np.testing.assert_allclose(gradient[mask], part_gradient, rtol=1e-4, atol=1e-6)
    poisoned = np.where(mask[:, None], logits, np.nan)
    found = jax.value_and_grad(loss)(poisoned, mask)
    jax.tree.map(np.testing.assert_array_equal, found, (whole, gradient))


@losses
def test_the_order_of_classes_and_rows_does_not_matter(loss: Callable) -> None:
    logits, mask = draw()
    expected = loss(logits, mask)
    np.testing.assert_allclose(loss(logits[:, [2, 0, 1]], mask), expected, rtol=1e-5)
    np.testing.assert_allclose(loss(logits[::-1], mask[::-1]), expected, rtol=1e-5)
    np.testing.assert_allclose(loss(logits + 7.0, mask), expected, rtol=1e-4)


@losses
def test_leading_axes_do_not_matter(loss: Callable) -> None:
    logits, mask = draw()
    shaped = loss(logits.reshape(3, 3, CLASSES), mask.reshape(3, 3))
    np.testing.assert_allclose(shaped, loss(logits, mask), rtol=1e-6)


@losses
def test_nothing_costs_nothing(loss: Callable) -> None:
    logits, mask = draw()
    value, gradient = jax.value_and_grad(loss)(logits, np.zeros_like(mask))
    assert value == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


@losses
@pytest.mark.parametrize("size", [1e3, 1e30])
def test_extreme_logits_are_finite(loss: Callable, size: float) -> None:
    logits, mask = draw()
    value, gradient = jax.value_and_grad(loss)(np.float32(size) * logits, mask)
    assert jnp.isfinite(value) and jnp.isfinite(gradient).all()


def test_gradient_of_information_agrees_with_finite_differences() -> None:
    logits, mask = draw()
    check_grads(lambda x: information_loss(x, mask), (logits,), order=1, modes=["rev"])


def test_gradient_of_confusion_of_one_row_agrees_with_finite_differences() -> None:
    # The weights are constants to the gradient; with one row they cancel.
    logits, _ = draw()
    one = np.arange(ROWS) == 4
    check_grads(
        lambda x: class_confusion(x, one, temperature=1.0),
        (logits,),
        order=1,
        modes=["rev"],
    )


@losses
def test_maps_over_replicas(loss: Callable) -> None:
    worlds = [draw(seed) for seed in range(3)]
    logits, mask = (np.stack(part) for part in zip(*worlds, strict=True))
    np.testing.assert_allclose(
        jax.vmap(loss)(logits, mask), [loss(*world) for world in worlds], rtol=1e-5
    )


def test_certainty_weights_run_from_one_and_a_share_to_two() -> None:
    logits = jnp.array([[0.0, 0.0, 0.0, 0.0], [90.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(certainty_weights(logits), [1.25, 2.0], rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_concordance_agrees_with_pearson_and_the_moments(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, mask = rng.normal(size=20), rng.random(20) > 0.3
    y = 0.5 * x + rng.normal(0.3, 1.0, 20)
    a, b = x[mask], y[mask]
    pearson = scipy.stats.pearsonr(a, b).statistic
    expected = 2.0 * pearson * a.std() * b.std()
    expected /= a.var() + b.var() + (a.mean() - b.mean()) ** 2
    found = concordance(x.astype(np.float32), y.astype(np.float32), mask)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_concordance_of_itself_its_opposite_and_a_constant() -> None:
    x, everything = jnp.array([-1.0, 0.0, 1.0]), jnp.ones(3, bool)
    np.testing.assert_allclose(concordance(x, x, everything), 1.0, rtol=1e-6)
    np.testing.assert_allclose(concordance(-x, x, everything), -1.0, rtol=1e-6)
    assert concordance(jnp.zeros(3), x, everything) == 0.0


@pytest.mark.parametrize("mask", [[False] * 3, [True, False, False]])
def test_concordance_of_too_little_is_zero_with_a_finite_gradient(
    mask: list[bool],
) -> None:
    x = jnp.array([2.0, 2.0, 2.0])
    truth = jnp.array([2.0, jnp.nan, jnp.nan])
    value, gradient = jax.value_and_grad(concordance)(x, truth, jnp.array(mask))
    assert value == 0.0 and jnp.isfinite(gradient).all()


def test_gradient_of_concordance_agrees_with_finite_differences() -> None:
    x, truth = jnp.array([0.5, -1.0, 2.0, 0.1]), jnp.array([1.0, 0.0, 1.5, jnp.nan])
    mask = ~jnp.isnan(truth)
    check_grads(lambda v: concordance(v, truth, mask), (x,), order=1, modes=["rev"])
