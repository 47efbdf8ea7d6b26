"""Training: one step, and many replicas of it that must not touch each other."""

from collections.abc import Callable, Mapping
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
    plain_apply,
    plain_params,
    stack,
    toy_batch,
)

from dann_jax.models.network import Dann, DialogueEncoder, as_apply
from dann_jax.objectives import dann
from dann_jax.training.mapping import map_replicas
from dann_jax.training.optimizer import make_optimizer
from dann_jax.training.program import initial_state
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.schedules import (
    constant,
    ganin_learning_rate,
    linear,
    warmup_hold,
)
from dann_jax.training.state import TrainState, create_state, keep_best
from dann_jax.training.step import make_evaluation_step, make_train_step
from dann_jax.types import UNKNOWN, Batch, Outputs, PyTree

DOMAINS = {"speaker": 3}
SGD = optax.sgd(0.2)
ARMS = {
    "source_only": {"speaker": 0.0},
    "weak": {"speaker": 0.3},
    "dann": {"speaker": 1.0},
}


def without_dropout(
    params: PyTree, batch: Batch, strength: Mapping, key: jax.Array | None
) -> Outputs:
    return plain_apply(params, batch, strength, None)


@cache
def step_of(
    apply: Callable = plain_apply,
    optimizer: optax.GradientTransformation = SGD,
    average_decay: float = 0.0,
    schedule: Callable = constant,
) -> Callable:
    return make_train_step(
        apply=apply,
        objective=dann(),
        optimizer=optimizer,
        schedule=schedule(10),
        average_decay=average_decay,
    )


@cache
def compiled_step(**options: object) -> Callable:
    return jax.jit(step_of(**options))


def state_of(
    seed: int = 0, optimizer: optax.GradientTransformation = SGD
) -> TrainState:
    params = plain_params(jax.random.key(seed), domains=DOMAINS)
    return create_state(params, optimizer, jax.random.key(seed + 100))


def run(step: Callable, state: TrainState, steps: int, strength: float) -> TrainState:
    for number in range(steps):
        state, _ = step(
            state, toy_batch(seed=number), {"speaker": jnp.float32(strength)}
        )
    return state


def weights(state: TrainState) -> PyTree:
    """What can be compared: a typed key cannot be subtracted."""
    return {"params": state.params, "average": state.average, "step": state.step}


# One replica.


def test_a_step_counts_and_moves_all_parameters() -> None:
    before = state_of()
    after, metrics = compiled_step()(before, toy_batch(), {"speaker": jnp.float32(0.5)})
    assert before.step == 0 and after.step == 1
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), after.params, before.params)
    assert all(jax.tree.leaves(moved))
    assert all(jnp.isfinite(value) for value in metrics.values())
    np.testing.assert_array_equal(
        jax.random.key_data(after.key), jax.random.key_data(before.key)
    )


def test_loss_falls_to_nothing_where_a_line_separates_the_labels() -> None:
    batch, state = toy_batch(6, 8, seed=5), state_of()
    right = batch.inputs["audio"][..., 0] > 0
    batch.inputs["audio"][..., 0] += np.where(right, 1.0, -1.0)
    batch = batch._replace(
        label=np.where(batch.visible, right, UNKNOWN).astype(np.int32)
    )
    losses = []
    for _ in range(100):
        state, metrics = compiled_step(apply=without_dropout)(
            state, batch, {"speaker": jnp.float32(0.0)}
        )
        losses.append(float(metrics["loss/label"]))
    assert losses[0] > 0.5 and losses[-1] < 0.1 * losses[0]
    assert metrics["accuracy/label"] == 1.0


def test_the_same_key_gives_the_same_run_and_another_key_another() -> None:
    one, two = (run(compiled_step(), state_of(), 3, 0.5) for _ in range(2))
    assert_trees_equal(weights(one), weights(two))
    other = run(compiled_step(), state_of().replace(key=jax.random.key(9)), 3, 0.5)
    assert (other.params["encoder"] != one.params["encoder"]).any()


def test_dropout_differs_between_steps_and_depends_on_the_step_number_alone() -> None:
    def loss(step: int) -> float:
        state = state_of().replace(step=jnp.int32(step))
        return float(
            compiled_step()(state, toy_batch(), {"speaker": jnp.float32(0.0)})[1][
                "loss"
            ]
        )

    # 16 masks of 4 units: eight steps do not all draw the same one.
    losses = [loss(step) for step in range(8)]
    assert len(set(losses)) > 1
    assert losses == [loss(step) for step in range(8)]


def test_strength_is_its_peak_times_the_schedule() -> None:
    step = compiled_step(apply=without_dropout, schedule=linear)
    state = state_of().replace(step=jnp.int32(4))
    after, metrics = step(state, toy_batch(), {"speaker": jnp.float32(0.5)})
    assert metrics["strength/speaker"] == pytest.approx(0.2, rel=1e-6)
    fixed, _ = compiled_step(apply=without_dropout)(
        state, toy_batch(), {"speaker": jnp.float32(0.2)}
    )
    assert_trees_close(after.params, fixed.params, rtol=1e-6, atol=1e-7)


def test_a_strength_may_follow_a_schedule_of_its_own() -> None:
    step = make_train_step(
        apply=plain_apply,
        objective=dann(),
        optimizer=SGD,
        schedule=linear(10),
        own_schedules={"late": warmup_hold(10, start=0.5, end=0.6)},
    )
    peaks = {"speaker": 0.5, "late": 2.0}
    for number, expected in ((4, (0.2, 0.0)), (8, (0.4, 2.0))):
        state = state_of().replace(step=jnp.int32(number))
        metrics = step(state, toy_batch(), peaks)[1]
        found = [float(metrics[f"strength/{name}"]) for name in peaks]
        assert found == pytest.approx(expected)


def test_without_averaging_the_average_is_the_parameters() -> None:
    state = state_of()
    for number in range(3):
        state = run(compiled_step(), state, number, 0.5)
        assert_trees_equal(state.average, state.params)


def test_the_average_forgets_the_first_steps_then_decays_as_told() -> None:
    decay, step = 0.15, compiled_step(average_decay=0.15)
    state = state_of()
    expected = np.asarray(state.params["encoder"], np.float64)
    for number in range(4):
        state = run(step, state, 1, 0.5)
        # 1/10, 2/11 > .15, ...
        now = min(decay, (1 + number) / (10 + number))
        expected = now * expected + (1 - now) * np.asarray(state.params["encoder"])
        np.testing.assert_allclose(state.average["encoder"], expected, rtol=1e-5)


def test_keep_best_keeps_the_average_of_the_last_best_score() -> None:
    step, keep, state = compiled_step(average_decay=0.5), jax.jit(keep_best), state_of()
    initial = state.params
    state = keep(state, jnp.float32(jnp.nan))
    assert state.best_score == -jnp.inf and state.best_step == 0
    averages, bests = [], []
    for score in (0.1, 0.5, 0.3, 0.5, jnp.nan, 0.7):
        state = keep(run(step, state, 1, 0.5), jnp.float32(score))
        averages.append(state.average["encoder"])
        bests.append(int(state.best_step))
        np.testing.assert_array_equal(state.best["encoder"], averages[bests[-1] - 1])
    assert bests == [1, 2, 2, 4, 4, 6]
    assert state.best_score == np.float32(0.7)
    assert (state.best["encoder"] != initial["encoder"]).any()


def test_evaluation_has_no_dropout() -> None:
    params = state_of().params
    outputs = make_evaluation_step(apply=plain_apply)(params, toy_batch())
    expected = plain_apply(params, toy_batch(), {"speaker": 0.0}, None)
    assert_trees_equal(outputs, expected)


# The optimiser.


def moved_by(params: PyTree, gradients: PyTree, **options: object) -> PyTree:
    optimizer = make_optimizer(total_steps=10, name="sgd", **options)
    return jax.jit(lambda g, p: optimizer.update(g, optimizer.init(p), p)[0])(
        gradients, params
    )


def test_sgd_has_momentum_and_follows_its_learning_rate() -> None:
    optimizer = make_optimizer(
        total_steps=10, learning_rate=0.1, name="sgd", schedule="ganin"
    )
    params, gradient = jnp.array([1.0]), jnp.array([2.0])
    state, trace = optimizer.init(params), 0.0
    for step in range(3):
        update, state = optimizer.update(gradient, state, params)
        trace = 2.0 + 0.9 * trace
        rate = float(ganin_learning_rate(10, base=0.1)(step))
        assert float(update[0]) == pytest.approx(-rate * trace, rel=1e-6)


def test_gradients_are_clipped_to_their_global_norm() -> None:
    gradients = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    for clip, factor in ((0.0, 1.0), (10.0, 1.0), (1.0, 0.2)):
        update = moved_by(gradients, gradients, learning_rate=1.0, clip_norm=clip)
        expected = jax.tree.map(lambda g, f=factor: -f * g, gradients)
        assert_trees_close(update, expected, rtol=1e-6)


@pytest.mark.parametrize("options", [{"name": "adamw"}, {"schedule": "step"}])
def test_an_unknown_optimiser_or_schedule_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="choose from"):
        make_optimizer(total_steps=10, **options)


def test_weight_decay_shrinks_kernels_and_leaves_biases_alone() -> None:
    module = Dann(DialogueEncoder(4, heads=2), 2, DOMAINS)
    params = network_params(module, toy_batch())
    still = jax.tree.map(jnp.zeros_like, params)
    update = moved_by(params, still, learning_rate=1.0, weight_decay=0.5)
    for path, leaf in jax.tree.leaves_with_path(params):
        name = path[-1].key
        change = dict(jax.tree.leaves_with_path(update))[path]
        expected = 0.0 * leaf if name.endswith("bias") else -0.5 * leaf
        np.testing.assert_allclose(change, expected, rtol=1e-6, err_msg=str(path))


# Replicas.


def layout_of(
    devices: int, folds: int = 2, seeds: int = 1, arms: Mapping = ARMS
) -> ReplicaLayout:
    return ReplicaLayout(
        folds=[f"fold {k}" for k in range(folds)],
        seeds=list(range(10, 10 + seeds)),
        arms=arms,
        mesh=make_mesh(devices),
    )


def batches_of(layout: ReplicaLayout, step: int) -> Batch:
    """A batch for every group, the same one for a filler as for what it repeats."""
    return jax.tree.map(
        lambda *leaves: np.stack(leaves),
        *(
            toy_batch(seed=1000 * fold + 100 * seed + step)
            for fold, seed in zip(layout.fold_of, layout.seed_of, strict=True)
        ),
    )


def states_of(layout: ReplicaLayout) -> TrainState:
    groups = [
        state_of(int(1000 * fold + seed))
        for fold, seed in zip(layout.fold_of, layout.seed_of, strict=True)
    ]
    arms = len(layout.arms)
    return jax.tree.map(
        lambda leaf: jnp.repeat(leaf[:, None], arms, axis=1), stack(groups)
    )


def train(
    layout: ReplicaLayout, steps: int = 3, vectorise: bool | None = None
) -> tuple[TrainState, dict, Callable]:
    """Final state, the last metrics, and the compiled step."""
    mapped = map_replicas(
        step_of(), layout.mesh, shared=(1,), donate=(0,), vectorise=vectorise
    )
    state, strength = layout.put(states_of(layout)), layout.put(layout.peak_strength())
    for step in range(steps):
        state, metrics = mapped(state, layout.put(batches_of(layout, step)), strength)
    return state, metrics, mapped


@cache
def trained_on_one_device(vectorise: bool) -> tuple[TrainState, dict, Callable]:
    return train(layout_of(1), vectorise=vectorise)


@pytest.mark.parametrize("vectorise", [False, True], ids=["one-by-one", "side-by-side"])
def test_replicas_train_as_if_each_were_alone(vectorise: bool) -> None:
    layout = layout_of(1)
    state, metrics, _ = trained_on_one_device(vectorise)
    start = states_of(layout)
    for group, arm in np.ndindex(2, len(ARMS)):
        alone = jax.tree.map(lambda leaf, i=(group, arm): leaf[i], start)
        for step in range(3):
            batch = jax.tree.map(
                lambda leaf, g=group: leaf[g], batches_of(layout, step)
            )
            strength = {"speaker": layout.peak_strength()["speaker"][group, arm]}
            alone, last = compiled_step()(alone, batch, strength)
        here = jax.tree.map(lambda leaf, i=(group, arm): leaf[i], weights(state))
        # Three SGD steps of float32; the order of sums differs when batched.
        assert_trees_close(here, weights(alone), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(metrics["loss"][group, arm], last["loss"], atol=1e-6)


def test_what_the_arms_of_a_group_share_has_no_arm_axis() -> None:
    state, metrics, _ = trained_on_one_device(False)
    assert metrics["loss"].shape == (2, len(ARMS)) == state.step.shape
    assert (state.step == 3).all()


@cache
def trained_on(devices: int) -> tuple[TrainState, dict, ReplicaLayout]:
    """Six groups of three arms; on eight devices two groups are fillers."""
    layout = layout_of(devices, folds=3, seeds=2)
    return *train(layout)[:2], layout


def test_eight_devices_train_as_one_does() -> None:
    assert jax.device_count() == 8
    (sharded, metrics, layout), (single, expected, _) = trained_on(8), trained_on(1)
    shards = sharded.params["encoder"].addressable_shards
    assert len({shard.device for shard in shards}) == 8
    assert {shard.data.shape[0] for shard in shards} == {1}
    reported = jax.tree.map(
        lambda leaf: leaf[: layout.num_groups], jax.device_get(weights(sharded))
    )
    # Programs for one replica and for many round differently; SGD does not amplify it.
    assert_trees_close(reported, jax.device_get(weights(single)), atol=1e-6)
    for name, values in expected.items():
        reported = metrics[name][: layout.num_groups]
        np.testing.assert_allclose(reported, values, rtol=1e-5, err_msg=name)


def test_fillers_repeat_the_first_groups_and_are_not_counted() -> None:
    state, _, layout = trained_on(8)
    assert layout.num_groups == 6 and len(layout.fold_of) == 8
    state = jax.device_get(weights(state))
    first, fillers = (
        jax.tree.map(lambda leaf, where=where: leaf[where], state)
        for where in (slice(0, 2), slice(6, 8))
    )
    assert_trees_equal(fillers, first)
    assert (state["params"]["encoder"][0] != state["params"]["encoder"][1]).any()


def test_one_compilation_serves_all_steps_replicas_and_strengths(
    caplog: pytest.LogCaptureFixture,
) -> None:
    layout = layout_of(8, folds=4, seeds=2)
    step = map_replicas(step_of(), layout.mesh, shared=(1,), donate=(0,))
    state, strength = layout.put(states_of(layout)), layout.put(layout.peak_strength())
    batches = [layout.put(batches_of(layout, number)) for number in range(4)]
    with jax.log_compiles(), caplog.at_level("WARNING"):
        for batch in batches:
            strength = jax.tree.map(lambda s: 0.5 * s, strength)
            state, _ = step(state, batch, strength)
    compiled = [m for m in caplog.messages if m.startswith("Compiling jit(per_device)")]
    assert len(compiled) == 1
    assert (state.step == 4).all()


def test_the_donated_state_is_gone_and_nothing_else_is() -> None:
    mapped, layout = trained_on_one_device(False)[2], layout_of(1)
    state, batch = layout.put(states_of(layout)), layout.put(batches_of(layout, 0))
    strength = layout.put(layout.peak_strength())
    mapped(state, batch, strength)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((batch, strength)))


def test_a_layout_names_every_replica_and_its_strength() -> None:
    arms = {
        "none": {"speaker": 0.0, "gender": 0.0},
        "both": {"speaker": 0.3, "gender": 0.1},
        "one": {"speaker": 1.0, "gender": 0.0},
    }
    layout = layout_of(4, folds=3, seeds=2, arms=arms)
    assert layout.fold_of.tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    assert layout.seed_of.tolist() == [10, 11, 10, 11, 10, 11, 10, 11]
    strength = layout.peak_strength()
    assert set(strength) == {"speaker", "gender"}
    np.testing.assert_array_equal(
        strength["speaker"], np.float32([[0.0, 0.3, 1.0]]).repeat(8, 0)
    )
    np.testing.assert_array_equal(
        strength["gender"], np.float32([[0.0, 0.1, 0.0]]).repeat(8, 0)
    )
    name = layout.name(3, 1)
    assert "'fold 1'" in name and "11" in name and "'both'" in name


# The dialogue network, with dropout, as a run sets it up.

MODULE = Dann(
    DialogueEncoder(4, context=False, dropout=0.5),
    num_labels=2,
    num_domains=DOMAINS,
    domain_hidden=(),
    head_dropout=0.0,
)


@cache
def start_and_step() -> tuple[TrainState, Callable]:
    layout = layout_of(1, folds=1, seeds=2, arms={"one": {}, "two": {}})
    optimizer = make_optimizer(total_steps=10, name="sgd", learning_rate=0.2)
    start = initial_state(
        MODULE, batches_of(layout, 0), layout=layout, optimizer=optimizer
    )
    step = step_of(as_apply(MODULE), optimizer)
    return start, map_replicas(step, layout.mesh, shared=(1,))


def fitted(*strengths: float) -> PyTree:
    """The state after three steps of two seeds and two arms of these strengths."""
    state, step = start_and_step()
    arms = {str(arm): {"speaker": value} for arm, value in enumerate(strengths)}
    layout = layout_of(1, folds=1, seeds=2, arms=arms)
    for number in range(3):
        batch = layout.put(batches_of(layout, number))
        state, _ = step(state, batch, layout.put(layout.peak_strength()))
    return jax.device_get(weights(state))


def arm_of(state: PyTree, arm: int) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[:, arm], state)


def test_arms_of_a_group_start_as_one_and_groups_do_not() -> None:
    start, _ = start_and_step()
    state = {**weights(start), "key": jax.random.key_data(start.key)}
    assert_trees_equal(arm_of(state, 0), arm_of(state, 1))
    kernel = start.params["encoder"]["fusion"]["project_audio"]["kernel"]
    assert (kernel[0] != kernel[1]).all()
    assert (state["key"][0] != state["key"][1]).any()


def test_an_arm_is_the_same_to_the_bit_whatever_the_others_are() -> None:
    first, second = fitted(0.0, 0.5), fitted(2.0, 0.0)
    assert_trees_equal(arm_of(first, 0), arm_of(second, 1))
    weak, strong = (
        arm_of(*which)["params"]["encoder"]["fusion"]["project_audio"]["kernel"]
        for which in ((first, 1), (second, 0))
    )
    assert np.isfinite(weak).all() and (weak != strong).any()


def test_arms_of_equal_strength_share_batches_and_dropout_to_the_bit() -> None:
    state = fitted(0.5, 0.5)
    assert_trees_equal(arm_of(state, 0), arm_of(state, 1))
