"""Objectives that call the network themselves: players, perturbations and memories."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
from corpora_and_batches import assert_trees_equal
from jax.test_util import check_grads
from objective_networks import (
    BATCH,
    DOMAINS,
    KEY,
    LABELS,
    PARAMS,
    audio_only,
    first_gradient,
    game_apply,
    loss_of,
    objective_of,
    state_of,
)

from dann_jax.models.generation import concat_inputs
from dann_jax.models.network import Dann, DialogueEncoder, as_apply
from dann_jax.objectives import dann, source_only
from dann_jax.objectives.discrepancy import proxy_a_distance
from dann_jax.objectives.dynamic_joint import _observed, _refreshed, _start
from dann_jax.objectives.losses import cross_entropy, masked_mean, uniform_cross_entropy
from dann_jax.objectives.perturbation import partners
from dann_jax.objectives.stateful import from_outputs, frozen, heads_of
from dann_jax.training.checkpoint import open_checkpoints
from dann_jax.training.mapping import map_replicas
from dann_jax.training.optimizer import make_optimizer
from dann_jax.training.program import initial_state
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.schedules import constant
from dann_jax.training.state import create_state
from dann_jax.training.step import make_train_step
from dann_jax.types import UNKNOWN, Outputs, PyTree

AUDIO = audio_only(BATCH)
ZEROS = dict.fromkeys(DOMAINS, jnp.float32(0.0))
ONES = dict.fromkeys(DOMAINS, jnp.float32(1.0))


_compiled: dict[str, Callable] = {}


def gradient(name: str, strength: dict = ONES, params: PyTree = PARAMS, **options):
    """Gradient, metrics and state of a first step of an objective with options."""
    objective, key = objective_of(name, **options), repr((name, options))
    if key not in _compiled:
        _compiled[key] = jax.jit(jax.grad(loss_of(objective), has_aux=True))
    state = state_of(objective)
    found, (metrics, state) = _compiled[key](params, AUDIO, strength, state)
    return found, metrics, state


def test_lifting_changes_nothing() -> None:
    lifted = from_outputs(dann())
    assert from_outputs(lifted) is lifted
    loss, (metrics, state) = lifted.apply(game_apply, PARAMS, BATCH, ONES, KEY, ())
    outputs = game_apply(PARAMS, BATCH, ONES, KEY)
    expected, reported = dann()(outputs, BATCH, ONES)
    assert loss == expected and state == () and metrics.keys() == reported.keys()


def test_heads_are_found_by_name_and_frozen_parts_have_no_gradient() -> None:
    params = dict.fromkeys(["a_head", "a_head_0", "a_header", "b_head", "encoder"], 2.0)
    assert heads_of(["a"], params) == ["a_head", "a_head_0"]
    found = jax.grad(lambda p: sum(v**2 for v in frozen(p, ["b_head"]).values()))(
        params
    )
    assert found.pop("b_head") == 0.0 and all(v == 4.0 for v in found.values())


# Confusion.


def confusion_loss(params: PyTree) -> jax.Array:
    """The confusion term by itself, without any reversal."""
    outputs = game_apply(params, AUDIO, dict.fromkeys(DOMAINS, -1.0), None)
    return sum(
        masked_mean(uniform_cross_entropy(logits), AUDIO.domain[name] != UNKNOWN)
        for name, logits in outputs.domain_logits.items()
    )


@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_the_encoder_descends_on_confusion_scaled_by_the_strength(
    strength: float,
) -> None:
    found = gradient("confusion", dict.fromkeys(DOMAINS, jnp.float32(strength)))[0]
    label = gradient("source_only")[0]["encoder"]
    alone = jax.jit(jax.grad(confusion_loss))(PARAMS)["encoder"]
    assert np.abs(alone).max() > 1e-3
    np.testing.assert_allclose(
        found["encoder"] - label, strength * alone, rtol=1e-3, atol=1e-6
    )


def test_domain_heads_learn_to_tell_domains_and_nothing_of_confusion() -> None:
    found, of_dann = gradient("confusion")[0], gradient("dann")[0]
    for name in DOMAINS:
        head = f"{name}_head"
        np.testing.assert_allclose(found[head], of_dann[head], rtol=1e-5, atol=1e-7)


def test_confusion_may_stand_beside_reversal() -> None:
    parts = [
        gradient(name, **options)[0]["encoder"]
        for name, options in (
            ("confusion", {"reversal": 1.0}),
            ("confusion", {}),
            ("dann", {}),
            ("source_only", {}),
        )
    ]
    both, confusion, reversal, label = parts
    np.testing.assert_allclose(both - confusion, reversal - label, atol=1e-6)


def test_three_losses_have_three_strengths_and_their_gradients_add_up() -> None:
    options = {
        **{"on": "gender", "reversal": 1.0},
        "penalties": {"soft_labels": {"on": "gender", "target": 1}},
    }

    def encoder(**strength: float) -> np.ndarray:
        every = ZEROS | {"confusion": 0.0, "soft_labels": 0.0} | strength
        every = {name: jnp.float32(value) for name, value in every.items()}
        return gradient("confusion", every, **options)[0]["encoder"]

    label = gradient("source_only")[0]["encoder"]
    np.testing.assert_allclose(encoder(), label, atol=1e-6)
    arms = ({"gender": 0.5}, {"confusion": 0.25}, {"soft_labels": 2.0})
    alone = [encoder(**arm) - label for arm in arms]
    assert all(np.abs(part).max() > 1e-4 for part in alone)
    together = encoder(gender=0.5, confusion=0.25, soft_labels=2.0) - label
    np.testing.assert_allclose(together, sum(alone), atol=1e-6)


# Mixup.


def test_every_labelled_row_is_a_partner_once_and_never_its_own() -> None:
    mask = BATCH.label != UNKNOWN
    for seed in range(5):
        found = np.asarray(partners(jax.random.key(seed), mask))
        flat, places = found.ravel(), np.arange(mask.size)
        assert sorted(flat[mask.ravel()]) == list(places[mask.ravel()])
        assert (flat != places)[mask.ravel()].all()
        np.testing.assert_array_equal(flat[~mask.ravel()], places[~mask.ravel()])


@pytest.mark.parametrize("labelled", [0, 1])
def test_who_is_alone_mixes_with_itself(labelled: int) -> None:
    mask = jnp.arange(4) < labelled
    np.testing.assert_array_equal(partners(KEY, mask), np.arange(4))


def test_mixup_mixes_inputs_and_labels_in_the_same_parts() -> None:
    objective, strength = objective_of("mixup", alpha=2.0), dict.fromkeys(DOMAINS, 0.8)
    seen = []

    def watching(params, batch, strength, key) -> Outputs:
        seen.append(batch.inputs["audio"])
        return game_apply(params, batch, strength, key)

    loss, (metrics, _) = objective.apply(watching, PARAMS, AUDIO, strength, KEY, ())
    partner_key, part_key = jax.random.split(jax.random.fold_in(KEY, 1))
    partner = np.asarray(partners(partner_key, AUDIO.label != UNKNOWN))
    part = 0.8 * float(jax.random.beta(part_key, 2.0, 2.0))
    audio = AUDIO.inputs["audio"]
    other = audio.reshape(-1, audio.shape[-1])[partner]
    np.testing.assert_allclose(seen[0], (1 - part) * audio + part * other, atol=1e-6)
    features = np.tanh(np.asarray(seen[0]) @ PARAMS["encoder"])
    logs = scipy.special.log_softmax(features @ PARAMS["label_head"], -1)
    known = AUDIO.label != UNKNOWN
    own, theirs = AUDIO.label[known], AUDIO.label.ravel()[partner][known]
    rows = np.arange(known.sum())
    expected = (1 - part) * logs[known][rows, own] + part * logs[known][rows, theirs]
    np.testing.assert_allclose(loss, -expected.mean(), rtol=1e-5)
    assert metrics["loss/label"] == loss


def test_a_modality_that_one_of_two_lacks_is_not_mixed() -> None:
    seen = []

    def watching(params, batch, strength, key) -> Outputs:
        seen.append(batch.inputs["text"])
        return game_apply(params, batch, strength, key)

    objective_of("mixup").apply(watching, PARAMS, BATCH, ONES, KEY, ())
    partner_key, _ = jax.random.split(jax.random.fold_in(KEY, 1))
    partner = np.asarray(partners(partner_key, BATCH.label != UNKNOWN))
    text = BATCH.present["text"]
    both = text & text.ravel()[partner]
    assert both.any() and not both.all()
    np.testing.assert_array_equal(seen[0][~both], BATCH.inputs["text"][~both])


# CrossGrad.


def by_hand(logits: np.ndarray, ids: np.ndarray) -> float:
    losses, known = cross_entropy(logits=logits, labels=ids)
    return float(masked_mean(losses, known))


def test_cross_gradient_agrees_with_its_formulas() -> None:
    audio, (a, s) = AUDIO.inputs["audio"], (0.5, 0.6)

    def logits(x: jax.Array, head: str) -> jax.Array:
        return jnp.tanh(x @ PARAMS["encoder"]) @ PARAMS[f"{head}_head"]

    def summed(x: jax.Array, heads: dict[str, np.ndarray]) -> jax.Array:
        return sum(
            cross_entropy(logits=logits(x, head), labels=ids)[0].sum()
            for head, ids in heads.items()
        )

    def moved(heads: dict[str, np.ndarray]) -> jax.Array:
        step = jnp.clip(jax.grad(summed)(audio, heads), -0.1, 0.1)
        return audio + jnp.where(AUDIO.present["audio"][..., None], step, 0.0)

    x_d, x_f = moved(AUDIO.domain), moved({"label": AUDIO.label})
    assert (np.abs(x_d - audio) > 0).any() and np.abs(x_d - audio).max() <= 0.1001
    expected = (1 - s * a) * by_hand(logits(audio, "label"), AUDIO.label)
    expected += s * a * by_hand(logits(x_d, "label"), AUDIO.label)
    for name, ids in AUDIO.domain.items():
        expected += (1 - a) * by_hand(logits(audio, name), ids)
        expected += a * by_hand(logits(x_f, name), ids)
    loss, _ = jax.jit(loss_of(objective_of("cross_gradient")))(
        PARAMS, AUDIO, dict.fromkeys(DOMAINS, s), ()
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_moving_an_input_makes_its_domain_harder_and_padding_stays_zero() -> None:
    audio = AUDIO.inputs["audio"].copy()
    audio[0, 1:3] = 0.0
    batch = AUDIO._replace(inputs={"audio": audio})
    seen = []

    def watching(params, batch, strength, key) -> Outputs:
        seen.append(batch.inputs["audio"])
        return game_apply(params, batch, strength, key)

    objective_of("cross_gradient").apply(watching, PARAMS, batch, ONES, KEY, ())
    x_d = seen[-2]
    np.testing.assert_array_equal(x_d[0, 1:3], 0.0)
    np.testing.assert_array_equal(x_d[~AUDIO.visible], audio[~AUDIO.visible])

    def domain_loss(x: np.ndarray) -> float:
        outputs = game_apply(PARAMS, batch._replace(inputs={"audio": x}), ZEROS, None)
        return sum(
            by_hand(outputs.domain_logits[name], ids)
            for name, ids in batch.domain.items()
        )

    assert domain_loss(x_d) > domain_loss(audio)


def test_domain_heads_of_cross_gradient_do_not_reach_the_encoder() -> None:
    zero = PARAMS | {f"{name}_head": 0.0 * PARAMS[f"{name}_head"] for name in DOMAINS}
    # Heads of zeros move no input: all that is left at the encoder is the label.
    found = gradient("cross_gradient", params=zero)[0]
    label = gradient("source_only", params=zero)[0]
    np.testing.assert_allclose(found["encoder"], label["encoder"], atol=1e-6)
    assert np.abs(found["speaker_head"]).max() > 1e-3


# GroupDRO.


def test_group_weights_are_exponentiated_and_the_loss_is_their_mean() -> None:
    objective = objective_of("group_dro", step_size=0.5)
    step, state = jax.jit(loss_of(objective)), state_of(objective)
    np.testing.assert_allclose(state["speaker"], [1 / 3] * 3)
    outputs = game_apply(PARAMS, AUDIO, ONES, None)
    losses, known = cross_entropy(logits=outputs.label_logits, labels=AUDIO.label)
    one = {"speaker": jnp.float32(1.0), "gender": jnp.float32(0.0)}
    speaker = AUDIO.domain["speaker"]
    risks = np.array([losses[known & (speaker == k)].mean() for k in range(3)])
    weights = np.full(3, 1 / 3)
    for _ in range(3):
        loss, (_, state) = step(PARAMS, AUDIO, one, state)
        weights = weights * np.exp(0.5 * risks)
        weights /= weights.sum()
        np.testing.assert_allclose(state["speaker"], weights, rtol=1e-5)
        np.testing.assert_allclose(loss, (weights * risks).sum(), rtol=1e-5)


def test_the_weight_of_an_absent_domain_keeps_its_proportion_to_another() -> None:
    objective = objective_of("group_dro", step_size=0.5)
    speaker = AUDIO.domain["speaker"]
    gone = np.where(speaker == 0, speaker, UNKNOWN)
    batch = AUDIO._replace(domain={**AUDIO.domain, "speaker": gone})
    state = state_of(objective)
    _, (_, state) = jax.jit(loss_of(objective))(PARAMS, batch, ONES, state)
    weights = state["speaker"]
    assert weights[0] > weights[1] == weights[2] > 0


# Dynamic joint adaptation.


def test_the_balance_starts_at_a_half_and_weighs_both_discrepancies() -> None:
    objective = objective_of("dynamic_joint")
    step, state = jax.jit(loss_of(objective)), state_of(objective)
    skewed = {name: b._replace(mu=jnp.float32(0.2)) for name, b in state.items()}
    for memory, mu in ((state, 0.5), (skewed, 0.2)):
        loss, (metrics, _) = step(PARAMS, AUDIO, ONES, memory)
        expected = metrics["loss/label"]
        for name in DOMAINS:
            expected += (1 - mu) * metrics[f"mda/{name}"] + mu * metrics[f"cda/{name}"]
        np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_a_fixed_balance_is_kept_and_nothing_is_remembered_of_it() -> None:
    objective = objective_of("dynamic_joint", fixed={"speaker": 0.0}, refresh_steps=1)
    step, state = jax.jit(loss_of(objective)), state_of(objective)
    for _ in range(3):
        loss, (metrics, state) = step(PARAMS, AUDIO, ONES, state)
    assert set(state) == {"gender"} and metrics["mu/speaker"] == 0.0
    mu = metrics["mu/gender"]
    assert mu != 0.5
    expected = metrics["loss/label"] + metrics["mda/speaker"]
    expected += (1 - mu) * metrics["mda/gender"] + mu * metrics["cda/gender"]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="'speaker' must be in"):
        objective_of("dynamic_joint", fixed={"speaker": 1.5})


def balance_of(shift: str, steps: int = 40) -> float:
    """The balance found where domains differ overall, or within the classes alone."""
    rng = np.random.default_rng(0)
    row = np.arange(400).reshape(20, 20)
    domain, label = rng.integers(0, 2, (2, *row.shape))
    features = rng.normal(0.0, 0.3, (*row.shape, 3))
    features[..., 0] += 2.0 * label
    # A shift whose sign depends on the class: a line cannot tell domains overall.
    sign = np.where(label == 1, 1.0, -1.0) if shift == "conditional" else 1.0
    features[..., 1] += sign * (2.0 * domain - 1.0)
    outputs = Outputs(
        features.astype(np.float32),
        np.zeros((*row.shape, 2)),
        {"d": np.zeros((*row.shape, 2))},
    )
    batch = BATCH._replace(label=label, domain={"d": domain}, row=row)
    balance = _start(outputs)["d"]
    observe = jax.jit(lambda b: _observed(b, outputs, batch, "d", 0.5))
    for _ in range(steps):
        balance = observe(balance)
    return float(_refreshed(balance, steps).mu)


def test_the_balance_leans_to_the_conditional_where_the_shift_is_in_the_classes() -> (
    None
):
    marginal, conditional = balance_of("marginal"), balance_of("conditional")
    assert conditional > 0.75 and marginal == pytest.approx(0.5, abs=0.05)


def test_the_balance_is_the_share_of_the_conditional_distance() -> None:
    balance = _start(game_apply(PARAMS, AUDIO, ZEROS, None))["speaker"]._replace(
        wrong=jnp.array([10.0, 1.0, 6.0]),
        seen=jnp.array([40.0, 20.0, 20.0]),
        step=jnp.int32(6),
    )
    assert balance.kernels.shape == (1 + LABELS, 5, 3)
    marginal = proxy_a_distance(0.25)
    conditional = 0.5 * (proxy_a_distance(0.05) + proxy_a_distance(0.3))
    found = _refreshed(balance, 3)
    expected = conditional / (marginal + conditional)
    np.testing.assert_allclose(found.mu, expected, rtol=1e-6)
    assert not found.wrong.any() and not found.seen.any()
    early = _refreshed(balance._replace(step=jnp.int32(7)), 3)
    assert early.mu == 0.5 and early.seen[0] == 40.0


@pytest.mark.parametrize("wrong", [0.5, 0.9])
def test_the_balance_stays_where_no_domain_can_be_told(wrong: float) -> None:
    balance = _start(game_apply(PARAMS, AUDIO, ZEROS, None))["speaker"]._replace(
        mu=jnp.float32(0.3), wrong=jnp.full(3, 10 * wrong), seen=jnp.full(3, 10.0)
    )
    np.testing.assert_allclose(_refreshed(balance, 1).mu, 0.3, rtol=1e-6)


def test_a_classifier_that_knows_nothing_errs_in_half_of_the_pairs() -> None:
    outputs = game_apply(PARAMS, AUDIO, ZEROS, None)
    observe = jax.jit(lambda b: _observed(b, outputs, AUDIO, "speaker", 0.5))
    observed = observe(_start(outputs)["speaker"])
    assert observed.seen[0] > 0
    np.testing.assert_allclose(observed.wrong, 0.5 * observed.seen, rtol=1e-6)


# ADDi.


def test_each_player_of_addi_has_its_own_gradient() -> None:
    found, metrics, _ = gradient("addi")

    def judge(data_head: jax.Array) -> jax.Array:
        extra = game_apply(PARAMS | {"data_head": data_head}, AUDIO, ONES, None).extra
        real = jax.nn.softplus(-extra["real_logit"])[rows].mean()
        return 0.5 * (real + jax.nn.softplus(extra["generated_logit"])[rows].mean())

    def generator(weights: jax.Array) -> jax.Array:
        extra = game_apply(PARAMS | {"generator": weights}, AUDIO, ONES, None).extra
        error = (extra["generated"] - extra["original"])[rows]
        fooled = jax.nn.softplus(-extra["generated_logit"])[rows].mean()
        return (error**2).mean() + 0.1 * fooled

    rows = AUDIO.label != UNKNOWN
    for ids in AUDIO.domain.values():
        rows |= ids != UNKNOWN
    loss, expected = jax.jit(jax.value_and_grad(judge))(PARAMS["data_head"])
    np.testing.assert_allclose(metrics["loss/data"], loss, rtol=1e-5)
    np.testing.assert_allclose(found["data_head"], expected, rtol=1e-4, atol=1e-6)
    expected = jax.jit(jax.grad(generator))(PARAMS["generator"])
    np.testing.assert_allclose(found["generator"], expected, rtol=1e-4, atol=1e-6)
    of_dann = gradient("dann")[0]
    for part in ("speaker_head", "gender_head", "label_head"):
        np.testing.assert_allclose(found[part], of_dann[part], rtol=1e-5, atol=1e-7)


def test_the_generator_reaches_the_encoder_in_proportion_to_the_strength() -> None:
    def alone(strength: float) -> jax.Array:
        heard = dict.fromkeys(DOMAINS, jnp.float32(strength))
        of_dann = gradient("dann", heard)[0]["encoder"]
        return gradient("addi", heard)[0]["encoder"] - of_dann

    full = alone(1.0)
    assert np.abs(full).max() > 1e-2
    np.testing.assert_allclose(alone(0.25), 0.25 * full, rtol=1e-3, atol=1e-6)


def test_the_generator_goes_by_the_strength_of_its_own_adversaries() -> None:
    one = {"speaker": jnp.float32(1.0), "gender": jnp.float32(0.0)}
    of_dann = gradient("dann", one)[0]
    options = {"adversaries": ("gender",), "augmentation": 1.0, "pretraining_steps": 2}
    found, _, state = gradient("addi", one, **options)
    for part in ("encoder", "label_head", "speaker_head"):
        np.testing.assert_allclose(found[part], of_dann[part], rtol=1e-5, atol=1e-7)
    assert found["generator"].any() and state == 0
    supervised = {"adversaries": ("speaker",), "self_supervised": ("gender",)}
    found, _, state = gradient("addi", one, **options | supervised)
    plain = gradient("addi", one, adversaries=("speaker",))[0]
    np.testing.assert_allclose(found["encoder"], plain["encoder"], atol=1e-6)
    assert state == 0
    with pytest.raises(ValueError, match="nobody; the adversaries are"):
        gradient("addi", one, adversaries=("nobody",))


def test_a_generator_of_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="audio has frames"):
        concat_inputs(AUDIO._replace(num_frames={"audio": AUDIO.row}))


def test_augmentation_adds_the_label_loss_of_generated_rows() -> None:
    found, metrics, _ = gradient("addi", augmentation=0.5)
    extra = game_apply(PARAMS, AUDIO, ONES, None).extra
    made = AUDIO._replace(inputs={"audio": extra["generated"]})
    outputs = game_apply(PARAMS, made, ONES, None)
    expected = 0.5 * source_only()(outputs, AUDIO, ONES)[0]
    np.testing.assert_allclose(metrics["loss/augmentation"], expected, rtol=1e-5)
    plain = gradient("addi")[0]
    # What is generated is a constant to this term.
    np.testing.assert_allclose(found["generator"], plain["generator"], atol=1e-6)
    assert np.abs(found["label_head"] - plain["label_head"]).max() > 1e-3


def test_pretraining_generates_and_leaves_labels_and_domains_out() -> None:
    objective = objective_of("addi", pretraining_steps=2)
    function = jax.jit(jax.grad(loss_of(objective), has_aux=True))
    half = dict.fromkeys(DOMAINS, jnp.float32(0.5))
    state = state_of(objective)
    for step in range(3):
        found, (_, state) = function(PARAMS, AUDIO, half, state)
        pretraining = step < 2
        assert (not found["label_head"].any()) == pretraining
        assert (not found["speaker_head"].any()) == pretraining
        assert found["encoder"].any() and found["generator"].any()
    assert state == 3
    after = gradient("addi", half)[0]
    np.testing.assert_allclose(found["encoder"], after["encoder"], atol=1e-6)


def test_players_move_by_their_own_optimisers() -> None:
    optimizer = make_optimizer(
        total_steps=10,
        name="sgd",
        learning_rate=0.1,
        players={"data_head": {"learning_rate": 0.01}, "generator": {"name": "adam"}},
    )
    found = gradient("addi")[0]
    update, _ = jax.jit(optimizer.update)(found, optimizer.init(PARAMS), PARAMS)
    for part, value in found.items():
        if part == "generator":
            # Adam's first step has the size of the learning rate.
            np.testing.assert_allclose(np.abs(update[part]), 0.1, rtol=1e-3)
        else:
            rate = 0.01 if part == "data_head" else 0.1
            np.testing.assert_allclose(update[part], -rate * value, rtol=1e-6)


def test_players_that_are_not_there_are_refused() -> None:
    optimizer = make_optimizer(total_steps=10, players={"judge": {}})
    with pytest.raises(ValueError, match="judge"):
        optimizer.init(PARAMS)
    assert isinstance(make_optimizer(total_steps=10), optax.GradientTransformation)


# Replicas.


def test_every_replica_has_a_memory_of_its_own() -> None:
    module = Dann(
        DialogueEncoder(4, context=False, dropout=0.0),
        LABELS,
        DOMAINS,
        domain_hidden=(),
    )
    arms = {"none": dict.fromkeys(DOMAINS, 0.0), "full": dict.fromkeys(DOMAINS, 1.0)}
    layout = ReplicaLayout(["one"], [0, 1], arms, make_mesh(1))
    objective, optimizer = objective_of("group_dro", step_size=1.0), optax.sgd(1.0)
    batch = layout.put(jax.tree.map(lambda x: np.stack([x, x]), BATCH))
    start = initial_state(
        module, batch, layout=layout, optimizer=optimizer, objective=objective
    )
    np.testing.assert_allclose(start.objective["speaker"], np.full((2, 2, 3), 1 / 3))
    step = make_train_step(
        apply=as_apply(module),
        objective=objective,
        optimizer=optimizer,
        schedule=constant(10),
    )
    mapped, state = map_replicas(step, layout.mesh, shared=(1,)), start
    for _ in range(2):
        state, _ = mapped(state, batch, layout.put(layout.peak_strength()))
    weights = np.asarray(state.objective["speaker"])
    np.testing.assert_allclose(weights.sum(-1), 1.0, rtol=1e-6)
    assert len(np.unique(weights[..., 0])) == 4


def test_a_memory_is_kept_in_a_checkpoint_and_none_is_not(tmp_path) -> None:
    params, optimizer = {"a": jnp.ones(2)}, optax.adam(0.1)
    layout = ReplicaLayout(["one"], [0], {"one": {}}, make_mesh(1))
    for place, memory in (
        ("with", {"speaker": jnp.array([0.2, 0.8])}),
        ("without", ()),
    ):
        state = create_state(params, optimizer, KEY, memory)
        state = jax.tree.map(lambda leaf: leaf[None, None], state)
        with open_checkpoints(tmp_path / place) as checkpoints:
            checkpoints.save(1, state)
            like = state.replace(
                objective=jax.tree.map(jnp.zeros_like, state.objective)
            )
            found = checkpoints.restore(1, like, layout)
        assert_trees_equal(found.objective, state.objective)
        assert_trees_equal(found.params, state.params)


# Gradients.


@pytest.mark.parametrize("name", ["vrex", "group_dro", "mixup", "ccc_regression"])
def test_gradients_agree_with_finite_differences(name: str) -> None:
    objective = objective_of(name)
    state = state_of(objective)
    # Strength reverses nothing here: what has no adversary can be differenced.
    heads = {part: value for part, value in PARAMS.items() if part == "label_head"}

    def loss(moving: PyTree) -> jax.Array:
        return loss_of(objective)(PARAMS | moving, BATCH, ONES, state)[0]

    check_grads(jax.jit(loss), (heads,), order=1, modes=["rev"], rtol=0.02)


def test_signs_at_the_encoder_of_confusion_and_reversal() -> None:
    (_, (before, _)), grads = first_gradient("confusion", 1.0, 1.0)
    label = first_gradient("source_only", 1.0, 1.0)[1]
    step = grads["encoder"] - label["encoder"]
    moved = PARAMS | {"encoder": PARAMS["encoder"] - 0.05 * step}
    after = first_gradient("confusion", 1.0, 1.0, params=moved)[0][1][0]
    total = [sum(m[f"confusion/{name}"] for name in DOMAINS) for m in (before, after)]
    assert total[1] < total[0]
