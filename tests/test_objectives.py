"""Objectives: who influences them, and what the adversaries do to the encoder."""

from collections.abc import Callable, Mapping
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import (
    LABELS,
    assert_trees_close,
    assert_trees_equal,
    network_params,
    plain_apply,
    plain_params,
    stack,
    toy_batch,
    toy_corpus,
)

from dann_jax.domains import domain_ids
from dann_jax.models.network import Dann, DialogueEncoder, as_apply
from dann_jax.objectives import OBJECTIVES, dann, source_only
from dann_jax.protocols import Role, assign_roles
from dann_jax.schedules import constant
from dann_jax.splits import fixed_split
from dann_jax.training.state import create_state
from dann_jax.training.step import make_train_step
from dann_jax.types import UNKNOWN, Apply, Batch, Outputs, PyTree, Scalar

DOMAINS = {"speaker": 3, "gender": 2}
BATCH = toy_batch(3, 6, domains=DOMAINS)
PARAMS = plain_params(jax.random.key(0), domains=DOMAINS)

objectives = pytest.mark.parametrize("name", OBJECTIVES)
adapting = pytest.mark.parametrize("name", sorted({*OBJECTIVES} - {"source_only"}))


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


def without_heads_of_domains(params: PyTree) -> PyTree:
    return {k: v for k, v in params.items() if k.removesuffix("_head") not in DOMAINS}


@objectives
def test_loss_and_gradients_are_finite_and_reach_encoder_and_label_head(
    name: str,
) -> None:
    (loss, metrics), gradient = gradient_of(name)(
        PARAMS, BATCH, dict.fromkeys(DOMAINS, 0.5)
    )
    assert loss.shape == () and jnp.isfinite(loss)
    assert all(value.shape == () for value in metrics.values())
    assert all(
        jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((metrics, gradient))
    )
    assert jnp.any(gradient["encoder"] != 0) and jnp.any(gradient["label_head"] != 0)


@objectives
def test_rows_without_label_and_domain_have_no_influence(name: str) -> None:
    nobody = (BATCH.label == UNKNOWN) & (BATCH.domain["speaker"] == UNKNOWN)
    nobody &= BATCH.domain["gender"] == UNKNOWN
    assert nobody.any() and not nobody.all()
    objective, strength = OBJECTIVES[name](), dict.fromkeys(DOMAINS, 1.0)

    @jax.jit
    def loss(outputs: Outputs) -> tuple[jax.Array, Outputs]:
        return jax.value_and_grad(lambda o: objective(o, BATCH, strength)[0])(outputs)

    outputs = plain_apply(PARAMS, BATCH, strength, None)
    poisoned = jax.tree.map(
        lambda leaf: jnp.where(nobody[..., None], jnp.nan, leaf), outputs
    )
    assert_trees_equal(loss(poisoned), loss(outputs))
    assert all((leaf[nobody] == 0).all() for leaf in jax.tree.leaves(loss(poisoned)[1]))


@pytest.mark.parametrize("name", ["source_only", "dann"])
def test_label_logits_learn_from_labelled_rows_alone(name: str) -> None:
    objective, strength = OBJECTIVES[name](), dict.fromkeys(DOMAINS, 1.0)
    outputs = plain_apply(PARAMS, BATCH, strength, None)
    gradient = jax.jit(jax.grad(lambda o: objective(o, BATCH, strength)[0]))(outputs)
    touched = np.any(gradient.label_logits != 0, axis=-1)
    np.testing.assert_array_equal(touched, BATCH.label != UNKNOWN)


@objectives
def test_a_batch_without_any_label_or_domain_costs_nothing(name: str) -> None:
    nothing = np.full_like(BATCH.label, UNKNOWN)
    batch = BATCH._replace(label=nothing, domain=dict.fromkeys(DOMAINS, nothing))
    (loss, _), gradient = gradient_of(name)(PARAMS, batch, dict.fromkeys(DOMAINS, 1.0))
    assert loss == 0.0
    assert_trees_equal(gradient, jax.tree.map(jnp.zeros_like, PARAMS))


@adapting
def test_at_strength_zero_encoder_and_label_head_learn_exactly_as_source_only(
    name: str,
) -> None:
    assert_trees_equal(
        without_heads_of_domains(gradients(name, 0.0, 0.0)),
        without_heads_of_domains(gradients("source_only", 1.0, 1.0)),
    )


@adapting
def test_at_strength_zero_the_flax_network_learns_exactly_as_source_only(
    name: str,
) -> None:
    module = Dann(
        DialogueEncoder(4, context=False, dropout=0.0),
        num_labels=2,
        num_domains=DOMAINS,
        domain_hidden=(4,),
        head_dropout=0.0,
    )
    params = network_params(module, BATCH)
    apply = as_apply(module)
    actual, expected = (
        without_heads_of_domains(
            gradient_of(word, apply)(params, BATCH, dict.fromkeys(DOMAINS, 0.0))[1]
        )
        for word in (name, "source_only")
    )
    assert_trees_equal(actual, expected)


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


@objectives
def test_maps_over_replicas_as_if_they_were_alone(name: str) -> None:
    replicas = [plain_params(jax.random.key(k), domains=DOMAINS) for k in range(2)]
    strengths = [{"speaker": 0.0, "gender": 0.5}, {"speaker": 1.0, "gender": 0.2}]
    function = gradient_of(name)
    together = jax.jit(jax.vmap(function, in_axes=(0, None, 0)))(
        stack(replicas), BATCH, stack(strengths)
    )
    alone = stack(
        [function(p, BATCH, s) for p, s in zip(replicas, strengths, strict=True)]
    )
    assert_trees_close(together, alone, rtol=1e-5, atol=1e-6)


@objectives
def test_a_train_step_takes_any_function_as_network(name: str) -> None:
    optimizer = optax.sgd(0.1)
    step = make_train_step(
        apply=lambda p, b, s, key: plain_apply(p, b, s, None),
        objective=OBJECTIVES[name](),
        optimizer=optimizer,
        schedule=constant(10),
    )
    state = create_state(PARAMS, optimizer, jax.random.key(0))
    after, metrics = jax.jit(step)(state, BATCH, {"speaker": 0.5, "gender": 0.25})
    expected = jax.tree.map(
        lambda p, g: p - 0.1 * g, PARAMS, gradients(name, 0.5, 0.25)
    )
    assert_trees_close(after.params, expected, rtol=1e-6, atol=1e-7)
    assert metrics["strength/speaker"] == 0.5 and metrics["strength/gender"] == 0.25
