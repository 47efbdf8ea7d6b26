"""Batch normalisation: its statistics, who enters them, and what is evaluated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import LABELS, network_params, toy_batch, toy_corpus
from flax.traverse_util import flatten_dict
from sklearn.preprocessing import StandardScaler

from dann_jax.evaluation.evaluated import normalised_for
from dann_jax.models import network
from dann_jax.models.normalisation import (
    BY_DOMAIN,
    BatchNormalisation,
    as_moments,
    merged,
    normalise,
    row_moments,
    statistics,
    with_statistics,
)
from dann_jax.objectives import dann
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.task import Task, make_task
from dann_jax.training.optimizer import make_optimizer
from dann_jax.training.program import Program, make_program
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.run import Run
from dann_jax.types import UNKNOWN, PyTree

RNG = np.random.default_rng(0)
SHAPE, WIDTH = (4, 6), 5
X = RNG.normal(3.0, 2.0, (*SHAPE, WIDTH)).astype(np.float32)
VISIBLE = RNG.random(SHAPE) > 0.3
GROUP = RNG.integers(0, 2, SHAPE).astype(np.int32)


def applied(
    module: BatchNormalisation,
    x: np.ndarray = X,
    visible: np.ndarray = VISIBLE,
    group: np.ndarray | None = GROUP,
    **scales: np.ndarray,
) -> np.ndarray:
    # Compiled as a whole: one operation after the other takes seconds.
    @jax.jit
    def both(x, visible, group, scales):
        params = module.init(jax.random.key(0), x, visible, group, deterministic=True)
        params = {"params": {**params["params"], **scales}}
        return module.apply(params, x, visible, group, deterministic=False)

    return np.asarray(both(x, visible, group, scales))


def test_joint_statistics_are_those_of_scikit_learn() -> None:
    normed = applied(BatchNormalisation(epsilon=1e-12), group=None)
    expected = StandardScaler().fit_transform(X[VISIBLE])
    np.testing.assert_allclose(normed[VISIBLE], expected, rtol=1e-4, atol=1e-5)
    assert not normed[~VISIBLE].any()


def test_separate_statistics_are_those_of_each_domain_alone() -> None:
    normed = applied(BatchNormalisation(num_groups=2, epsilon=1e-12))
    for group in (0, 1):
        rows = VISIBLE & (group == GROUP)
        expected = StandardScaler().fit_transform(X[rows])
        np.testing.assert_allclose(normed[rows], expected, rtol=1e-4, atol=1e-5)


def test_shift_and_scale_of_a_domain_leave_separate_features_as_they_are() -> None:
    module = BatchNormalisation(num_groups=2, epsilon=1e-9)
    moved = np.where((GROUP == 1)[..., None], 7.0 * X - 20.0, X)
    np.testing.assert_allclose(applied(module), applied(module, moved), atol=1e-4)
    joint = BatchNormalisation()
    assert np.abs(applied(joint) - applied(joint, moved)).max() > 0.5


@pytest.mark.parametrize("groups", [0, 2])
def test_what_is_not_visible_has_no_influence_at_all(groups: int) -> None:
    module = BatchNormalisation(num_groups=groups)
    hidden = np.where(VISIBLE[..., None], X, np.nan)
    other = np.where(VISIBLE, GROUP, 1 - GROUP)
    np.testing.assert_array_equal(applied(module), applied(module, hidden, group=other))


def test_domains_have_scales_of_their_own_only_if_they_are_to() -> None:
    scale = np.array([[1.0], [3.0], [9.0]]) * np.ones(WIDTH)
    module = BatchNormalisation(num_groups=2, own_scales=True)
    plain, scaled = applied(module), applied(module, scale=scale, bias=scale)
    expected = np.where(VISIBLE[..., None], (plain + 1.0) * scale[GROUP], 0.0)
    np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-5)


def test_rows_of_no_domain_and_lonely_rows_have_the_statistics_of_all() -> None:
    module = BatchNormalisation(num_groups=3)
    group = GROUP.copy()
    first, second = np.argwhere(VISIBLE)[:2]
    group[tuple(first)], group[tuple(second)] = UNKNOWN, 2
    alone, joint = applied(module, group=group), applied(BatchNormalisation())
    for place in (first, second):
        np.testing.assert_allclose(alone[tuple(place)], joint[tuple(place)], rtol=1e-5)


def test_moments_of_parts_add_up_to_those_of_the_whole() -> None:
    def moments(part: slice) -> dict[str, np.ndarray]:
        compiled = jax.jit(row_moments, static_argnums=3)
        found = compiled(X[part], VISIBLE[part], GROUP[part], 3)
        return jax.tree.map(np.float64, found)

    total = merged(moments(slice(0, 1)), moments(slice(1, 4)))
    whole = moments(slice(0, 4))
    for name, value in whole.items():
        np.testing.assert_allclose(total[name], value, rtol=1e-5, err_msg=name)
    mean, variance = statistics(whole)
    rows = X[VISIBLE & (GROUP == 1)]
    np.testing.assert_allclose(mean[1], rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance[1], rows.var(0), rtol=1e-4)


def test_the_gradient_passes_through_the_statistics() -> None:
    def loss(x: jax.Array) -> jax.Array:
        module = BatchNormalisation(num_groups=2)
        variables = {
            "params": {
                "mean": jnp.zeros((3, WIDTH)),
                "variance": jnp.ones((3, WIDTH)),
                "scale": jnp.ones((1, WIDTH)),
                "bias": jnp.zeros((1, WIDTH)),
            }
        }
        normed = module.apply(variables, x, VISIBLE, GROUP, deterministic=False)
        return (normed**3).sum()

    # A shift of all rows of a domain changes nothing.
    gradient = np.asarray(jax.jit(jax.grad(loss))(X))
    for group in (0, 1):
        total = gradient[VISIBLE & (group == GROUP)].sum(0)
        np.testing.assert_allclose(total, 0.0, atol=1e-3)
    assert not gradient[~VISIBLE].any()
    assert np.abs(gradient[VISIBLE]).max() > 0.1


def test_an_unseen_domain_has_the_mean_scale_and_the_statistics_of_all() -> None:
    shape = (3, WIDTH)
    own = RNG.normal(size=shape)
    params = {"mean": np.zeros(shape), "variance": np.ones(shape), "scale": own}
    params["bias"] = own
    moments = row_moments(X, VISIBLE, np.zeros_like(GROUP), 3)
    filled = with_statistics({"normalisation": params}, {"normalisation": moments})
    found = filled["normalisation"]
    np.testing.assert_allclose(found["mean"][1], X[VISIBLE].mean(0), rtol=1e-5)
    for place in range(3):
        np.testing.assert_allclose(found["scale"][place], own[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"name": "batch"}, "choose from none, layer, joint"),
        ({"name": "separate"}, "needs a column"),
    ],
)
def test_a_normalisation_that_cannot_be_is_refused(options: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        normalise(X, toy_batch(*SHAPE), deterministic=True, **options)


def test_without_a_name_features_stay_as_they_are() -> None:
    assert normalise(X, toy_batch(*SHAPE), deterministic=True) is X


CORPUS = toy_corpus()


def protocol(*pools: str) -> Protocol:
    return make_protocol(
        CORPUS,
        name="toy",
        split="ordered_pairs",
        split_args={"column": "corpus"},
        labels=LABELS,
        unlabelled=pools,
        validation_folds=0,
        disjoint=(),
    )


def world(name: str, *pools: str) -> tuple[Task, ReplicaLayout, Program]:
    column = {"column": "gender", "unlabelled": pools}
    task = make_task(
        CORPUS,
        protocol(*pools),
        {"gender": column},
        batch_size=3,
        num_buckets=2,
        normalise_by="corpus",
        adaptive=name == "adaptive",
    )
    layout = ReplicaLayout(
        task.protocol.folds, (0,), {"one": {"gender": 1.0}}, make_mesh(1)
    )
    normalisation = {"name": name, "column": "corpus", "groups": task.norm_domains}
    module = network.build(
        encoder={"width": 4, "context": False, "normalisation": normalisation},
        heads={"domain_hidden": (3,)},
        num_labels=len(LABELS),
        num_domains=task.num_domains,
    )
    program = make_program(
        module,
        layout=layout,
        objective=dann(),
        optimizer=make_optimizer(total_steps=1),
        schedule=lambda step: 1.0,
        average_decay=0.0,
    )
    return task, layout, program


def random_params(task: Task, layout: ReplicaLayout, program: Program) -> PyTree:
    batch = task.training(np.zeros((len(layout.folds), 1), int), 9, range(2))
    params = program.initial_state(batch).params
    return jax.tree.map(
        lambda leaf: jnp.asarray(RNG.normal(size=leaf.shape), leaf.dtype), params
    )


def evaluated(name: str, *pools: str) -> tuple[Task, np.ndarray, PyTree]:
    """Features of the tested rows, `[folds, N, width]`, by their own statistics."""
    task, layout, program = world(name, *pools)
    params = random_params(task, layout, program)
    for word, value in (("scale", 1.0), ("bias", 0.0)):
        own = params["encoder"]["normalisation"]
        own[word] = jnp.full_like(own[word], value)
    run = Run(task, layout, program)
    filled = normalised_for(params, Role.TEST, run)
    everything = np.ones_like(task.protocol.test_side)
    features = run.predict(filled, everything, ("features",)).features[:, 0]
    return task, features, filled["encoder"]["normalisation"]


@pytest.mark.parametrize(
    ("name", "pools", "roles"),
    [
        ("joint", (), (Role.LABELLED,)),
        ("joint", ("test",), (Role.LABELLED, Role.TEST, Role.UNLABELLED)),
        ("separate", ("test",), (Role.TEST, Role.UNLABELLED)),
        ("domain_specific", ("test",), (Role.TEST, Role.UNLABELLED)),
        ("adaptive", ("test",), (Role.TEST,)),
        ("adaptive", (), (Role.TEST,)),
    ],
)
def test_evaluated_features_are_standardised_over_exactly_the_right_rows(
    name: str, pools: tuple[str, ...], roles: tuple[Role, ...]
) -> None:
    task, features, _ = evaluated(name, *pools)
    for fold, own in enumerate(task.protocol.roles):
        rows = np.isin(own, roles)
        if name in BY_DOMAIN:
            rows &= task.protocol.test_side[fold]
        chosen = np.float64(features[fold][rows])
        np.testing.assert_allclose(chosen.mean(0), 0.0, atol=1e-4)
        np.testing.assert_allclose(chosen.std(0), 1.0, atol=1e-3)


@pytest.mark.parametrize("name", ["joint", "separate", "domain_specific"])
def test_held_out_rows_never_enter_the_statistics(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, layout, program = world(name)
    params = random_params(task, layout, program)

    def found() -> PyTree:
        task = world(name)[0]
        filled = normalised_for(params, Role.TEST, Run(task, layout, program))
        return jax.device_get(filled["encoder"]["normalisation"])

    before = found()
    held_out = task.protocol.roles[0] != Role.LABELLED
    for name, array in dict(CORPUS.features).items():
        changed = np.where(held_out[:, None], array + 100.0, array)
        monkeypatch.setitem(CORPUS.features, name, changed)
    after = found()
    for word in ("mean", "variance"):
        # The other fold learns from what this one holds out.
        np.testing.assert_array_equal(before[word][0], after[word][0])
        assert (before[word][1] != after[word][1]).any()


def test_training_leaves_the_statistics_alone() -> None:
    task, layout, program = world("separate", "test")
    batch = layout.put(task.training(np.array([[0, 5], [0, 5]]), 9, range(2)))
    state = program.initial_state(batch)
    start = jax.device_get(state.params["encoder"]["normalisation"])
    state, metrics = program.train_step(
        state, batch, layout.put(layout.peak_strength())
    )
    end = jax.device_get(state.params["encoder"]["normalisation"])
    assert np.isfinite(metrics["loss"]).all()
    for word in ("mean", "variance"):
        np.testing.assert_array_equal(start[word], end[word])
    assert (start["scale"] != end["scale"]).any()


def test_a_network_without_statistics_is_left_as_it_is() -> None:
    task, layout, program = world("layer", "test")
    params = random_params(task, layout, program)
    run = Run(task, layout, program)
    assert normalised_for(params, Role.TEST, run) is params


def test_moments_have_the_place_of_the_parameters() -> None:
    batch = toy_batch()
    encoder = {"width": 4, "context": False, "normalisation": {"name": "joint"}}
    module = network.build(
        encoder=encoder, heads={}, num_labels=2, num_domains={"speaker": 3}
    )
    params = network_params(module, batch)
    found = flatten_dict(as_moments(module)(params, batch))
    assert set(found) == {
        ("encoder", "normalisation", word) for word in ("count", "mean", "square")
    }
    assert found["encoder", "normalisation", "count"] == batch.visible.sum()
