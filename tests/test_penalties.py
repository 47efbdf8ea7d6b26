"""Penalties, the options of dann, class-wise adversaries and regression."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from objective_networks import (
    BATCH,
    DOMAINS,
    LABELS,
    PARAMS,
    class_wise_apply,
    game_apply,
)

from dann_jax.objectives import OBJECTIVES, dann, discrepancy, source_only
from dann_jax.objectives.adversarial import ccc_regression, class_wise_dann
from dann_jax.objectives.batch_losses import class_confusion, information_loss
from dann_jax.objectives.labels import regression
from dann_jax.objectives.penalised import PENALTIES, penalised, penalty_strength_names
from dann_jax.types import UNKNOWN, Outputs

ONES = dict.fromkeys(DOMAINS, 1.0)
OUTPUTS: Outputs = jax.device_get(game_apply(PARAMS, BATCH, ONES, None))
LABEL, SPEAKER = BATCH.label, BATCH.domain["speaker"]
LABELLED = LABEL != UNKNOWN
TARGET = ~LABELLED & (SPEAKER != UNKNOWN)
LOGITS = np.asarray(OUTPUTS.label_logits, np.float64)
CHANCES = scipy.special.softmax(LOGITS, -1)
HARD = -scipy.special.log_softmax(LOGITS, -1)[
    (*np.indices(LABEL.shape), np.maximum(LABEL, 0))
]


def penalty_of(word: str, **options: object) -> float:
    # Compiled as a whole: one operation after the other takes seconds.
    penalty = jax.jit(PENALTIES[word](**options), static_argnums=2)
    return float(penalty(OUTPUTS, BATCH, "speaker"))


def by_speaker() -> np.ndarray:
    return np.stack([k == SPEAKER for k in range(3)])


def test_an_idle_penalty_is_left_out_and_an_active_one_is_as_ever() -> None:
    def loss_of(strength: float, **options: bool) -> tuple[float, float]:
        term = {"mmd": {"on": "speaker", **options}}
        objective = jax.jit(penalised(source_only(), term))
        loss, metrics = objective(OUTPUTS, BATCH, {**ONES, "mmd": strength})
        return float(loss), float(metrics["mmd/speaker"])

    assert loss_of(0.5, skip_idle=True) == loss_of(0.5)
    (loss, metric), (same_loss, skipped) = loss_of(0.0), loss_of(0.0, skip_idle=True)
    assert loss == same_loss
    assert metric > 0 == skipped


def test_discrepancies_compare_the_features_of_the_domains() -> None:
    features = OUTPUTS.features
    assert penalty_of("coral") == pytest.approx(
        float(jax.jit(discrepancy.coral)(features, by_speaker()))
    )
    assert penalty_of("mmd", scale=1.0, multiples=(2.0,)) == pytest.approx(
        float(discrepancy.mmd(features, by_speaker(), scale=1.0, multiples=(2.0,)))
    )


def test_conditional_mmd_takes_labels_where_there_are_and_posteriors_elsewhere() -> (
    None
):
    posterior = np.where(LABELLED[..., None], np.eye(LABELS)[LABEL], CHANCES)
    expected = jax.jit(discrepancy.conditional_mmd)(
        OUTPUTS.features, by_speaker(), posterior.astype(np.float32)
    )
    assert penalty_of("conditional_mmd") == pytest.approx(float(expected), rel=1e-5)


def test_entropy_confusion_and_information_are_of_the_unlabelled_rows() -> None:
    expected = scipy.stats.entropy(CHANCES[TARGET], axis=-1).mean()
    assert penalty_of("entropy_minimisation") == pytest.approx(expected, rel=1e-5)
    target = OUTPUTS.label_logits[TARGET]
    everything = np.ones(len(target), bool)
    assert penalty_of("mcc") == pytest.approx(
        float(jax.jit(class_confusion)(target, everything)), rel=1e-5
    )
    assert penalty_of("information_maximisation") == pytest.approx(
        float(jax.jit(information_loss)(target, everything)), rel=1e-4
    )


def test_vrex_is_the_variance_of_the_risks() -> None:
    risks = [HARD[LABELLED & (k == SPEAKER)].mean() for k in range(3)]
    assert penalty_of("vrex") == pytest.approx(np.var(risks), rel=1e-4)


def test_vrex_is_nothing_where_all_domains_fare_alike() -> None:
    outputs = OUTPUTS._replace(label_logits=np.zeros_like(OUTPUTS.label_logits))
    assert PENALTIES["vrex"]()(outputs, BATCH, "speaker") == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_soft_labels_pull_target_rows_to_what_source_rows_of_their_class_say(
    temperature: float,
) -> None:
    soft = scipy.special.softmax(LOGITS / temperature, -1)
    logs = np.log(soft)
    known, target = LABELLED & (SPEAKER != UNKNOWN), 1
    losses = []
    for label in range(LABELS):
        source = known & (label == LABEL) & (target != SPEAKER)
        for row in logs[known & (label == LABEL) & (target == SPEAKER)]:
            losses.append(-(soft[source].mean(0) * row).sum())
    assert len(losses) > 1
    found = penalty_of("soft_labels", target=target, temperature=temperature)
    assert found == pytest.approx(np.mean(losses), rel=1e-5)


def test_soft_labels_teach_target_rows_alone_and_need_source_rows() -> None:
    penalty = PENALTIES["soft_labels"](target=1)

    def loss(logits: jax.Array, batch: object) -> jax.Array:
        return penalty(OUTPUTS._replace(label_logits=logits), batch, "speaker")

    value_and_gradient = jax.jit(jax.value_and_grad(loss))
    gradient = value_and_gradient(OUTPUTS.label_logits, BATCH)[1]
    asked = LABELLED & (SPEAKER == 1)
    np.testing.assert_array_equal(np.any(gradient != 0, -1), asked)
    alone = BATCH._replace(
        domain={"speaker": np.where(SPEAKER == 1, 1, UNKNOWN).astype(np.int32)}
    )
    value, gradient = value_and_gradient(OUTPUTS.label_logits, alone)
    assert value == 0.0 and not gradient.any()


def test_a_penalty_is_weighed_by_its_weight_and_every_strength() -> None:
    strength = {"speaker": 0.5, "gender": 2.0}
    loss, metrics = OBJECTIVES["mmd"](weight=3.0)(OUTPUTS, BATCH, strength)
    expected = metrics["loss/label"]
    expected += 3.0 * (0.5 * metrics["mmd/speaker"] + 2.0 * metrics["mmd/gender"])
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_penalties_stand_beside_an_adversary() -> None:
    options = {"coral": {}, "soft_labels": {"target": 0, "weight": 0.1}}
    loss, metrics = jax.jit(dann(penalties=options))(OUTPUTS, BATCH, ONES)
    expected = sum(metrics[f"loss/{part}"] for part in ("label", *DOMAINS))
    for name in DOMAINS:
        expected += metrics[f"coral/{name}"] + 0.1 * metrics[f"soft_labels/{name}"]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_an_unknown_penalty_or_balance_is_refused() -> None:
    with pytest.raises(ValueError, match="'corall'; did you mean coral"):
        penalised(source_only(), {"corall": {}})
    with pytest.raises(ValueError, match="choose from rows, domains"):
        dann(balance="speakers")


# Options of the adversarial objective.


def domain_losses(name: str = "speaker") -> np.ndarray:
    logits = np.asarray(OUTPUTS.domain_logits[name], np.float64)
    ids = BATCH.domain[name]
    logs = scipy.special.log_softmax(logits, -1)
    return -logs[(*np.indices(ids.shape), np.maximum(ids, 0))]


def reported(options: Mapping[str, object], name: str = "loss/speaker") -> float:
    return float(jax.jit(dann(**options))(OUTPUTS, BATCH, ONES)[1][name])


def test_balanced_domains_count_alike() -> None:
    expected = np.mean([domain_losses()[k == SPEAKER].mean() for k in range(3)])
    assert reported({"balance": "domains"}) == pytest.approx(expected, rel=1e-5)


def test_balanced_domains_and_classes_count_alike_with_the_unlabelled_as_a_class() -> (
    None
):
    cells = [
        domain_losses()[(k == SPEAKER) & (label == LABEL)]
        for k in range(3)
        for label in (UNKNOWN, 0, 1)
    ]
    expected = np.mean([cell.mean() for cell in cells if len(cell)])
    found = reported({"balance": "domains_and_classes"})
    assert found == pytest.approx(expected, rel=1e-5)


def test_certain_rows_weigh_more_in_the_domain_loss() -> None:
    known = SPEAKER != UNKNOWN
    weights = 1.0 + np.exp(-scipy.stats.entropy(CHANCES[known], axis=-1))
    weights /= weights.mean()
    expected = (weights * domain_losses()[known]).mean()
    assert reported({"certainty": True}) == pytest.approx(expected, rel=1e-5)


def test_certainty_weighs_the_rows_of_the_adversaries_that_are_named() -> None:
    assert reported({"certainty": ("speaker",)}) == reported({"certainty": True})
    assert reported({"certainty": ("other",)}) == reported({})


def test_the_weight_of_certainty_is_a_constant_to_the_label_head() -> None:
    gradients = [
        jax.jit(jax.grad(lambda o, f=objective: f(o, BATCH, ONES)[0]))(
            OUTPUTS
        ).label_logits
        for objective in (dann(certainty=True), source_only())
    ]
    np.testing.assert_allclose(*gradients, atol=1e-7)


def test_balanced_labels_count_alike() -> None:
    expected = np.mean([HARD[k == LABEL].mean() for k in range(LABELS)])
    found = reported({"label_balanced": True}, "loss/label")
    assert found == pytest.approx(expected, rel=1e-5)


# One adversary for each class.


def class_wise_losses() -> tuple[Outputs, np.ndarray]:
    """Outputs, and the domain loss of each row in each class's discriminator."""
    outputs = jax.device_get(class_wise_apply(PARAMS, BATCH, ONES, None))
    logs = scipy.special.log_softmax(
        np.asarray(outputs.domain_logits["speaker"], np.float64), -1
    )
    ids = np.maximum(SPEAKER, 0)[..., None, None]
    return outputs, -np.take_along_axis(logs, ids, -1)[..., 0]


def test_a_row_is_judged_by_the_discriminator_of_its_class() -> None:
    outputs, losses = class_wise_losses()
    rows = LABELLED & (SPEAKER != UNKNOWN)
    own = np.take_along_axis(losses, np.maximum(LABEL, 0)[..., None], -1)[..., 0]
    found = jax.jit(class_wise_dann())(outputs, BATCH, ONES)[1]["loss/speaker"]
    np.testing.assert_allclose(found, own[rows].mean(), rtol=1e-5)


def test_unlabelled_rows_are_judged_as_far_as_they_are_of_the_class() -> None:
    outputs, losses = class_wise_losses()
    weight = np.where(LABELLED[..., None], np.eye(LABELS)[LABEL], CHANCES)
    weight = weight[SPEAKER != UNKNOWN]
    expected = (weight * losses[SPEAKER != UNKNOWN]).sum() / weight.sum()
    found = class_wise_dann(unlabelled=True)(outputs, BATCH, ONES)[1]["loss/speaker"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_discriminators_of_other_classes_learn_nothing_from_a_row() -> None:
    outputs, _ = class_wise_losses()
    loss = lambda o: class_wise_dann()(o, BATCH, ONES)[0]  # noqa: E731
    gradient = jax.jit(jax.grad(loss))(outputs)
    touched = np.any(gradient.domain_logits["speaker"] != 0, -1)
    rows = LABELLED & (SPEAKER != UNKNOWN)
    expected = rows[..., None] & (LABEL[..., None] == np.arange(LABELS))
    np.testing.assert_array_equal(touched, expected)


def test_domains_count_alike_within_each_class() -> None:
    outputs, losses = class_wise_losses()
    means = [
        losses[(k == LABEL) & (d == SPEAKER), k].mean()
        for k in range(LABELS)
        for d in range(DOMAINS["speaker"])
        if ((k == LABEL) & (d == SPEAKER)).any()
    ]
    objective = class_wise_dann(balance="domains")
    found = objective(outputs, BATCH, ONES)[1]["loss/speaker"]
    np.testing.assert_allclose(found, np.mean(means), rtol=1e-5)


@pytest.mark.parametrize("balance", ["rows", "domains"])
def test_a_plain_head_beside_a_class_wise_one_is_that_of_dann(balance: str) -> None:
    outputs, _ = class_wise_losses()
    gender = OUTPUTS.domain_logits["gender"]
    mixed = outputs._replace(domain_logits={**outputs.domain_logits, "gender": gender})
    found = class_wise_dann(balance=balance)(mixed, BATCH, ONES)[1]
    expected = dann(balance=balance)(OUTPUTS, BATCH, ONES)[1]
    np.testing.assert_allclose(found["loss/gender"], expected["loss/gender"])
    alone = class_wise_dann(balance=balance)(outputs, BATCH, ONES)[1]
    np.testing.assert_allclose(found["loss/speaker"], alone["loss/speaker"])


def test_an_unknown_balance_is_refused() -> None:
    with pytest.raises(ValueError, match="rows, domains"):
        class_wise_dann(balance="classes")


def test_class_wise_objectives_need_class_wise_heads() -> None:
    with pytest.raises(ValueError, match="name it in the network's class_wise"):
        class_wise_dann()(OUTPUTS, BATCH, ONES)


# Penalties with a strength of their own.


def label_loss(rows: np.ndarray) -> float:
    return HARD[LABELLED & rows].mean()


def test_labels_of_some_domains_take_the_place_of_others() -> None:
    source, target = SPEAKER == 0, np.isin(SPEAKER, [1, 2])
    everything = label_loss(np.ones_like(LABELLED))
    assert penalty_of("labels_of", domains=(0,)) == pytest.approx(
        label_loss(source) - everything, rel=1e-4
    )
    assert penalty_of("labels_of", domains=(1, 2), instead_of=(0,)) == pytest.approx(
        label_loss(target) - label_loss(source), rel=1e-4
    )


@pytest.mark.parametrize("late", [0.0, 0.25, 1.0])
def test_fine_tuning_goes_from_the_labels_of_the_source_to_those_of_the_target(
    late: float,
) -> None:
    penalties = {
        "source_alone": {"name": "labels_of", "on": "speaker", "domains": (0,)},
        "fine_tuning": {
            **{"name": "labels_of", "on": "speaker"},
            **{"domains": (1, 2), "instead_of": (0,)},
        },
    }
    objective = penalised(source_only(), penalties)
    strength = ONES | {"source_alone": 1.0, "fine_tuning": late}
    loss, metrics = objective(OUTPUTS, BATCH, strength)
    source, target = label_loss(SPEAKER == 0), label_loss(np.isin(SPEAKER, [1, 2]))
    assert float(loss) == pytest.approx((1 - late) * source + late * target, rel=1e-4)
    assert {"source_alone/speaker", "fine_tuning/speaker"} < {*metrics}
    # Source-only in the strict sense: other labels have no influence at all.
    if not late:
        changed = np.where(SPEAKER == 0, LABEL, (LABEL + 1) % LABELS)
        changed = np.where(LABELLED, changed, UNKNOWN).astype(np.int32)
        again, _ = objective(OUTPUTS, BATCH._replace(label=changed), strength)
        assert float(again) == pytest.approx(float(loss), rel=1e-5)


def test_a_penalty_on_an_adversary_goes_by_its_own_strength() -> None:
    objective = penalised(source_only(), {"coral": {"on": "gender", "weight": 3.0}})
    base = float(source_only()(OUTPUTS, BATCH, ONES)[0])
    value = float(PENALTIES["coral"]()(OUTPUTS, BATCH, "gender"))
    for own in (0.0, 0.5):
        loss, metrics = objective(OUTPUTS, BATCH, ONES | {"coral": own})
        assert float(loss) == pytest.approx(base + 3.0 * own * value, rel=1e-5)
        assert "coral/speaker" not in metrics


def test_the_names_of_own_strengths_are_the_words_of_what_is_on_an_adversary() -> None:
    penalties = {"tuned": {"name": "labels_of", "on": "speaker"}, "coral": {}}
    assert penalty_strength_names({"name": "dann"}) == ()
    assert penalty_strength_names({"name": "dann", "penalties": penalties}) == (
        "tuned",
    )
    options = {"name": "confusion", "on": "speaker", "penalties": penalties}
    assert penalty_strength_names(options) == ("confusion", "tuned")


# Regression.


def ccc(x: np.ndarray, y: np.ndarray) -> float:
    covariance = np.cov(x, y, bias=True)
    spread = covariance[0, 0] + covariance[1, 1] + (x.mean() - y.mean()) ** 2
    return 2.0 * covariance[0, 1] / spread


def test_regression_is_one_minus_the_mean_concordance_of_the_known() -> None:
    expected = np.mean(
        [ccc(LOGITS[LABELLED, k], BATCH.value[LABELLED, k]) for k in range(LABELS)]
    )
    loss, metrics = jax.jit(regression())(OUTPUTS, BATCH, ONES)
    np.testing.assert_allclose(loss, 1.0 - expected, rtol=1e-4)
    np.testing.assert_allclose(metrics["ccc/label"], expected, rtol=1e-4)


def test_an_attribute_that_no_row_has_is_left_out() -> None:
    value = BATCH.value.copy()
    value[..., 1] = np.nan
    loss = regression()(OUTPUTS, BATCH._replace(value=value), ONES)[0]
    expected = 1.0 - ccc(LOGITS[LABELLED, 0], BATCH.value[LABELLED, 0])
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_regression_has_the_adversaries_of_dann() -> None:
    found = ccc_regression()(OUTPUTS, BATCH, ONES)
    for name in DOMAINS:
        assert found[1][f"loss/{name}"] == pytest.approx(
            reported({}, f"loss/{name}"), rel=1e-6
        )
    total = sum(found[1][f"loss/{part}"] for part in ("label", *DOMAINS))
    np.testing.assert_allclose(found[0], total, rtol=1e-6)
    assert jnp.isfinite(found[0])
