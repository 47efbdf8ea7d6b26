"""Batches: every dialogue once an epoch, the same at every restart, no leak."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from corpora_and_batches import LABELS, LENGTHS, assert_trees_equal, toy_corpus

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.batches import (
    Assembler,
    evaluation_assembler,
    training_assembler,
)
from dann_jax.tasks.domains import domain_ids
from dann_jax.tasks.plan import Plan, length_buckets
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import fixed_split, leave_one_out
from dann_jax.tasks.standardise import fit_standardiser
from dann_jax.training.batch_loader import prefetched
from dann_jax.types import UNKNOWN, Batch

CORPUS = toy_corpus()
DIALOGUES = CORPUS.dialogues()


def protocol_of(corpus: Corpus) -> Protocol:
    return assign_roles(
        corpus,
        leave_one_out(corpus, "session"),
        name="toy",
        labels=LABELS,
        unlabelled=("test",),
        validation_folds=4,
    )


def assembler_of(
    corpus: Corpus,
    make: Callable = training_assembler,
    protocol: Protocol | None = None,
) -> Assembler:
    protocol = protocol or protocol_of(corpus)
    domain = {"speaker": domain_ids(protocol, corpus, column="speaker")[0]}
    return make(corpus, protocol, domain, fit_standardiser(corpus, protocol))


def random_plan(seed: int = 0, folds: int = 3, batch_size: int = 4) -> Plan:
    """Folds of quite different sizes, dialogues of quite different lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 40, 30)
    members = rng.random((folds, 30)) < np.linspace(0.3, 0.9, folds)[:, None]
    return Plan(lengths, members, batch_size, length_buckets(lengths, 3))


def epoch_of(plan: Plan, epoch: int, fold: int, seed: int) -> list[np.ndarray]:
    steps = range(epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)
    return [plan.batch(step, fold, seed)[0] for step in steps]


def batches_of(corpus: Corpus, steps: range, seed: int = 0) -> list[Batch]:
    """Training batches of all three folds, as a run would see them."""
    assembler = assembler_of(corpus)
    members = np.ones((3, len(DIALOGUES)), bool)
    lengths = np.array([len(turns) for turns in DIALOGUES])
    plan = Plan(lengths, members, 5, length_buckets(lengths, 2))
    made = []
    for step in steps:
        chosen = [plan.batch(step, fold, seed) for fold in range(3)]
        dialogues = np.stack([dialogues for dialogues, _ in chosen])
        made.append(assembler(dialogues, chosen[0][1], range(3)))
    return made


@pytest.mark.parametrize("num_buckets", [1, 2, 3, 8])
@pytest.mark.parametrize("multiple", [1, 8])
def test_buckets_rise_hold_every_dialogue_and_are_multiples(
    num_buckets: int, multiple: int
) -> None:
    lengths = np.random.default_rng(num_buckets).integers(1, 60, 25)
    buckets = length_buckets(lengths, num_buckets, multiple=multiple)
    assert 1 <= len(buckets) <= num_buckets
    assert list(buckets) == sorted(set(buckets))
    assert all(bucket % multiple == 0 for bucket in buckets[:-1])
    assert lengths.max() <= buckets[-1] < lengths.max() + multiple


def test_buckets_lie_at_the_quantiles() -> None:
    assert length_buckets(np.array([3, 9, 10, 30]), 2, multiple=1) == (9, 30)
    assert length_buckets(np.arange(1, 101), 4, multiple=1) == (25, 50, 75, 100)


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("fold", [0, 1, 2])
def test_every_epoch_goes_once_through_every_member(fold: int, seed: int) -> None:
    plan = random_plan()
    for epoch in range(3):
        seen = np.concatenate(epoch_of(plan, epoch, fold, seed))
        np.testing.assert_array_equal(
            np.sort(seen[seen != UNKNOWN]), np.flatnonzero(plan.members[fold])
        )


def test_all_streams_have_the_same_shape_at_each_step_and_every_dialogue_fits() -> None:
    plan = random_plan()
    lengths = set()
    for step in range(2 * plan.steps_per_epoch):
        streams = [
            plan.batch(step, fold, seed) for fold in range(3) for seed in range(2)
        ]
        assert {dialogues.shape for dialogues, _ in streams} == {(4,)}
        (length,) = {length for _, length in streams}
        lengths.add(length)
        for dialogues, _ in streams:
            assert (plan.lengths[dialogues[dialogues != UNKNOWN]] <= length).all()
    assert lengths == set(plan.buckets)


def test_no_dialogue_is_padded_further_than_its_bucket() -> None:
    plan = random_plan()
    for step in range(plan.steps_per_epoch):
        dialogues, length = plan.batch(step, 2, 0)
        smaller = [bucket for bucket in plan.buckets if bucket < length]
        chosen = plan.lengths[dialogues[dialogues != UNKNOWN]]
        assert (chosen > max(smaller, default=0)).all()


def test_batches_depend_on_seed_fold_and_epoch_and_on_nothing_else() -> None:
    # The second plan is a fresh one: nothing is remembered.
    plan, again = random_plan(), random_plan()
    members = np.ones_like(plan.members)
    plan, again = (dataclasses.replace(p, members=members) for p in (plan, again))
    epoch = epoch_of(plan, 1, 0, 0)
    np.testing.assert_array_equal(epoch, epoch_of(again, 1, 0, 0))
    others = [epoch_of(plan, 1, 0, 1), epoch_of(plan, 1, 1, 0), epoch_of(plan, 2, 0, 0)]
    for other in others:
        assert not np.array_equal(epoch, other)


def test_without_shuffling_dialogues_come_in_order() -> None:
    plan = random_plan()
    one = [
        plan.batch(step, 1, 0, shuffle=False) for step in range(plan.steps_per_epoch)
    ]
    two = [
        plan.batch(step + plan.steps_per_epoch, 1, 5, shuffle=False)
        for step in range(plan.steps_per_epoch)
    ]
    for (a, length), (b, other) in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
        assert length == other
    assert [length for _, length in one] == sorted(length for _, length in one)


def test_a_batch_is_the_same_wherever_the_run_started() -> None:
    whole = batches_of(CORPUS, range(8))
    assert_trees_equal(batches_of(CORPUS, range(5, 8)), whole[5:])


def test_rows_features_and_domains_are_those_of_the_turns_in_order() -> None:
    protocol = protocol_of(CORPUS)
    standardiser = fit_standardiser(CORPUS, protocol)
    chosen, folds = np.array([[2, UNKNOWN], [5, 0]]), [0, 2]
    batch = assembler_of(CORPUS)(chosen, 16, folds)
    assert batch.row.shape == (2, 2, 16)
    for stream_, place in np.ndindex(2, 2):
        dialogue = chosen[stream_, place]
        turns = DIALOGUES[dialogue] if dialogue != UNKNOWN else np.array([], int)
        row = batch.row[stream_, place]
        np.testing.assert_array_equal(row[: len(turns)], turns)
        assert (row[len(turns) :] == UNKNOWN).all()
        if not len(turns):
            continue
        times = CORPUS.columns["turn"][turns].astype(int)
        np.testing.assert_array_equal(times, np.arange(len(turns)))
        fold, here = folds[stream_], (stream_, place, slice(0, len(turns)))
        np.testing.assert_array_equal(
            batch.visible[here], protocol.visible()[fold, turns]
        )
        np.testing.assert_array_equal(batch.party[here], times % 2)
        speakers = np.unique(CORPUS.columns["speaker"])
        shown = batch.visible[here]
        np.testing.assert_array_equal(
            speakers[batch.domain["speaker"][here][shown]],
            CORPUS.columns["speaker"][turns][shown],
        )
        for name, (mean, scale) in standardiser.items():
            there = CORPUS.present[name][turns] & shown
            np.testing.assert_array_equal(batch.present[name][here], there)
            expected = (CORPUS.features[name][turns] - mean[fold]) / scale[fold]
            np.testing.assert_allclose(
                batch.inputs[name][here],
                np.where(there[:, None], expected, 0),
                rtol=1e-6,
            )


def test_padding_rows_are_unknown_invisible_and_empty() -> None:
    for batch in batches_of(CORPUS, range(4)):
        padding = batch.row == UNKNOWN
        assert padding.any()
        assert (batch.label[padding] == UNKNOWN).all()
        assert (batch.domain["speaker"][padding] == UNKNOWN).all()
        assert not batch.visible[padding].any()
        assert (batch.party[padding] == 0).all()
        for name, x in batch.inputs.items():
            assert not batch.present[name][padding].any()
            assert (x[padding] == 0).all()


def test_what_is_invisible_or_missing_is_zero_not_nan() -> None:
    assert np.isnan(CORPUS.features["text"]).any()
    for batch in batches_of(CORPUS, range(4)):
        for name, x in batch.inputs.items():
            assert x.dtype == np.float32 and np.isfinite(x).all()
            assert (x[~batch.present[name]] == 0).all()
            assert not (batch.present[name] & ~batch.visible).any()


def test_training_batches_hold_the_labels_of_labelled_rows_and_no_other() -> None:
    protocol = protocol_of(CORPUS)
    labelled = 0
    for batch in batches_of(CORPUS, range(6)):
        for fold in range(3):
            row, label = batch.row[fold], batch.label[fold]
            roles = np.where(row == UNKNOWN, Role.HELD_OUT, protocol.roles[fold, row])
            np.testing.assert_array_equal(label != UNKNOWN, roles == Role.LABELLED)
            known = label != UNKNOWN
            np.testing.assert_array_equal(
                np.array(LABELS)[label[known]], CORPUS.columns["emotion"][row[known]]
            )
            labelled += known.sum()
    assert labelled > 0


@pytest.mark.parametrize(
    "pools", [(), ("other",), ("test",), ("other", "test")], ids="+".join
)
def test_no_training_batch_changes_when_the_labels_of_the_test_side_are_shuffled(
    pools: tuple[str, ...],
) -> None:
    emotion = CORPUS.columns["emotion"].copy()
    tested = CORPUS.columns["session"] == "s2"
    emotion[tested] = np.random.default_rng(0).permutation(emotion[tested])
    assert (emotion != CORPUS.columns["emotion"]).any()
    shuffled = dataclasses.replace(
        CORPUS, columns={**CORPUS.columns, "emotion": emotion}
    )

    def batch(corpus: Corpus) -> Batch:
        protocol = assign_roles(
            corpus,
            fixed_split(corpus, "session", ["s0", "s1"], ["s2"]),
            name="toy",
            labels=LABELS,
            unlabelled=pools,
            validation_folds=4,
        )
        made = assembler_of(corpus, protocol=protocol)
        return made(np.arange(len(DIALOGUES))[None], 16, [0])

    assert_trees_equal(batch(shuffled), batch(CORPUS))


def test_no_training_batch_changes_when_validation_labels_are_flipped() -> None:
    protocol = protocol_of(CORPUS)
    dialogues = np.arange(len(DIALOGUES))[None]
    for role in (Role.VALIDATION, Role.TEST):
        for fold, roles in enumerate(protocol.roles):
            label = np.where(roles == role, 1 - protocol.label, protocol.label)
            flipped = dataclasses.replace(protocol, label=label)
            assert_trees_equal(
                assembler_of(CORPUS, protocol=flipped)(dialogues, 16, [fold]),
                assembler_of(CORPUS, protocol=protocol)(dialogues, 16, [fold]),
            )


def test_evaluation_hears_the_whole_dialogue_and_holds_no_label_or_domain() -> None:
    assembler = assembler_of(CORPUS, evaluation_assembler)
    batch = assembler(np.arange(len(DIALOGUES))[None], 16, [0])
    np.testing.assert_array_equal(batch.visible, batch.row != UNKNOWN)
    assert (batch.label == UNKNOWN).all()
    assert set(batch.domain) == {"speaker"}
    assert (batch.domain["speaker"] == UNKNOWN).all()
    heard = batch.row[batch.visible]
    np.testing.assert_array_equal(np.sort(heard), np.arange(len(CORPUS)))


def test_training_and_evaluation_batches_have_the_same_types_and_shapes() -> None:
    dialogues = np.array([[0, 1], [2, UNKNOWN]])
    training, evaluation = (
        assembler_of(CORPUS, make)(dialogues, 16, [0, 1])
        for make in (training_assembler, evaluation_assembler)
    )

    def types(batch: Batch) -> list:
        leaves = [
            *batch.inputs.values(),
            *batch.present.values(),
            *batch.domain.values(),
        ]
        leaves += [batch.visible, batch.party, batch.label, batch.row]
        return [(leaf.dtype, leaf.shape) for leaf in leaves]

    assert types(training) == types(evaluation)
    assert training.label.dtype == training.row.dtype == np.int32


def test_a_dialogue_longer_than_the_batch_is_an_error_not_a_cut() -> None:
    longest = int(np.argmax([len(turns) for turns in DIALOGUES]))
    with pytest.raises(ValueError, match="broadcast"):
        assembler_of(CORPUS)(np.array([[longest]]), max(LENGTHS) - 1, [0])


def test_the_tf_data_stream_yields_what_making_them_directly_does() -> None:
    made: list[int] = []

    def make(step: int) -> Batch:
        made.append(step)
        return batches_of(CORPUS, range(step, step + 1))[0]

    streamed = list(prefetched(make, 3, 7))
    assert {3, 4, 5, 6} == set(made)
    assert_trees_equal(streamed, batches_of(CORPUS, range(3, 7)))
