"""Gradients that reach the encoder, by hand and by finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import (
    network_params,
    plain_apply,
    plain_params,
    stack,
    toy_batch,
)

from dann_jax.models.network import Dann, DialogueEncoder, as_apply
from dann_jax.models.reversal import reverse_gradient
from dann_jax.objectives import dann, source_only
from dann_jax.objectives.group_dro import group_dro
from dann_jax.training.diagnostics import encoder_gradients
from dann_jax.types import Outputs

DOMAINS = {"corpus": 2, "speaker": 3}
STRENGTH = {"corpus": 0.3, "speaker": 0.7}
BATCH = toy_batch(domains=DOMAINS)
PARAMS = plain_params(jax.random.key(0), domains=DOMAINS)


MEASURE = jax.jit(functools.partial(encoder_gradients, plain_apply, dann()))


def measured(
    strength: dict = STRENGTH, key: jax.Array | None = None
) -> dict[str, float]:
    found = MEASURE(PARAMS, BATCH, strength, key)
    return {name: float(value) for name, value in found.items()}


def part(name: str, encoder: jax.Array) -> jax.Array:
    """One part of the loss, without any reversal, of the same network."""
    outputs = plain_apply({**PARAMS, "encoder": encoder}, BATCH, STRENGTH, None)
    return dann()(outputs, BATCH, STRENGTH)[1][f"loss/{name}"]


@functools.cache
def finite_differences(name: str) -> np.ndarray:
    """Central differences of one part; they know nothing of the reversal."""
    encoder, step = np.asarray(PARAMS["encoder"], np.float64), 1e-5
    slope = np.zeros_like(encoder)
    with jax.enable_x64(True):
        loss = jax.jit(functools.partial(part, name))
        for place in np.ndindex(encoder.shape):
            change = np.zeros_like(encoder)
            change[place] = step
            up, down = loss(encoder + change), loss(encoder - change)
            slope[place] = (float(up) - float(down)) / (2 * step)
    return slope


def test_norms_are_those_of_finite_differences_times_the_strength() -> None:
    found = measured()
    for name, factor in {"label": 1.0, **STRENGTH}.items():
        expected = factor * np.linalg.norm(finite_differences(name))
        assert found[f"gradient/{name}"] == pytest.approx(expected, rel=1e-4)


def test_the_cosine_is_that_of_the_reversed_slopes() -> None:
    found, label = measured(), finite_differences("label")
    for name in DOMAINS:
        own = -finite_differences(name)
        expected = (own * label).sum() / np.linalg.norm(own) / np.linalg.norm(label)
        assert found[f"cosine/{name}"] == pytest.approx(expected, abs=1e-4)


def test_by_hand_on_one_number() -> None:
    """Encoder w = 1, one row x = 2 with label 0, logits (z, 0): all slopes by hand."""

    def apply(params, batch, strength, key):
        z = params["encoder"] * 2.0
        logits = jnp.stack([z, jnp.zeros_like(z)], -1)[None]
        domain = {"speaker": reverse_gradient(logits, strength["speaker"])}
        return Outputs(logits, logits, domain)

    batch = BATCH._replace(label=np.array([0]), domain={"speaker": np.array([1])})
    measure = jax.jit(functools.partial(encoder_gradients, apply, dann()))
    found = measure({"encoder": jnp.float32(1.0)}, batch, {"speaker": 0.5})
    sigmoid = 1 / (1 + np.exp(-2.0))
    # d/dw of -log sigmoid(2w) is -2 (1 - s); of -log(1 - s) it is 2 s, reversed -s.
    assert float(found["gradient/label"]) == pytest.approx(2 * (1 - sigmoid), rel=1e-5)
    assert float(found["gradient/speaker"]) == pytest.approx(sigmoid, rel=1e-5)
    assert float(found["cosine/speaker"]) == pytest.approx(1.0, rel=1e-5)


def test_strength_scales_what_arrives_and_not_where_it_points() -> None:
    one, two = measured(), measured({name: 2 * s for name, s in STRENGTH.items()})
    for name in DOMAINS:
        assert two[f"gradient/{name}"] == pytest.approx(2 * one[f"gradient/{name}"])
        assert two[f"cosine/{name}"] == pytest.approx(one[f"cosine/{name}"], abs=1e-5)
    assert two["gradient/label"] == one["gradient/label"]


def test_at_strength_zero_nothing_arrives_and_the_cosine_is_zero() -> None:
    found = measured(dict.fromkeys(DOMAINS, 0.0))
    for name in DOMAINS:
        assert found[f"gradient/{name}"] == 0.0 == found[f"cosine/{name}"]
    assert found["gradient/label"] > 0.0


def test_the_parts_add_up_to_the_gradient_that_training_uses() -> None:
    def total(params: dict) -> jax.Array:
        return dann()(plain_apply(params, BATCH, STRENGTH, None), BATCH, STRENGTH)[0]

    gradient = jax.jit(jax.grad(total))(PARAMS)["encoder"]
    label, others = finite_differences("label"), 0.0
    for name, factor in STRENGTH.items():
        others = others - factor * finite_differences(name)
    np.testing.assert_allclose(gradient, label + others, atol=1e-5)


def test_without_adversaries_there_is_the_label_alone() -> None:
    measure = jax.jit(functools.partial(encoder_gradients, plain_apply, source_only()))
    found = measure(PARAMS, BATCH, STRENGTH)
    assert set(found) == {"gradient/label"}


def test_an_objective_with_a_state_has_its_label_and_the_rest_of_its_total() -> None:
    objective = group_dro()
    state = objective.init(plain_apply(PARAMS, BATCH, STRENGTH, None))

    def loss(encoder: jax.Array) -> jax.Array:
        params = {**PARAMS, "encoder": encoder}
        return objective.apply(plain_apply, params, BATCH, STRENGTH, None, state)[0]

    measure = functools.partial(encoder_gradients, plain_apply, objective)
    found = jax.jit(measure)(PARAMS, BATCH, STRENGTH, objective_state=state)
    label = finite_differences("label")
    others = np.asarray(jax.jit(jax.grad(loss))(PARAMS["encoder"])) - label
    assert set(found) == {"gradient/label", "gradient/others", "cosine/others"}
    sizes = [np.linalg.norm(part) for part in (label, others)]
    assert float(found["gradient/label"]) == pytest.approx(sizes[0], rel=1e-4)
    assert float(found["gradient/others"]) == pytest.approx(sizes[1], rel=1e-3)
    assert float(found["cosine/others"]) == pytest.approx(
        (label * others).sum() / sizes[0] / sizes[1], abs=1e-3
    )


def test_dropout_follows_the_key() -> None:
    one, same, other = (measured(key=jax.random.key(seed)) for seed in (1, 1, 2))
    assert one == same != other


def test_another_name_of_the_encoder_and_a_wrong_one() -> None:
    renamed = {**PARAMS, "trunk": PARAMS["encoder"]}
    measure = functools.partial(encoder_gradients, plain_apply, dann(), renamed, BATCH)
    # This network does not look at it.
    found = jax.jit(functools.partial(measure, encoder="trunk"))(STRENGTH)
    assert float(found["gradient/label"]) == 0.0 == float(found["cosine/speaker"])
    with pytest.raises(ValueError, match="no 'body'.*encoder"):
        measure(STRENGTH, encoder="body")


def test_compiled_and_mapped_over_replicas_it_is_the_same() -> None:
    measure = functools.partial(encoder_gradients, plain_apply, dann())
    replicas = [plain_params(jax.random.key(k), domains=DOMAINS) for k in range(3)]
    strengths = [{"corpus": 0.1 * k, "speaker": 0.5} for k in range(3)]
    mapped = jax.jit(jax.vmap(measure, in_axes=(0, None, 0)))(
        stack(replicas), BATCH, stack([jax.tree.map(jnp.float32, s) for s in strengths])
    )
    for index, (params, strength) in enumerate(zip(replicas, strengths, strict=True)):
        alone = MEASURE(params, BATCH, strength)
        assert set(alone) == set(mapped)
        for name, value in alone.items():
            assert float(mapped[name][index]) == pytest.approx(float(value), abs=1e-5)


@pytest.mark.slow
def test_the_real_network_has_what_is_measured() -> None:
    module = Dann(
        encoder=DialogueEncoder(width=4, heads=2, dropout=0.0),
        num_labels=2,
        num_domains=DOMAINS,
        conditional=("corpus",),
        domain_hidden=(4,),
        head_dropout=0.0,
    )
    params, apply = network_params(module, BATCH), as_apply(module)
    found = jax.jit(functools.partial(encoder_gradients, apply, dann()))(
        params, BATCH, STRENGTH
    )
    assert all(float(value) > 0.0 for name, value in found.items() if "grad" in name)
    assert all(-1.0 <= float(found[f"cosine/{name}"]) <= 1.0 for name in DOMAINS)


def test_an_objective_that_logs_no_loss_of_the_labels_is_refused_in_words() -> None:
    def nameless(outputs: Outputs, batch: object, strength: dict) -> tuple:
        loss, metrics = source_only()(outputs, batch, strength)
        return loss, {"loss/emotion": metrics["loss/label"]}

    told = r"lack 'loss/label', .* there are loss/emotion\b"
    with pytest.raises(ValueError, match=told):
        encoder_gradients(plain_apply, nameless, PARAMS, BATCH, STRENGTH)
