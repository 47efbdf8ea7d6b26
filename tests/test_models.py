"""Models: what an utterance may depend on, and what the recurrent part computes."""

from collections.abc import Callable, Mapping
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import DIMS, assert_trees_equal, network_params, toy_batch
from flax import linen as nn

from dann_jax.models.context import BidirectionalGru, DialogueContext
from dann_jax.models.fusion import AttentionFusion
from dann_jax.models.heads import ClassifierHead
from dann_jax.models.network import Dann, DialogueEncoder, as_apply, initialise
from dann_jax.types import UNKNOWN, Array, Batch, Outputs, PyTree

WIDTH, TURNS = 4, 6
DOMAINS = {"gender": 2, "speaker": 3}
BATCH = toy_batch(3, TURNS, domains=DOMAINS)
STRENGTH = dict.fromkeys(DOMAINS, 1.0)


@cache
def network(context: bool = True, dtype: str = "float32", dropout: float = 0.5) -> Dann:
    encoder = DialogueEncoder(
        WIDTH, context=context, heads=2, dropout=dropout, dtype=dtype
    )
    return Dann(encoder, 2, DOMAINS, domain_hidden=(5,), head_dropout=dropout)


PARAMS = network_params(network(), BATCH)


@cache
def compiled(context: bool = True, dtype: str = "float32") -> Callable:
    return jax.jit(as_apply(network(context, dtype)))


def outputs(batch: Batch, context: bool = True, dtype: str = "float32") -> Outputs:
    """Outputs without dropout."""
    params = PARAMS if context else network_params(network(False), BATCH)
    return jax.device_get(compiled(context, dtype)(params, batch, STRENGTH, None))


def edit_inputs(
    batch: Batch, where: Array | Mapping[str, Array], value: float
) -> Batch:
    """The batch with `value` in place of the features of some turns."""
    masks = where if isinstance(where, Mapping) else dict.fromkeys(batch.inputs, where)
    return batch._replace(
        inputs={
            name: np.where(masks[name][..., None], np.float32(value), x)
            for name, x in batch.inputs.items()
        }
    )


def assert_same_rows(actual: Outputs, expected: Outputs, rows: Array) -> None:
    assert rows.any()
    assert_trees_equal(
        *(jax.tree.map(lambda x: x[rows], o) for o in (actual, expected))
    )


def loss(params: PyTree, batch: Batch) -> jax.Array:
    """Some function of every output at every visible turn."""
    found = as_apply(network())(params, batch, STRENGTH, None)
    return sum(
        jnp.sum(jnp.where(batch.visible[..., None], leaf, 0.0) ** 2)
        for leaf in jax.tree.leaves(found)
    )


gradient = jax.jit(jax.grad(loss))


def test_padding_to_a_longer_length_changes_nothing() -> None:
    def longer(x: Array, fill: float | bool = 0) -> Array:
        more = np.full((x.shape[0], 3, *x.shape[2:]), fill, x.dtype)
        return np.concatenate([x, more], axis=1)

    padded = Batch(
        inputs={name: longer(x, 7.0) for name, x in BATCH.inputs.items()},
        present={name: longer(x, False) for name, x in BATCH.present.items()},
        visible=longer(BATCH.visible, False),
        party=longer(BATCH.party),
        label=longer(BATCH.label, UNKNOWN),
        domain={name: longer(x, UNKNOWN) for name, x in BATCH.domain.items()},
        row=longer(BATCH.row, UNKNOWN),
        num_frames={},
    )
    expected = outputs(BATCH)
    actual = jax.tree.map(lambda x: x[:, :TURNS], outputs(padded))
    # Padding adds exact zeros, but longer sums may be added up in another order.
    rows = BATCH.visible
    jax.tree.map(
        lambda a, e: np.testing.assert_allclose(a[rows], e[rows], rtol=1e-5, atol=1e-6),
        actual,
        expected,
    )


@pytest.mark.parametrize("value", [5.0, np.nan])
def test_dialogues_of_a_batch_do_not_see_each_other(value: float) -> None:
    second = np.zeros_like(BATCH.visible)
    second[1] = True
    changed = outputs(edit_inputs(BATCH, second & BATCH.visible, value))
    # Same program, same rows: not a bit may move.
    assert_same_rows(changed, outputs(BATCH), ~second & BATCH.visible)
    assert not np.array_equal(changed.label_logits[1], outputs(BATCH).label_logits[1])


@pytest.mark.parametrize("value", [5.0, np.nan])
def test_invisible_turns_carry_nothing(value: float) -> None:
    hidden = ~BATCH.visible
    assert hidden.any()
    changed = edit_inputs(BATCH, hidden, value)
    assert_same_rows(outputs(changed), outputs(BATCH), BATCH.visible)
    assert_trees_equal(gradient(PARAMS, changed), gradient(PARAMS, BATCH))


@pytest.mark.parametrize("value", [5.0, np.nan])
def test_invisible_turns_carry_nothing_even_if_their_modalities_are_present(
    value: float,
) -> None:
    hidden = ~BATCH.visible
    batch = BATCH._replace(
        present={name: flags | hidden for name, flags in BATCH.present.items()}
    )
    changed = edit_inputs(batch, hidden, value)
    assert_same_rows(outputs(changed), outputs(BATCH), BATCH.visible)


@pytest.mark.parametrize("value", [5.0, np.nan])
def test_what_the_array_of_a_missing_modality_holds_has_no_influence(
    value: float,
) -> None:
    missing = {name: ~flags for name, flags in BATCH.present.items()}
    assert (missing["text"] & BATCH.visible).any()
    changed = edit_inputs(BATCH, missing, value)
    assert_same_rows(outputs(changed), outputs(BATCH), BATCH.visible)
    slopes = gradient(PARAMS, changed)
    assert_trees_equal(slopes, gradient(PARAMS, BATCH))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_turns_of_a_dialogue_see_each_other_through_the_context() -> None:
    last = np.zeros_like(BATCH.visible)
    last[:, np.flatnonzero(BATCH.visible.all(0))[-1]] = True
    changed = outputs(edit_inputs(BATCH, last, 3.0))
    before = outputs(BATCH)
    others = BATCH.visible & ~last
    assert (changed.label_logits != before.label_logits)[others].all()


def test_without_context_a_turn_depends_on_itself_alone() -> None:
    first = np.zeros_like(BATCH.visible)
    first[:, 0] = True
    changed = outputs(edit_inputs(BATCH, first, 3.0), context=False)
    before = outputs(BATCH, context=False)
    assert_same_rows(changed, before, ~first & BATCH.visible)
    assert (changed.label_logits[first] != before.label_logits[first]).any()


def fuse(
    params: PyTree, inputs: Mapping[str, Array], present: Mapping[str, Array]
) -> Array:
    module = AttentionFusion(WIDTH)
    return module.apply({"params": params}, inputs, present, deterministic=True)


def fusion_params(inputs: Mapping[str, Array], present: Mapping[str, Array]) -> PyTree:
    rng = np.random.default_rng(0)
    module = AttentionFusion(WIDTH)
    shapes = jax.eval_shape(
        lambda: module.init(jax.random.key(0), inputs, present, deterministic=True)
    )["params"]
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)


def test_fusion_is_the_printed_formula_over_the_modalities_that_are_there() -> None:
    inputs, present = BATCH.inputs, BATCH.present
    params = fusion_params(inputs, present)
    projected = np.stack(
        [
            inputs[name] @ params[f"project_{name}"]["kernel"]
            + params[f"project_{name}"]["bias"]
            for name in ("audio", "text")
        ],
        axis=-2,
    )
    mask = np.stack([present["audio"], present["text"]], axis=-1)
    scores = np.exp((np.tanh(projected) @ params["score"]["kernel"])[..., 0]) * mask
    weights = scores / np.maximum(scores.sum(-1, keepdims=True), 1e-30)
    expected = np.einsum("btm,btmw->btw", weights, projected)
    actual = jax.jit(fuse)(params, inputs, present)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
    # Rows with both, with one (whose weight is then 1) and with none are all there.
    assert set(np.unique(mask.sum(-1))) == {0, 1, 2}
    alone = mask[..., 0] & ~mask[..., 1]
    np.testing.assert_allclose(
        actual[alone], projected[alone][:, 0], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(actual[~mask.any(-1)], 0.0)


def reference_gru(params: PyTree, x: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """One turn, one direction, one dialogue at a time, in float64."""

    def sigmoid(v: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-v))

    params = jax.tree.map(np.float64, params)
    width = params["candidate_bias"].shape[-1]
    result = np.zeros((*x.shape[:2], 2 * width))
    for dialogue in range(len(x)):
        for direction, order in enumerate((1, -1)):
            state = np.zeros(width)
            place = slice(3 * width * direction, 3 * width * (direction + 1))
            recurrent = params["recurrent"][direction]
            for turn in range(x.shape[1])[::order]:
                if not visible[dialogue, turn]:
                    continue
                given = x[dialogue, turn] @ params["input"]["kernel"][:, place]
                given = np.split(given + params["input"]["bias"][place], 3)
                known = np.split(state @ recurrent, 3)
                reset = sigmoid(given[0] + known[0])
                update = sigmoid(given[1] + known[1])
                bias = params["candidate_bias"][direction, 0]
                candidate = np.tanh(given[2] + reset * (known[2] + bias))
                state = update * state + (1.0 - update) * candidate
                out = slice(width * direction, width * (direction + 1))
                result[dialogue, turn, out] = state
    return result


def gru_and_parameters(
    own_turns: bool, x: np.ndarray
) -> tuple[BidirectionalGru, PyTree]:
    module = BidirectionalGru(WIDTH, own_turns)
    given = (x, BATCH.visible, BATCH.party)
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *given))["params"]
    rng = np.random.default_rng(1)
    return module, jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes
    )


def reading(params: PyTree, index: int) -> PyTree:
    """The parameters of the first GRU, over all turns, or of the second."""
    streams, gates = slice(2 * index, 2 * index + 2), 6 * WIDTH
    columns = slice(gates * index, gates * (index + 1))
    return {
        "input": {name: leaf[..., columns] for name, leaf in params["input"].items()},
        "recurrent": params["recurrent"][streams],
        "candidate_bias": params["candidate_bias"][streams],
    }


@pytest.mark.parametrize("own_turns", [False, True])
def test_gru_agrees_with_a_turn_by_turn_reference(own_turns: bool) -> None:
    x = np.random.default_rng(0).normal(size=(3, TURNS, 5)).astype(np.float32)
    module, params = gru_and_parameters(own_turns, x)
    run = jax.jit(lambda p: module.apply({"params": p}, x, BATCH.visible, BATCH.party))
    expected = reference_gru(reading(params, 0), x, BATCH.visible)
    if own_turns:
        # The second one reads each speaker as if nobody else had talked.
        for party in np.unique(BATCH.party):
            own = BATCH.visible & (BATCH.party == party)
            expected += reference_gru(reading(params, 1), x, own)
    np.testing.assert_allclose(run(params), expected, atol=4e-6)
    assert (expected[~BATCH.visible] == 0).all()


def test_recurrent_kernels_start_orthogonal() -> None:
    x, visible = np.zeros((1, 2, 3), np.float32), np.ones((1, 2), bool)
    module = BidirectionalGru(WIDTH, own_turns=True)
    party = np.zeros((1, 2), np.int32)
    draw = jax.jit(lambda key: module.init(key, x, visible, party))
    recurrent = draw(jax.random.key(0))["params"]["recurrent"]
    assert len(recurrent) == 4
    for stream in recurrent:
        for kernel in np.split(stream, 3, axis=-1):
            np.testing.assert_allclose(kernel @ kernel.T, np.eye(WIDTH), atol=1e-6)


@cache
def context_module(own_heads: int) -> tuple[DialogueContext, Callable]:
    module = DialogueContext(WIDTH, heads=2, own_heads=own_heads)
    return module, jax.jit(partial(module.apply, deterministic=True))


def contextualise(own_heads: int, party: Array) -> tuple[Array, PyTree, Array]:
    """Output of a `DialogueContext`, its parameters and its input."""
    x = np.random.default_rng(0).normal(size=(3, TURNS, 5)).astype(np.float32)
    module, run = context_module(own_heads)
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(
        lambda: module.init(
            jax.random.key(0), x, BATCH.visible, party, deterministic=True
        )
    )["params"]
    params = jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)
    return run({"params": params}, x, BATCH.visible, party), params, x


def test_own_heads_attend_to_turns_of_the_same_speaker_only() -> None:
    apart = np.broadcast_to(np.arange(TURNS, dtype=np.int32), (3, TURNS))
    found, params, x = contextualise(2, apart)
    # When everybody speaks once, each turn can attend to itself alone.
    hidden = reference_gru(params["gru"], x, BATCH.visible)
    value, out = params["attention"]["value"], params["attention"]["out"]
    values = np.einsum("btd,dhe->bthe", hidden, value["kernel"]) + value["bias"]
    attended = np.einsum("bthe,heo->bto", values, out["kernel"]) + out["bias"]
    expected = (hidden + attended) * BATCH.visible[..., None]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_parties_matter_to_own_heads_only_and_only_by_who_is_the_same() -> None:
    party = BATCH.party
    mixed, all_attend = contextualise(1, party)[0], contextualise(0, party)[0]
    rows = BATCH.visible
    assert (mixed != all_attend)[rows].any()
    assert_trees_equal(contextualise(1, 7 - party)[0], mixed)
    assert_trees_equal(contextualise(0, np.zeros_like(party))[0], all_attend)
    alone = contextualise(2, np.zeros_like(party))[0]
    np.testing.assert_allclose(alone[rows], all_attend[rows], rtol=1e-6, atol=1e-6)


def test_bfloat16_computes_near_float32_on_float32_parameters() -> None:
    low, high = outputs(BATCH, dtype="bfloat16"), outputs(BATCH)
    shapes = network_params(network(dtype="bfloat16"), BATCH)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    assert {leaf.dtype for leaf in jax.tree.leaves(low)} == {jnp.dtype("float32")}
    assert not np.array_equal(low.label_logits, high.label_logits)
    rows = BATCH.visible
    for a, e in zip(jax.tree.leaves(low), jax.tree.leaves(high), strict=True):
        # bfloat16 keeps 8 bits; a dozen roundings of numbers of this size.
        np.testing.assert_allclose(a[rows], e[rows], atol=0.05 * np.abs(e[rows]).max())


def test_dropout_is_off_without_a_key_and_the_same_for_the_same_key() -> None:
    apply = compiled(context=False)
    params = network_params(network(False), BATCH)
    still = [apply(params, BATCH, STRENGTH, None) for _ in range(2)]
    assert_trees_equal(*still)
    # This generator compiles in a quarter of the time of the default one.
    one, again, other = (
        apply(params, BATCH, STRENGTH, jax.random.key(seed, impl="unsafe_rbg"))
        for seed in (0, 0, 1)
    )
    assert_trees_equal(one, again)
    for a, b in ((one, other), (one, still[0])):
        assert (a.label_logits != b.label_logits).any()


def test_turn_dropout_hides_the_same_units_in_all_turns_of_a_dialogue() -> None:
    head = ClassifierHead(8, dropout=0.5)
    params = {"params": {"Dense_0": {"kernel": jnp.eye(8), "bias": jnp.zeros(8)}}}
    kept = head.apply(
        params,
        jnp.ones((5, 7, 8)),
        deterministic=False,
        rngs={"dropout": jax.random.key(0)},
    )
    np.testing.assert_array_equal(kept, np.broadcast_to(kept[:, :1], kept.shape))
    assert set(np.unique(kept)) == {0.0, 2.0}
    assert len(np.unique(kept[:, 0], axis=0)) > 1


def test_features_are_context_and_utterance_with_these_parameters() -> None:
    assert outputs(BATCH).features.shape == (3, TURNS, 3 * WIDTH)
    assert outputs(BATCH, context=False).features.shape == (3, TURNS, WIDTH)
    found = outputs(BATCH)
    assert found.label_logits.shape == (3, TURNS, 2)
    assert {k: v.shape[-1] for k, v in found.domain_logits.items()} == DOMAINS

    sizes = jax.tree.map(jnp.shape, PARAMS, is_leaf=lambda x: hasattr(x, "shape"))
    assert set(sizes) == {"encoder", "label_head", "gender_head", "speaker_head"}
    fusion = sizes["encoder"]["fusion"]
    for name, dim in DIMS.items():
        assert fusion[f"project_{name}"] == {"kernel": (dim, WIDTH), "bias": (WIDTH,)}
    assert sizes["label_head"] == {"Dense_0": {"kernel": (3 * WIDTH, 2), "bias": (2,)}}
    assert sizes["speaker_head"]["Dense_0"]["kernel"] == (3 * WIDTH, 5)
    assert sizes["speaker_head"]["Dense_1"]["kernel"] == (5, 3)
    assert "context" not in network_params(network(False), BATCH)["encoder"]


def test_evaluation_does_not_depend_on_the_strength() -> None:
    apply = compiled(context=False)
    params = network_params(network(False), BATCH)
    assert_trees_equal(
        apply(params, BATCH, dict.fromkeys(DOMAINS, 0.0), None),
        apply(params, BATCH, dict.fromkeys(DOMAINS, 9.0), None),
    )


def test_a_missing_strength_is_named() -> None:
    apply = as_apply(network())
    with pytest.raises(ValueError, match=r"'speaker'.*\['gender'\].*0\.0"):
        apply(PARAMS, BATCH, {"gender": 1.0}, None)


def test_each_domain_reaches_the_encoder_with_its_own_strength() -> None:
    params = network_params(network(False), BATCH)
    apply = as_apply(network(False))

    @jax.jit
    @jax.grad
    def slope(p: PyTree, strength: Mapping[str, float]) -> jax.Array:
        found = apply(p, BATCH, strength, None)
        return sum(jnp.sum(jnp.sin(x)) for x in found.domain_logits.values())

    def encoder(gender: float, speaker: float) -> np.ndarray:
        found = slope(params, {"gender": gender, "speaker": speaker})
        return np.asarray(found["encoder"]["fusion"]["project_audio"]["kernel"])

    np.testing.assert_array_equal(encoder(0.0, 0.0), 0.0)
    both = encoder(1.0, 0.0) * 0.5 + encoder(0.0, 1.0) * 2.0
    np.testing.assert_allclose(encoder(0.5, 2.0), both, rtol=1e-5, atol=1e-5)
    assert not np.allclose(encoder(1.0, 0.0), encoder(0.0, 1.0))


def test_a_conditional_adversary_sees_every_class_times_the_features() -> None:
    module = Dann(
        DialogueEncoder(WIDTH, context=False),
        num_labels=2,
        num_domains=DOMAINS,
        conditional=("speaker",),
        domain_hidden=(),
        head_dropout=0.0,
    )
    params, apply = network_params(module, BATCH), as_apply(module)

    @jax.jit
    @partial(jax.value_and_grad, has_aux=True)
    def speaker(p: PyTree) -> tuple[jax.Array, Outputs]:
        found = apply(p, BATCH, STRENGTH, None)
        return jnp.sum(jnp.sin(found.domain_logits["speaker"])), found

    (_, found), slope = speaker(params)
    head = params["speaker_head"]["Dense_0"]
    posterior = jax.nn.softmax(found.label_logits)
    kernel = head["kernel"].reshape(WIDTH, 2, 3)
    expected = jnp.einsum("btw,btc,wcd->btd", found.features, posterior, kernel)
    np.testing.assert_allclose(
        found.domain_logits["speaker"],
        expected + head["bias"][None, None],
        rtol=1e-5,
        atol=1e-5,
    )
    assert params["gender_head"]["Dense_0"]["kernel"].shape == (WIDTH, 2)
    # The adversary moves the features and not what the emotion head makes of them.
    assert_trees_equal(
        slope["label_head"], jax.tree.map(jnp.zeros_like, params["label_head"])
    )
    assert (slope["encoder"]["fusion"]["project_audio"]["kernel"] != 0).any()


def test_initialisation_depends_on_the_key_alone() -> None:
    @jax.jit
    def drawn(key: jax.Array, batch: Batch) -> PyTree:
        return initialise(network(False), batch, key)

    key = jax.random.key(0)
    one = drawn(key, BATCH)
    assert_trees_equal(one, drawn(key, toy_batch(3, TURNS, domains=DOMAINS, seed=1)))
    other = drawn(jax.random.key(1), BATCH)
    kernels = [
        (a, b)
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
        if a.ndim > 1
    ]
    assert kernels and all((a != b).any() for a, b in kernels)


def test_any_encoder_module_can_carry_the_heads() -> None:
    class Mean(nn.Module):
        @nn.compact
        def __call__(self, batch: Batch, *, deterministic: bool) -> Array:
            return batch.inputs["audio"] * batch.visible[..., None]

    module = Dann(Mean(), 2, {"speaker": 3}, domain_hidden=(), head_dropout=0.0)
    batch = BATCH._replace(domain={"speaker": BATCH.domain["speaker"]})
    params = network_params(module, batch)
    found = as_apply(module)(params, batch, {"speaker": 1.0}, None)
    expected = found.features @ params["label_head"]["Dense_0"]["kernel"]
    expected += params["label_head"]["Dense_0"]["bias"][None, None]
    np.testing.assert_allclose(found.label_logits, expected, rtol=1e-6, atol=1e-6)
