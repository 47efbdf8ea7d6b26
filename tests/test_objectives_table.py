"""What holds for every objective of the table."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from corpora_and_batches import (
    assert_trees_close,
    assert_trees_equal,
    network_params,
    stack,
)
from objective_networks import (
    BATCH,
    DOMAINS,
    KEY,
    LABELS,
    OPTIONS,
    PARAMS,
    first_gradient,
    game_params,
    gradient_of,
    loss_of,
    network_of,
    objective_of,
    state_of,
)

from dann_jax.models.network import Dann, DialogueEncoder, as_apply
from dann_jax.objectives import OBJECTIVES, source_only
from dann_jax.objectives.labels import regression
from dann_jax.objectives.stateful import from_outputs
from dann_jax.training.schedules import constant
from dann_jax.training.state import create_state
from dann_jax.training.step import make_train_step
from dann_jax.types import UNKNOWN, Batch, Outputs, PyTree, StatefulObjective

objectives = pytest.mark.parametrize("name", OBJECTIVES)
adapting = pytest.mark.parametrize("name", sorted({*OBJECTIVES} - {"source_only"}))
of_outputs = pytest.mark.parametrize(
    "name",
    [
        name
        for name, construct in OBJECTIVES.items()
        if not isinstance(construct(**OPTIONS.get(name, {})), StatefulObjective)
    ],
)

HALF = (0.5, 0.5)
SHARED = ("encoder", "label_head")


def shared(params: PyTree) -> PyTree:
    """What source-only trains too."""
    return {name: params[name] for name in SHARED}


def nobody(batch: Batch) -> np.ndarray:
    """Rows without label and domains."""
    rows = batch.label == UNKNOWN
    for ids in batch.domain.values():
        rows = rows & (ids == UNKNOWN)
    assert rows.any() and not rows.all()
    return rows


@objectives
def test_loss_and_gradients_are_finite_and_reach_encoder_and_label_head(
    name: str,
) -> None:
    (loss, (metrics, state)), gradient = first_gradient(name, *HALF)
    assert loss.shape == () and all(value.shape == () for value in metrics.values())
    leaves = jax.tree.leaves((loss, metrics, state, gradient))
    assert all(jnp.isfinite(leaf).all() for leaf in leaves)
    assert all(jnp.any(leaf != 0) for leaf in shared(gradient).values())


@objectives
def test_rows_without_label_and_domain_have_no_influence(name: str) -> None:
    audio = np.where(nobody(BATCH)[..., None], 50.0, BATCH.inputs["audio"])
    poisoned = BATCH._replace(inputs={**BATCH.inputs, "audio": np.float32(audio)})
    assert_trees_equal(
        first_gradient(name, *HALF, batch=poisoned), first_gradient(name, *HALF)
    )


@of_outputs
def test_outputs_of_rows_without_label_and_domain_may_be_anything(name: str) -> None:
    objective = OBJECTIVES[name](**OPTIONS.get(name, {}))
    rows, strength = nobody(BATCH), dict.fromkeys(DOMAINS, 1.0)

    @jax.jit
    @jax.value_and_grad
    def loss(outputs: Outputs) -> jax.Array:
        return objective(outputs, BATCH, strength)[0]

    def poison(leaf: jax.Array) -> jax.Array:
        hidden = rows.reshape(*rows.shape, *[1] * (leaf.ndim - 2))
        return jnp.where(hidden, jnp.nan, leaf)

    outputs = network_of(name)(PARAMS, BATCH, strength, None)._replace(extra={})
    clean = loss(outputs)
    assert_trees_equal(loss(jax.tree.map(poison, outputs)), clean)
    assert all((leaf[rows] == 0).all() for leaf in jax.tree.leaves(clean[1]))


@objectives
def test_a_batch_without_any_label_or_domain_costs_nothing(name: str) -> None:
    nothing = np.full_like(BATCH.label, UNKNOWN)
    batch = BATCH._replace(
        label=nothing,
        domain=dict.fromkeys(DOMAINS, nothing),
        value=np.full_like(BATCH.value, np.nan),
    )
    (loss, (_, state)), gradient = first_gradient(name, 1.0, 1.0, batch=batch)
    np.testing.assert_allclose(loss, 0.0, atol=1e-7)
    assert_trees_equal(gradient, jax.tree.map(jnp.zeros_like, PARAMS))
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


def without_adaptation(name: str) -> StatefulObjective:
    return from_outputs(regression() if name == "ccc_regression" else source_only())


@adapting
def test_at_strength_zero_encoder_and_label_head_learn_exactly_as_source_only(
    name: str,
) -> None:
    expected = jax.jit(
        jax.grad(loss_of(without_adaptation(name), network_of(name)), has_aux=True)
    )(PARAMS, BATCH, dict.fromkeys(DOMAINS, 1.0), ())[0]
    actual = first_gradient(name, 0.0, 0.0)[1]
    assert_trees_equal(shared(actual), shared(expected))


@pytest.mark.parametrize(
    "name", ["dann", "class_wise_dann", "confusion", "addi", "mmd"]
)
def test_at_strength_zero_the_flax_network_learns_as_source_only(name: str) -> None:
    module = Dann(
        DialogueEncoder(4, context=False, dropout=0.0),
        num_labels=LABELS,
        num_domains=DOMAINS,
        class_wise=tuple(DOMAINS) if name == "class_wise_dann" else (),
        generator_hidden=(4,) if name == "addi" else None,
        domain_hidden=(4,),
        head_dropout=0.0,
    )
    params, apply = network_params(module, BATCH), as_apply(module)
    strength, found = dict.fromkeys(DOMAINS, 0.0), []
    for objective in (objective_of(name), from_outputs(source_only())):
        state = objective.init(
            jax.eval_shape(lambda: apply(params, BATCH, strength, None))
        )
        gradient = jax.jit(jax.grad(loss_of(objective, apply), has_aux=True))
        found.append(shared(gradient(params, BATCH, strength, state)[0]))
    if name == "dann":
        assert_trees_equal(*found)
    # The compiler may add up other programs in another order.
    assert_trees_close(*found, rtol=1e-5, atol=1e-7)


@objectives
def test_extreme_parameters_have_finite_losses_and_gradients(name: str) -> None:
    params = {**PARAMS, "label_head": 1e20 * PARAMS["label_head"]}
    params |= {part: 1e20 * value for part, value in PARAMS.items() if "head" in part}
    found = first_gradient(name, *HALF, params=params)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


@objectives
def test_maps_over_replicas_as_if_they_were_alone(name: str) -> None:
    replicas = [game_params(jax.random.key(k)) for k in range(2)]
    strengths = [{"speaker": 0.0, "gender": 0.5}, {"speaker": 1.0, "gender": 0.2}]
    strengths = jax.tree.map(jnp.float32, strengths)
    function, state = gradient_of(name), state_of(objective_of(name), network_of(name))
    together = jax.jit(jax.vmap(function, in_axes=(0, None, 0, None)))(
        stack(replicas), BATCH, stack(strengths), state
    )
    alone = stack(
        [function(p, BATCH, s, state) for p, s in zip(replicas, strengths, strict=True)]
    )
    assert_trees_close(together, alone, rtol=1e-4, atol=2e-6)


@objectives
def test_a_train_step_takes_any_function_as_network(name: str) -> None:
    optimizer, objective = optax.sgd(0.1), objective_of(name)
    apply = network_of(name)
    step = make_train_step(
        apply=apply, objective=objective, optimizer=optimizer, schedule=constant(10)
    )
    start = create_state(
        PARAMS, optimizer, jax.random.key(0), state_of(objective, apply)
    )
    after, metrics = jax.jit(step)(
        start, BATCH, {"speaker": jnp.float32(0.5), "gender": jnp.float32(0.25)}
    )
    (_, (_, memory)), gradient = first_gradient(name, 0.5, 0.25)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, PARAMS, gradient)
    assert_trees_close(after.params, expected, rtol=1e-5, atol=1e-6)
    assert_trees_close(after.objective, memory, rtol=1e-5, atol=1e-6)
    assert jax.tree.structure(after) == jax.tree.structure(start)
    assert metrics["strength/speaker"] == 0.5 and metrics["strength/gender"] == 0.25


def test_what_has_no_state_keeps_an_empty_one() -> None:
    assert state_of(objective_of("dann")) == ()
    assert KEY.shape == ()
