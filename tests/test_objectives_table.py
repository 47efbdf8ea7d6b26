"""What holds for every objective of the table."""

from collections.abc import Callable
from functools import cache

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
from dann_jax.training.state import TrainState, create_state
from dann_jax.training.step import make_train_step
from dann_jax.types import UNKNOWN, Apply, Batch, Outputs, PyTree, StatefulObjective

objectives = pytest.mark.parametrize("name", OBJECTIVES)
adapting = pytest.mark.parametrize("name", sorted({*OBJECTIVES} - {"source_only"}))
OF_OUTPUTS = [
    name
    for name, construct in OBJECTIVES.items()
    if not isinstance(construct(**OPTIONS.get(name, {})), StatefulObjective)
]

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


@cache
def of_all_outputs() -> tuple[dict, dict]:
    """Name -> loss and gradient; of outputs, and of those with NaN where nobody is."""
    rows, strength = nobody(BATCH), dict.fromkeys(DOMAINS, 1.0)

    def poison(leaf: jax.Array) -> np.ndarray:
        hidden = rows.reshape(*rows.shape, *[1] * (leaf.ndim - 2))
        return np.where(hidden, np.float32(np.nan), leaf)

    def losses(outputs: dict[Apply, Outputs]) -> dict:
        return {
            name: jax.value_and_grad(
                lambda given, name=name: OBJECTIVES[name](**OPTIONS.get(name, {}))(
                    given, BATCH, strength
                )[0]
            )(outputs[network_of(name)])
            for name in OF_OUTPUTS
        }

    # One program: most of what one for each objective would take is to compile it.
    compiled = jax.jit(lambda *given: losses(dict(zip(networks, given, strict=True))))
    networks = list(dict.fromkeys(map(network_of, OF_OUTPUTS)))
    outputs = [
        jax.jit(lambda apply=apply: apply(PARAMS, BATCH, strength, None))()
        for apply in networks
    ]
    outputs = [one._replace(extra={}) for one in outputs]
    return compiled(*outputs), compiled(*jax.tree.map(poison, outputs))


@pytest.mark.parametrize("name", OF_OUTPUTS)
def test_outputs_of_rows_without_label_and_domain_may_be_anything(name: str) -> None:
    clean, poisoned = (found[name] for found in of_all_outputs())
    assert_trees_equal(poisoned, clean)
    rows = nobody(BATCH)
    gradient = [np.asarray(leaf) for leaf in jax.tree.leaves(clean[1])]
    assert all((leaf[rows] == 0).all() for leaf in gradient)


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


@cache
def unadapted(values: bool, apply: Apply) -> Callable:
    """Gradient of the loss of the labels, or of the values, alone; compiled."""
    objective = from_outputs(regression() if values else source_only())
    return jax.jit(jax.grad(loss_of(objective, apply), has_aux=True))


@adapting
def test_at_strength_zero_encoder_and_label_head_learn_exactly_as_source_only(
    name: str,
) -> None:
    expected = unadapted(name == "ccc_regression", network_of(name))(
        PARAMS, BATCH, dict.fromkeys(DOMAINS, 1.0), ()
    )[0]
    actual = first_gradient(name, 0.0, 0.0)[1]
    assert_trees_equal(shared(actual), shared(expected))


def flax_network(name: str = "dann") -> Dann:
    return Dann(
        DialogueEncoder(4, context=False, dropout=0.0),
        num_labels=LABELS,
        num_domains=DOMAINS,
        class_wise=tuple(DOMAINS) if name == "class_wise_dann" else (),
        generator_hidden=(4,) if name == "addi" else None,
        domain_hidden=(4,),
        head_dropout=0.0,
    )


@cache
def unadapted_flax_network() -> Callable:
    """`unadapted` of the network without heads that an objective alone needs."""
    gradient = unadapted(False, as_apply(flax_network()))
    heads, strength = network_params(flax_network(), BATCH), dict.fromkeys(DOMAINS, 0.0)
    return lambda params: gradient({**heads, **shared(params)}, BATCH, strength, ())[0]


@pytest.mark.parametrize(
    "name", ["dann", "class_wise_dann", "confusion", "addi", "mmd"]
)
def test_at_strength_zero_the_flax_network_learns_as_source_only(name: str) -> None:
    module = flax_network(name)
    params, apply = network_params(module, BATCH), as_apply(module)
    strength, objective = dict.fromkeys(DOMAINS, 0.0), objective_of(name)
    state = objective.init(jax.eval_shape(lambda: apply(params, BATCH, strength, None)))
    gradient = jax.jit(jax.grad(loss_of(objective, apply), has_aux=True))
    found = [
        shared(gradient(params, BATCH, strength, state)[0]),
        shared(unadapted_flax_network()(params)),
    ]
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


REPLICAS = [PARAMS, game_params(jax.random.key(1))]
STRENGTHS = [
    {name: jnp.float32(value) for name, value in strength.items()}
    for strength in ({"speaker": 0.0, "gender": 0.5}, {"speaker": 1.0, "gender": 0.2})
]


@cache
def stepped(name: str) -> tuple[TrainState, TrainState, dict]:
    """States of all replicas before and after a step of them at once, and metrics."""
    # A momentum of 0 changes nothing and keeps the gradient.
    optimizer, objective = optax.sgd(0.1, momentum=0.0), objective_of(name)
    apply = network_of(name)
    step = make_train_step(
        apply=apply, objective=objective, optimizer=optimizer, schedule=constant(10)
    )
    memory = state_of(objective, apply)
    start = stack(
        [create_state(p, optimizer, jax.random.key(0), memory) for p in REPLICAS]
    )
    mapped = jax.jit(jax.vmap(step, in_axes=(0, None, 0)))
    return start, *mapped(start, BATCH, stack(STRENGTHS))


@cache
def alone(name: str) -> PyTree:
    """As `first_gradient`, of one replica after the other."""
    function, state = gradient_of(name), state_of(objective_of(name), network_of(name))
    return stack(
        [function(p, BATCH, s, state) for p, s in zip(REPLICAS, STRENGTHS, strict=True)]
    )


@objectives
def test_maps_over_replicas_as_if_they_were_alone(name: str) -> None:
    (loss, (metrics, memory)), gradient = alone(name)
    _, after, found = stepped(name)
    together = (found["loss"], {key: found[key] for key in metrics}, after.objective)
    expected = (loss, metrics, memory)
    assert_trees_close(together, expected, rtol=1e-4, atol=2e-6)
    assert_trees_close(after.opt_state[0].trace, gradient, rtol=1e-4, atol=2e-6)


@objectives
def test_a_train_step_takes_any_function_as_network(name: str) -> None:
    start, after, metrics = stepped(name)
    (_, (_, memory)), gradient = alone(name)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, start.params, gradient)
    assert_trees_close(after.params, expected, rtol=1e-5, atol=1e-6)
    assert_trees_close(after.objective, memory, rtol=1e-5, atol=1e-6)
    assert jax.tree.structure(after) == jax.tree.structure(start)
    for domain in DOMAINS:
        peaks = [strength[domain] for strength in STRENGTHS]
        np.testing.assert_array_equal(metrics[f"strength/{domain}"], peaks)


def test_what_has_no_state_keeps_an_empty_one() -> None:
    assert state_of(objective_of("dann")) == ()
    assert KEY.shape == ()
