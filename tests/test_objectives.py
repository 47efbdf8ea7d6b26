"""Source-only and DANN: who influences them, and what adversaries do to the encoder."""

from collections.abc import Callable, Mapping
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import (
    LABELS,
    plain_apply,
    plain_params,
    toy_batch,
    toy_corpus,
)

from dann_jax.objectives import OBJECTIVES, dann, source_only
from dann_jax.tasks.domains import domain_ids
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.roles import Role
from dann_jax.tasks.splits import fixed_split
from dann_jax.types import UNKNOWN, Apply, Batch, Outputs, PyTree, Scalar

DOMAINS = {"speaker": 3, "gender": 2}
BATCH = toy_batch(3, 6, domains=DOMAINS)
PARAMS = plain_params(jax.random.key(0), domains=DOMAINS)


@cache
def gradient_of(name: str, apply: Apply = plain_apply) -> Callable:
    """`(params, batch, strength) -> (loss, metrics), gradient`, compiled."""
    objective = OBJECTIVES[name]()

    def loss(
        params: PyTree, batch: Batch, strength: Mapping[str, Scalar]
    ) -> tuple[jax.Array, dict]:
        return objective(apply(params, batch, strength, None), batch, strength)

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def gradients(name: str, speaker: float, gender: float) -> PyTree:
    return gradient_of(name)(PARAMS, BATCH, {"speaker": speaker, "gender": gender})[1]


@pytest.mark.parametrize("name", ["source_only", "dann"])
def test_label_logits_learn_from_labelled_rows_alone(name: str) -> None:
    objective, strength = OBJECTIVES[name](), dict.fromkeys(DOMAINS, 1.0)
    outputs = plain_apply(PARAMS, BATCH, strength, None)
    gradient = jax.jit(jax.grad(lambda o: objective(o, BATCH, strength)[0]))(outputs)
    touched = np.any(gradient.label_logits != 0, axis=-1)
    np.testing.assert_array_equal(touched, BATCH.label != UNKNOWN)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_reversal_flips_and_scales_the_encoders_domain_gradient(
    strength: float,
) -> None:
    def not_reversed(params: PyTree) -> jax.Array:
        # The same objective on a network whose reversal is undone.
        outputs = plain_apply(params, BATCH, dict.fromkeys(DOMAINS, -1.0), None)
        return dann()(outputs, BATCH, dict.fromkeys(DOMAINS, 1.0))[0]

    label_only = gradients("source_only", 0.0, 0.0)["encoder"]
    plain = jax.jit(jax.grad(not_reversed))(PARAMS)["encoder"] - label_only
    reversed_ = gradients("dann", strength, strength)["encoder"] - label_only
    assert np.abs(plain).max() > 1e-2
    # A difference of sums: float32 rounding of numbers below 1.
    np.testing.assert_allclose(reversed_, -strength * plain, atol=3e-7)


def test_domain_heads_learn_at_full_speed_whatever_the_strength() -> None:
    weak, strong = gradients("dann", 0.0, 0.25), gradients("dann", 1.0, 2.0)
    for head in ("speaker_head", "gender_head"):
        assert np.any(weak[head] != 0)
        np.testing.assert_array_equal(weak[head], strong[head])


def test_two_adversaries_add_up_each_with_its_own_strength() -> None:
    def encoder(speaker: float, gender: float) -> jax.Array:
        return gradients("dann", speaker, gender)["encoder"]

    none = encoder(0.0, 0.0)
    speaker, gender = encoder(1.0, 0.0) - none, encoder(0.0, 1.0) - none
    assert np.abs(speaker).max() > 1e-2 and np.abs(gender).max() > 1e-2
    np.testing.assert_allclose(
        encoder(0.3, 2.0), none + 0.3 * speaker + 2.0 * gender, atol=1e-6
    )


def test_the_loss_is_the_sum_of_the_terms_that_it_reports() -> None:
    loss, metrics = gradient_of("dann")(PARAMS, BATCH, dict.fromkeys(DOMAINS, 0.7))[0]
    terms = [metrics[f"loss/{term}"] for term in ("label", *DOMAINS)]
    np.testing.assert_allclose(loss, sum(terms), rtol=1e-6)


def test_accuracy_counts_known_rows_only() -> None:
    logits = jnp.array([[[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [0.0, 9.0]]])
    batch = BATCH._replace(
        label=np.array([[0, 1, 1, UNKNOWN]]),
        domain={"speaker": np.array([[UNKNOWN, 1, UNKNOWN, 0]])},
    )
    outputs = Outputs(logits, logits, {"speaker": logits})
    metrics = dann()(outputs, batch, {"speaker": 0.0})[1]
    np.testing.assert_allclose(metrics["accuracy/label"], 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(metrics["accuracy/speaker"], 1 / 2, rtol=1e-6)


@pytest.mark.parametrize("construct", [source_only, dann])
def test_label_smoothing_moves_the_label_loss(construct: Callable) -> None:
    outputs = plain_apply(PARAMS, BATCH, dict.fromkeys(DOMAINS, 0.0), None)
    strength = dict.fromkeys(DOMAINS, 0.0)
    sharp, smooth = (
        construct(label_smoothing=smoothing)(outputs, BATCH, strength)[1]["loss/label"]
        for smoothing in (0.0, 0.2)
    )
    logs = jax.nn.log_softmax(outputs.label_logits)[BATCH.label != UNKNOWN]
    np.testing.assert_allclose(smooth, 0.8 * sharp - 0.2 * logs.mean(), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "roles"),
    [
        (
            {"column": "speaker"},
            {Role.LABELLED, Role.UNLABELLED, Role.VALIDATION, Role.TEST},
        ),
        ({"column": "speaker", "unlabelled": ()}, {Role.LABELLED}),
        (
            {"column": "role"},
            {Role.LABELLED, Role.UNLABELLED, Role.VALIDATION, Role.TEST},
        ),
    ],
    ids=["every-speaker", "labelled-speakers", "labelled-against-unlabelled"],
)
def test_a_domain_head_learns_from_the_rows_that_its_option_names(
    options: dict, roles: set[Role]
) -> None:
    corpus = toy_corpus()
    protocol = assign_roles(
        corpus,
        fixed_split(corpus, "session", ["s0", "s1"], ["s2"]),
        name="fixed",
        labels=LABELS,
        unlabelled=("test",),
        validation_folds=4,
    )
    ids, count = domain_ids(protocol, corpus, **options)
    taking_part = np.isin(protocol.roles, list(roles))
    assert set(np.unique(protocol.roles)) == set(Role)
    np.testing.assert_array_equal(ids != UNKNOWN, taking_part)
    assert ids.max() < count

    logits = np.zeros((*ids.shape, count), np.float32)
    batch = BATCH._replace(label=np.full(ids.shape, UNKNOWN), domain={"it": ids})

    @jax.jit
    @jax.grad
    def gradient(x: jax.Array) -> jax.Array:
        nothing = jnp.zeros((*ids.shape, 2))
        return dann()(Outputs(nothing, nothing, {"it": x}), batch, {"it": 1.0})[0]

    touched = np.any(gradient(logits) != 0, axis=-1)
    np.testing.assert_array_equal(touched, taking_part)
