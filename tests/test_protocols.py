"""Protocols: who is trained on and tested, and what is refused."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import LABELS, assert_trees_equal, network_params, toy_corpus

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.models.network import Dann, DialogueEncoder, as_apply
from dann_jax.objectives import dann
from dann_jax.tasks.batches import training_assembler
from dann_jax.tasks.domains import domain_ids
from dann_jax.tasks.guards import require_disjoint
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import (
    ProtocolError,
    Split,
    fixed_split,
    group_k_fold,
    leave_one_out,
    ordered_pairs,
)
from dann_jax.tasks.standardise import fit_standardiser
from dann_jax.types import UNKNOWN, Batch, PyTree

CORPUS = toy_corpus()
SPEAKER, EMOTION = CORPUS.columns["speaker"], CORPUS.columns["emotion"]
KNOWN = np.isin(EMOTION, LABELS)
POOLS = ((), ("other",), ("test",), ("other", "test"))

splits_of = pytest.mark.parametrize(
    "splits",
    [
        leave_one_out(CORPUS, "speaker"),
        leave_one_out(CORPUS, "session"),
        group_k_fold(CORPUS, "speaker", 3),
        fixed_split(CORPUS, "session", ["s0", "s1"], ["s2"]),
        fixed_split(CORPUS, "corpus", ["west"], ["east"]),
    ],
    ids=["speaker-out", "session-out", "k-groups", "fixed", "source-target"],
)


def protocol_of(
    splits: Sequence[Split], corpus: Corpus = CORPUS, **options: object
) -> Protocol:
    options = {"name": "toy", "labels": LABELS, "validation_folds": 0, **options}
    return assign_roles(corpus, splits, **options)


def with_column(name: str, values: np.ndarray) -> Corpus:
    return dataclasses.replace(CORPUS, columns={**CORPUS.columns, name: values})


@pytest.mark.parametrize("column", ["speaker", "session"])
def test_leave_one_out_tests_every_labelled_utterance_exactly_once(column: str) -> None:
    splits = leave_one_out(CORPUS, column)
    values = CORPUS.columns[column]
    assert [name for name, *_ in splits] == [f"{column} {v}" for v in np.unique(values)]
    for (_, train, test, _), left_out in zip(splits, np.unique(values), strict=True):
        np.testing.assert_array_equal(test, values == left_out)
        np.testing.assert_array_equal(train, ~test)
    roles = protocol_of(splits).roles
    np.testing.assert_array_equal((roles == Role.TEST).sum(0), KNOWN)


@pytest.mark.parametrize("k", [2, 3, 6])
def test_group_k_fold_tests_every_utterance_once_and_never_splits_a_group(
    k: int,
) -> None:
    splits = group_k_fold(CORPUS, "speaker", k)
    tested = np.stack([split.test for split in splits])
    assert len(splits) == len({name for name, *_ in splits}) == k
    np.testing.assert_array_equal(tested.sum(0), 1)
    for _, train, test, _ in splits:
        np.testing.assert_array_equal(train, ~test)
        assert not set(SPEAKER[train]) & set(SPEAKER[test])


def test_source_to_target_trains_on_the_source_and_tests_on_the_target() -> None:
    ((name, train, test, _),) = fixed_split(CORPUS, "corpus", ["west"], ["east"])
    assert name == "west -> east"
    np.testing.assert_array_equal(train, CORPUS.columns["corpus"] == "west")
    np.testing.assert_array_equal(test, CORPUS.columns["corpus"] == "east")


def test_ordered_pairs_train_on_each_value_and_test_on_each_other() -> None:
    splits = ordered_pairs(CORPUS, "session")
    names = {"s0 -> s1", "s0 -> s2", "s1 -> s0", "s1 -> s2", "s2 -> s0", "s2 -> s1"}
    assert {split.name for split in splits} == names
    for name, train, test, adapt in splits:
        source, target = name.split(" -> ")
        np.testing.assert_array_equal(train, CORPUS.columns["session"] == source)
        np.testing.assert_array_equal(test, CORPUS.columns["session"] == target)
        assert not adapt.any()


def test_rows_set_aside_for_adaptation_are_seen_unlabelled_and_not_scored() -> None:
    (split,) = ordered_pairs(CORPUS, "corpus", ["west", "east"], "speaker")[:1]
    target = CORPUS.columns["corpus"] == "east"
    assert not set(SPEAKER[split.adapt]) & set(SPEAKER[split.test])
    np.testing.assert_array_equal(split.adapt | split.test, target)
    for pools, role in (((), Role.HELD_OUT), (("adapt",), Role.UNLABELLED)):
        protocol = protocol_of([split], unlabelled=pools)
        assert set(protocol.roles[0, split.adapt]) == {role}
        assert not protocol.transductive
        ids, _ = domain_ids(protocol, CORPUS, column="corpus", unlabelled=pools)
        np.testing.assert_array_equal(
            ids[0] != UNKNOWN,
            (protocol.roles[0] == Role.LABELLED) | (split.adapt & bool(pools)),
        )


def test_one_value_makes_no_pair() -> None:
    with pytest.raises(ProtocolError, match="two values"):
        ordered_pairs(CORPUS, "session", ["s0"])


def test_a_copy_of_a_tested_recording_is_held_out_of_training() -> None:
    hashes = np.array([f"h{row}" for row in range(len(CORPUS))])
    splits = leave_one_out(CORPUS, "session")
    train = np.flatnonzero(splits[0].train & KNOWN)
    test = np.flatnonzero(splits[0].test & KNOWN)
    hashes[train[0]] = hashes[test[0]]
    # Rows of unknown hash are not copies of one another.
    hashes[[train[1], test[1]]] = ""
    roles = protocol_of(splits, with_column("audio_hash", hashes)).roles
    expected = protocol_of(splits).roles.copy()
    expected[0, train[0]] = Role.HELD_OUT
    copied = [f for f, s in enumerate(splits) if s.test[train[0]]]
    expected[copied, test[0]] = Role.HELD_OUT
    np.testing.assert_array_equal(roles, expected)


def test_rows_outside_a_fixed_split_take_no_part() -> None:
    protocol = protocol_of(
        fixed_split(CORPUS, "session", ["s0"], ["s2"]), unlabelled=("other", "test")
    )
    outside = CORPUS.columns["session"] == "s1"
    assert (protocol.roles[0, outside] == Role.HELD_OUT).all()


@pytest.mark.parametrize("pools", POOLS, ids=lambda pools: "+".join(pools) or "none")
@splits_of
def test_roles_follow_from_split_label_and_pools(
    splits: list[Split], pools: tuple[str, ...]
) -> None:
    protocol = protocol_of(splits, unlabelled=pools)
    assert protocol.transductive == ("test" in pools)
    others = Role.UNLABELLED if "other" in pools else Role.HELD_OUT
    test_others = Role.UNLABELLED if "test" in pools else Role.HELD_OUT
    for fold, (name, train, test, _) in enumerate(splits):
        roles = protocol.roles[fold]
        assert protocol.folds[fold] == name
        assert set(roles[train & KNOWN]) == {Role.LABELLED}
        assert set(roles[train & ~KNOWN]) == {others}
        assert set(roles[test & KNOWN]) == {Role.TEST}
        assert set(roles[test & ~KNOWN]) == {test_others}


@pytest.mark.parametrize("pools", POOLS, ids=lambda pools: "+".join(pools) or "none")
def test_training_sees_test_rows_only_if_transductive(pools: tuple[str, ...]) -> None:
    splits = leave_one_out(CORPUS, "session")
    protocol = protocol_of(splits, unlabelled=pools, validation_folds=4)
    visible = protocol.visible()
    assert visible[protocol.roles == Role.LABELLED].all()
    assert visible[protocol.roles == Role.UNLABELLED].all()
    assert not visible[protocol.roles == Role.HELD_OUT].any()
    for role in (Role.TEST, Role.VALIDATION):
        assert set(visible[protocol.roles == role]) == {"test" in pools}


@splits_of
def test_erased_labels_are_there_for_labelled_rows_and_for_no_other(
    splits: list[Split],
) -> None:
    pools = ("other", "test")
    protocol = protocol_of(splits, unlabelled=pools, validation_folds=2)
    assert set(np.unique(protocol.roles)) >= {Role.VALIDATION, Role.TEST}
    erased = protocol.erased_labels()
    labelled = protocol.roles == Role.LABELLED
    assert (erased[~labelled] == UNKNOWN).all()
    for fold, rows in enumerate(labelled):
        words = np.array(LABELS)[erased[fold, rows]]
        np.testing.assert_array_equal(words, EMOTION[rows])


@pytest.mark.parametrize("column", ["speaker", "session", "dialogue"])
@pytest.mark.parametrize("seed", range(3))
def test_validation_shares_no_group_with_labelled_rows(column: str, seed: int) -> None:
    # Source to target: with sessions left out there would be two training groups.
    splits = fixed_split(CORPUS, "corpus", ["west"], ["east"])
    protocol = protocol_of(
        splits, validation_column=column, validation_folds=2, seed=seed
    )
    groups, roles = CORPUS.columns[column], protocol.roles[0]
    validation = set(groups[roles == Role.VALIDATION])
    assert validation
    assert not validation & set(groups[roles == Role.LABELLED])
    # It is taken from the training side and leaves the test side alone.
    _, train, test, _ = splits[0]
    assert train[roles == Role.VALIDATION].all()
    np.testing.assert_array_equal(roles == Role.TEST, test & KNOWN)


def test_validation_groups_depend_on_the_seed_alone() -> None:
    splits = leave_one_out(CORPUS, "session")

    def drawn(seed: int) -> np.ndarray:
        return protocol_of(splits, validation_folds=4, seed=seed).roles

    np.testing.assert_array_equal(drawn(3), drawn(3))
    assert any((drawn(0) != drawn(seed)).any() for seed in range(1, 5))


@pytest.mark.parametrize("folds", [1, 5, 100])
def test_more_validation_folds_than_training_groups_are_refused(folds: int) -> None:
    with pytest.raises(ProtocolError, match="validation_folds"):
        protocol_of(leave_one_out(CORPUS, "session"), validation_folds=folds)


def test_a_protocol_that_tests_labelled_speakers_is_refused_by_name() -> None:
    splits = leave_one_out(CORPUS, "dialogue")
    with pytest.raises(ProtocolError) as refusal:
        protocol_of(splits)
    for word in ("s0f", "s0m", "'speaker'", "allowed_leaks", "dialogue s0d0"):
        assert word in str(refusal.value)


def test_an_allowed_leak_passes_and_is_recorded() -> None:
    splits = leave_one_out(CORPUS, "speaker")
    assert protocol_of(splits).allowed_leaks == ()
    with pytest.raises(ProtocolError, match="'session'"):
        protocol_of(splits, disjoint=("speaker", "session"))
    protocol = protocol_of(
        splits, disjoint=("speaker", "session"), allowed_leaks=("session",)
    )
    assert protocol.allowed_leaks == ("session",)
    require_disjoint(protocol, CORPUS, "speaker")
    with pytest.raises(ProtocolError, match="'session'"):
        require_disjoint(protocol, CORPUS, "session")


def test_one_shared_speaker_is_enough_to_be_refused() -> None:
    speakers = SPEAKER.copy()
    first = np.flatnonzero((CORPUS.columns["session"] == "s2") & KNOWN)[0]
    speakers[first] = "s0f"
    corpus = with_column("speaker", speakers)
    with pytest.raises(ProtocolError, match=r"1 values of 'speaker'.*\(s0f\)"):
        protocol_of(fixed_split(corpus, "session", ["s0", "s1"], ["s2"]), corpus)


def test_a_class_that_no_labelled_row_has_is_refused_by_name() -> None:
    with pytest.raises(ProtocolError, match=r"labelled.*boredom"):
        protocol_of(leave_one_out(CORPUS, "session"), labels=(*LABELS, "boredom"))
    # It may be there, and yet not on the training side.
    emotions = np.where(CORPUS.columns["session"] == "s0", "joy", EMOTION)
    corpus = with_column("emotion", emotions)
    with pytest.raises(ProtocolError, match=r"s0 -> s1.*labelled.*anger"):
        protocol_of(fixed_split(corpus, "session", ["s0"], ["s1"]), corpus)


def test_a_class_that_is_not_tested_is_allowed_but_not_a_fold_without_tests() -> None:
    test_session = CORPUS.columns["session"] == "s2"
    split = fixed_split(CORPUS, "session", ["s0", "s1"], ["s2"])
    only_joy = with_column("emotion", np.where(test_session, "joy", EMOTION))
    assert (protocol_of(split, only_joy).roles == Role.TEST).any()
    nothing = with_column("emotion", np.where(test_session, "other", EMOTION))
    with pytest.raises(ProtocolError, match="no test utterance"):
        protocol_of(split, nothing)


def test_one_speaker_cannot_be_left_out() -> None:
    corpus = with_column("speaker", np.full(len(CORPUS), "ann"))
    for make in (
        lambda: leave_one_out(corpus, "speaker"),
        lambda: group_k_fold(corpus, "speaker", 2),
    ):
        with pytest.raises(ProtocolError, match="has 1: ann"):
            make()


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(ProtocolError, match="at least 7"):
        group_k_fold(CORPUS, "speaker", 7)


@pytest.mark.parametrize("pool", ["tset", "validation"])
def test_an_unknown_pool_is_refused_and_the_pools_are_named(pool: str) -> None:
    with pytest.raises(ProtocolError, match=rf"{pool}.*other.*test"):
        protocol_of(leave_one_out(CORPUS, "session"), unlabelled=(pool,))


def test_unknown_values_and_columns_are_refused_with_what_there_is() -> None:
    with pytest.raises(ProtocolError, match=r"north.*east.*west"):
        fixed_split(CORPUS, "corpus", ["north"], ["east"])
    with pytest.raises(ProtocolError):
        fixed_split(CORPUS, "corpus", [], ["east"])
    with pytest.raises(CorpusError, match=r"accent.*speaker"):
        leave_one_out(CORPUS, "accent")


def test_domain_ids_name_the_values_of_the_column_in_every_fold() -> None:
    protocol = protocol_of(leave_one_out(CORPUS, "session"), unlabelled=("test",))
    ids, count = domain_ids(protocol, CORPUS, column="speaker")
    assert count == len(np.unique(SPEAKER)) and ids.dtype == np.int32
    for fold, seen in enumerate(protocol.visible()):
        assert (ids[fold, ~seen] == UNKNOWN).all()
        np.testing.assert_array_equal(
            np.unique(SPEAKER)[ids[fold, seen]], SPEAKER[seen]
        )


@pytest.mark.parametrize("pools", POOLS, ids=lambda pools: "+".join(pools) or "none")
def test_only_the_named_pools_of_unlabelled_rows_take_part(
    pools: tuple[str, ...],
) -> None:
    splits = leave_one_out(CORPUS, "session")
    protocol = protocol_of(splits, unlabelled=("other", "test"), validation_folds=4)
    ids, _ = domain_ids(protocol, CORPUS, column="speaker", unlabelled=pools)
    for fold, (_, train, test, _) in enumerate(splits):
        roles = protocol.roles[fold]
        expected = roles == Role.LABELLED
        if "other" in pools:
            expected |= train & (roles == Role.UNLABELLED)
        if "test" in pools:
            expected |= test | (roles == Role.VALIDATION)
        np.testing.assert_array_equal(ids[fold] != UNKNOWN, expected)


def test_what_training_may_not_see_is_in_no_domain_whatever_pools_are_named() -> None:
    protocol = protocol_of(leave_one_out(CORPUS, "session"), validation_folds=4)
    ids, _ = domain_ids(
        protocol, CORPUS, column="speaker", unlabelled=("other", "test")
    )
    np.testing.assert_array_equal(ids != UNKNOWN, protocol.roles == Role.LABELLED)


def test_the_role_adversary_tells_labelled_rows_from_all_others_it_may_see() -> None:
    protocol = protocol_of(leave_one_out(CORPUS, "session"), unlabelled=("test",))
    ids, count = domain_ids(protocol, CORPUS, column="role")
    assert count == 2
    np.testing.assert_array_equal(ids == 0, protocol.roles == Role.LABELLED)
    np.testing.assert_array_equal(ids == UNKNOWN, ~protocol.visible())


def test_a_row_whose_value_is_not_known_belongs_to_no_domain() -> None:
    gender = CORPUS.columns["gender"].copy()
    gender[::4] = ""
    corpus = with_column("gender", gender)
    protocol = protocol_of(
        leave_one_out(corpus, "session"), corpus, unlabelled=("other", "test")
    )
    ids, count = domain_ids(protocol, corpus, column="gender")
    assert count == 2
    np.testing.assert_array_equal(ids[0] == UNKNOWN, gender == "")
    np.testing.assert_array_equal(ids[0] == 1, gender == "m")


def test_an_adversary_with_nothing_to_tell_apart_is_refused() -> None:
    corpus = with_column("gender", np.full(len(CORPUS), "f"))
    protocol = protocol_of(leave_one_out(corpus, "session"), corpus)
    with pytest.raises(ProtocolError, match="nothing to classify"):
        domain_ids(protocol, corpus, column="gender")
    with pytest.raises(ProtocolError, match="other, adapt, test"):
        domain_ids(protocol, CORPUS, column="speaker", unlabelled=("all",))


# Leave one speaker out of two-person dialogues: one dialogue, two roles.

MODULE = Dann(
    DialogueEncoder(4, heads=1, dropout=0.0),
    num_labels=len(LABELS),
    num_domains={"speaker": 6},
    domain_hidden=(),
    head_dropout=0.0,
)


@cache
def loss_and_gradient() -> Callable:
    apply, objective = as_apply(MODULE), dann()

    def loss(params: PyTree, batch: Batch) -> jax.Array:
        return objective(apply(params, batch, {"speaker": 1.0}, None), batch, {})[0]

    return jax.jit(jax.value_and_grad(loss))


def learned_from(corpus: Corpus, pools: tuple[str, ...]) -> tuple[jax.Array, PyTree]:
    """Loss and gradient of one training batch of the fold that tests speaker s0f."""
    protocol = protocol_of(leave_one_out(corpus, "speaker"), corpus, unlabelled=pools)
    domain, _ = domain_ids(protocol, corpus, column="speaker")
    assembler = training_assembler(
        corpus, protocol, {"speaker": domain}, fit_standardiser(corpus, protocol)
    )
    batch = assembler(np.arange(4)[None], 16, [0])
    batch = jax.tree.map(lambda leaf: leaf[0], batch)
    # Both people of the session are in the batch.
    assert {"s0f", "s0m"} == set(SPEAKER[batch.row[batch.row != UNKNOWN]])
    return loss_and_gradient()(network_params(MODULE, batch), batch)


def changed_features(rows: np.ndarray, value: float) -> Corpus:
    features = {
        name: np.where(rows[:, None], np.float32(value), array)
        for name, array in CORPUS.features.items()
    }
    return dataclasses.replace(CORPUS, features=features)


@pytest.mark.parametrize("value", [100.0, np.nan])
@pytest.mark.parametrize("pools", [(), ("other",)], ids=["none", "other"])
def test_training_cannot_hear_the_held_out_person_of_a_shared_dialogue(
    pools: tuple[str, ...], value: float
) -> None:
    loss, gradient = learned_from(changed_features(SPEAKER == "s0f", value), pools)
    before, gradient_before = learned_from(CORPUS, pools)
    assert jnp.isfinite(loss) and loss == before
    assert_trees_equal(gradient, gradient_before)


def test_transductive_training_does_hear_the_held_out_person() -> None:
    corpus = changed_features(SPEAKER == "s0f", 5.0)
    assert learned_from(corpus, ("test",))[0] != learned_from(CORPUS, ("test",))[0]
