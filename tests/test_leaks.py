"""Every leak leaks what it says, says so, and changes nothing else."""

import dataclasses

import numpy as np
import pytest
from corpora_and_batches import LABELS, toy_corpus

from benchmarks.studies.leaks import (
    LEAKS,
    balance_source,
    balance_target,
    disjoint_texts,
    duplicate_recordings,
    every_text,
    normalise_over_all,
    select_on_test,
    share_speakers,
    share_texts,
    subsample_target,
)
from dann_jax.data.corpus import Corpus, check
from dann_jax.tasks.guards import require_disjoint
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError, Split, fixed_split, leave_one_out
from dann_jax.tasks.standardise import fit_standardiser
from dann_jax.tasks.task import Task, make_task
from dann_jax.types import UNKNOWN


def acted(seed: int = 0) -> Corpus:
    """Six people say four sentences in each emotion, angry ones twice as often."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{who}", text, emotion, take)
        for who in range(6)
        for text in "abcd"
        for emotion in (*LABELS, "other")
        for take in range(4 if emotion == "anger" else 2)
    ]
    speaker, text, emotion, _ = (np.array(x) for x in zip(*rows, strict=True))
    return check(
        Corpus(
            name="acted",
            columns={
                "utt_id": np.array([f"u{n}" for n in range(len(rows))]),
                "speaker": speaker,
                "text": text,
                "emotion": emotion,
            },
            features={"audio": rng.normal(2.0, 3.0, (len(rows), 3)).astype(np.float32)},
            present={"audio": np.ones(len(rows), bool)},
        )
    )


CORPUS = acted()
OPTIONS = {"name": "toy", "labels": LABELS, "validation_folds": 3}
PROTOCOL = assign_roles(CORPUS, leave_one_out(CORPUS, "speaker"), **OPTIONS)
TRANSDUCTIVE = assign_roles(
    CORPUS, leave_one_out(CORPUS, "speaker"), unlabelled=("test",), **OPTIONS
)


def class_counts(protocol: Protocol, role: Role) -> list[dict]:
    return [
        dict(
            zip(
                *np.unique(protocol.label[own == role], return_counts=True), strict=True
            )
        )
        for own in protocol.roles
    ]


def task_of(protocol: Protocol, corpus: Corpus = CORPUS) -> Task:
    adversary = {"speaker": {"column": "speaker", "unlabelled": ("test",)}}
    return make_task(corpus, protocol, adversary, batch_size=4, num_buckets=1)


def shared(protocol: Protocol, corpus: Corpus, column: str) -> bool:
    try:
        require_disjoint(protocol, corpus, column)
    except ProtocolError:
        return True
    return False


@pytest.mark.parametrize("protocol", [PROTOCOL, TRANSDUCTIVE])
def test_a_random_split_shares_speakers_and_keeps_every_count(
    protocol: Protocol,
) -> None:
    leaky = share_speakers(protocol, seed=0)
    assert not shared(protocol, CORPUS, "speaker")
    assert shared(leaky, CORPUS, "speaker")
    assert leaky.allowed_leaks == ("speaker",)
    for role in Role:
        assert class_counts(leaky, role) == class_counts(protocol, role)
    np.testing.assert_array_equal(
        (leaky.roles == Role.TEST).sum(0), (protocol.roles == Role.TEST).sum(0)
    )
    tests = leaky.roles == Role.TEST
    assert (leaky.test_side[tests]).all()


def test_the_guard_lets_the_leaky_split_pass_by_name_only() -> None:
    roles = share_speakers(PROTOCOL, seed=0).roles
    train, test = roles[0] == Role.LABELLED, roles[0] == Role.TEST
    split = [Split("shuffled", train, test, np.zeros_like(test))]
    options = {**OPTIONS, "validation_folds": 0}
    with pytest.raises(ProtocolError, match="allowed_leaks"):
        assign_roles(CORPUS, split, **options)
    allowed = assign_roles(CORPUS, split, allowed_leaks=("speaker",), **options)
    assert allowed.allowed_leaks == ("speaker",)


def test_copies_of_test_rows_are_labelled_in_the_fold_that_tests_them() -> None:
    corpus, leaky = duplicate_recordings(CORPUS, PROTOCOL, share=0.25, seed=0)
    check(corpus)
    rows, added = len(CORPUS), len(corpus) - len(CORPUS)
    assert added == sum(
        int(np.ceil(0.25 * (own == Role.TEST).sum())) for own in PROTOCOL.roles
    )
    original = {name: row for row, name in enumerate(CORPUS.columns["utt_id"])}
    for copy in range(rows, len(corpus)):
        source = original[corpus.columns["recording"][copy]]
        np.testing.assert_array_equal(
            corpus.features["audio"][copy], CORPUS.features["audio"][source]
        )
        assert leaky.label[copy] == PROTOCOL.label[source]
        labelled = leaky.roles[:, copy] == Role.LABELLED
        np.testing.assert_array_equal(labelled, PROTOCOL.roles[:, source] == Role.TEST)
        assert set(leaky.roles[~labelled, copy]) == {Role.HELD_OUT}
    for role in (Role.LABELLED, Role.TEST, Role.VALIDATION):
        assert class_counts(leaky, role) == class_counts(PROTOCOL, role)
    assert leaky.allowed_leaks == ("speaker", "recording")
    assert shared(leaky, corpus, "recording")


def test_a_task_is_made_of_copies_as_of_anything_else() -> None:
    corpus, leaky = duplicate_recordings(CORPUS, TRANSDUCTIVE, share=0.25, seed=0)
    task = task_of(leaky, corpus)
    honest, rows = task_of(TRANSDUCTIVE), len(CORPUS)
    np.testing.assert_array_equal(
        task.rows_with(Role.TEST), honest.rows_with(Role.TEST)
    )
    plans = [found.plan(found.protocol.visible()) for found in (task, honest)]
    assert plans[0].steps_per_epoch == plans[1].steps_per_epoch
    copies = task.training.domain["speaker"][:, rows:] != UNKNOWN
    np.testing.assert_array_equal(copies, leaky.roles[:, rows:] == Role.LABELLED)


def test_a_copy_is_a_dialogue_of_its_own() -> None:
    corpus = toy_corpus()
    protocol = assign_roles(
        corpus, leave_one_out(corpus, "session"), **{**OPTIONS, "validation_folds": 0}
    )
    more, _ = duplicate_recordings(corpus, protocol, share=0.1, seed=0)
    copies = range(len(corpus), len(more))
    dialogues = [set(rows) for rows in more.dialogues()]
    assert all({copy} in dialogues for copy in copies)
    assert len(dialogues) == len(corpus.dialogues()) + len(copies)


def test_more_copies_than_labelled_rows_are_refused() -> None:
    few = fixed_split(CORPUS, "speaker", ["p0"], ["p1", "p2", "p3"])
    protocol = assign_roles(CORPUS, few, **{**OPTIONS, "validation_folds": 0})
    with pytest.raises(ProtocolError, match="to exchange"):
        duplicate_recordings(CORPUS, protocol, share=1.0, seed=0)


def test_texts_are_disjoint_and_then_shared_with_as_many_rows() -> None:
    honest = disjoint_texts(PROTOCOL, CORPUS, tested={"a", "b"})
    assert shared(PROTOCOL, CORPUS, "text")
    assert not shared(honest, CORPUS, "text") and honest.allowed_leaks == ()
    for own in honest.roles:
        assert set(CORPUS.columns["text"][own == Role.TEST]) == {"a", "b"}
        others = np.isin(own, [Role.LABELLED, Role.VALIDATION, Role.UNLABELLED])
        assert set(CORPUS.columns["text"][others]) == {"c", "d"}
    leaky = share_texts(honest, CORPUS, seed=0)
    assert shared(leaky, CORPUS, "text") and not shared(leaky, CORPUS, "speaker")
    assert leaky.allowed_leaks == ("text",)
    assert class_counts(leaky, Role.LABELLED) == class_counts(honest, Role.LABELLED)
    for role in (Role.TEST, Role.VALIDATION):
        np.testing.assert_array_equal(leaky.roles == role, honest.roles == role)
    speaker = CORPUS.columns["speaker"]
    for before, after in zip(honest.roles, leaky.roles, strict=True):
        trained = set(speaker[after == Role.LABELLED])
        assert trained <= set(speaker[before == Role.LABELLED])
        assert not trained & set(speaker[after == Role.VALIDATION])


def test_texts_that_leave_no_class_or_no_row_are_refused() -> None:
    with pytest.raises(ProtocolError, match="no labelled row of anger, joy"):
        disjoint_texts(PROTOCOL, CORPUS, tested={"a", "b", "c", "d"})
    with pytest.raises(ProtocolError, match="no test row of anger, joy"):
        disjoint_texts(PROTOCOL, CORPUS, tested={"nobody says this"})
    with pytest.raises(ProtocolError, match="start from disjoint_texts"):
        share_texts(PROTOCOL, CORPUS, seed=0)


def test_every_sentence_is_tested_once_by_who_has_not_read_it() -> None:
    honest = every_text(PROTOCOL, CORPUS, groups=[{"a", "b"}, {"c"}, {"d"}])
    assert honest.roles.shape == honest.test_side.shape == (18, len(CORPUS))
    assert len(set(honest.folds)) == 18 and honest.allowed_leaks == ()
    np.testing.assert_array_equal(
        (honest.roles == Role.TEST).sum(0), (PROTOCOL.roles == Role.TEST).sum(0)
    )
    assert not shared(honest, CORPUS, "text") and not shared(honest, CORPUS, "speaker")
    leaky = share_texts(honest, CORPUS, seed=0)
    assert shared(leaky, CORPUS, "text") and not shared(leaky, CORPUS, "speaker")
    assert class_counts(leaky, Role.LABELLED) == class_counts(honest, Role.LABELLED)
    task_of(leaky)


def test_a_fold_may_lack_a_class_to_test_but_not_one_to_train_on() -> None:
    said = np.where(CORPUS.columns["emotion"] == "joy", "e", CORPUS.columns["text"])
    columns = {**CORPUS.columns, "text": said}
    corpus = dataclasses.replace(CORPUS, columns=columns)
    honest = disjoint_texts(PROTOCOL, corpus, tested={"a"})
    assert all(set(counts) == {0} for counts in class_counts(honest, Role.TEST))
    with pytest.raises(ProtocolError, match="no labelled row of joy"):
        disjoint_texts(PROTOCOL, corpus, tested={"e"})


def test_all_rows_fit_the_normalisation_of_both_views() -> None:
    honest = task_of(PROTOCOL)
    leaky = normalise_over_all(honest)
    values = CORPUS.features["audio"].astype(np.float64)
    for view in (leaky.training, leaky.evaluation):
        mean, scale = view.standardiser["audio"]
        for fold in range(len(PROTOCOL.folds)):
            np.testing.assert_allclose(mean[fold], values.mean(0), rtol=1e-5)
            np.testing.assert_allclose(scale[fold], values.std(0), rtol=1e-5)
    assert np.ptp(honest.training.standardiser["audio"][0], axis=0).min() > 0.0
    assert leaky.protocol.allowed_leaks == ("normalisation",)
    np.testing.assert_array_equal(leaky.protocol.roles, PROTOCOL.roles)


def test_to_standardise_the_corpus_beforehand_is_undone_by_the_fold() -> None:
    values = CORPUS.features["audio"]
    before = (values - values.mean(0)) / values.std(0)
    twin = dataclasses.replace(CORPUS, features={"audio": before})

    def seen(corpus: Corpus) -> np.ndarray:
        mean, scale = fit_standardiser(corpus, PROTOCOL)["audio"]
        return (corpus.features["audio"] - mean[0]) / scale[0]

    np.testing.assert_allclose(seen(twin), seen(CORPUS), atol=1e-5)


@pytest.mark.parametrize("protocol", [PROTOCOL, TRANSDUCTIVE])
def test_the_oracle_validates_on_the_rows_that_are_tested(protocol: Protocol) -> None:
    run, selecting = select_on_test(task_of(protocol))
    np.testing.assert_array_equal(run.protocol.roles, protocol.roles)
    np.testing.assert_array_equal(
        selecting.rows_with(Role.VALIDATION), run.rows_with(Role.TEST)
    )
    np.testing.assert_array_equal(
        selecting.protocol.roles == Role.VALIDATION, protocol.roles == Role.TEST
    )
    for task in (run, selecting):
        assert task.protocol.allowed_leaks == ("selection",)
        np.testing.assert_array_equal(task.training.label, protocol.erased_labels())
        np.testing.assert_array_equal(task.training.visible, protocol.visible())


def domain_counts(task: Task, role: Role) -> list[set]:
    """How many rows of each class of a role the adversary sees, in each fold."""
    ids, protocol = task.training.domain["speaker"], task.protocol
    seen = (ids != UNKNOWN) & (protocol.roles == role)
    return [set(np.bincount(protocol.label[own]).tolist()) for own in seen]


def test_the_adversary_sees_balanced_classes_of_the_tested_side() -> None:
    honest = task_of(TRANSDUCTIVE)
    leaky = balance_target(honest, seed=0)
    assert all(len(counts) == 2 for counts in domain_counts(honest, Role.TEST))
    assert domain_counts(leaky, Role.TEST) == [{8}] * 6
    assert domain_counts(leaky, Role.LABELLED) == domain_counts(honest, Role.LABELLED)
    assert leaky.protocol.allowed_leaks == ("balance",)
    np.testing.assert_array_equal(leaky.training.label, honest.training.label)
    ids, before = leaky.training.domain["speaker"], honest.training.domain["speaker"]
    assert ((ids == before) | (ids == UNKNOWN)).all()


def test_the_control_of_the_balance_sees_as_many_rows_of_any_class() -> None:
    honest = task_of(TRANSDUCTIVE)
    thin, balanced = subsample_target(honest, seed=0), balance_target(honest, seed=0)
    assert thin.protocol.allowed_leaks == ()
    tested = TRANSDUCTIVE.roles == Role.TEST
    seen, as_many = (
        (task.training.domain["speaker"] != UNKNOWN) & tested
        for task in (thin, balanced)
    )
    np.testing.assert_array_equal(seen.sum(1), as_many.sum(1))
    assert any(len(counts) == 2 for counts in domain_counts(thin, Role.TEST))
    same = domain_counts(honest, Role.LABELLED)
    assert domain_counts(thin, Role.LABELLED) == same


def test_balancing_the_source_is_no_leak_and_joins_with_the_other() -> None:
    source = balance_source(task_of(TRANSDUCTIVE), seed=0)
    assert source.protocol.allowed_leaks == ()
    both = balance_target(source, seed=0)
    assert all(len(counts) == 1 for counts in domain_counts(both, Role.LABELLED))
    assert domain_counts(both, Role.TEST) == [{8}] * 6


def test_there_is_nothing_to_balance_in_an_inductive_protocol() -> None:
    for change in (balance_target, subsample_target):
        with pytest.raises(ProtocolError, match="transductive"):
            change(task_of(PROTOCOL), seed=0)


def test_leaks_add_up_and_every_name_is_explained() -> None:
    protocol = share_speakers(share_speakers(TRANSDUCTIVE, seed=0), seed=1)
    task = balance_target(normalise_over_all(task_of(protocol)), seed=0)
    named = select_on_test(task)[0].protocol.allowed_leaks
    assert named == ("speaker", "normalisation", "balance", "selection")
    assert set(named) | {"recording", "text"} == set(LEAKS)


def test_nothing_honest_is_changed_in_place() -> None:
    roles, audio = PROTOCOL.roles.copy(), CORPUS.features["audio"].copy()
    share_speakers(PROTOCOL, seed=3)
    duplicate_recordings(CORPUS, PROTOCOL, share=0.5, seed=3)
    share_texts(disjoint_texts(PROTOCOL, CORPUS, tested={"c"}), CORPUS, seed=3)
    normalise_over_all(task_of(PROTOCOL))
    np.testing.assert_array_equal(PROTOCOL.roles, roles)
    np.testing.assert_array_equal(CORPUS.features["audio"], audio)
    assert "recording" not in CORPUS.columns


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_leaks_the_same(seed: int) -> None:
    one, same, other = (share_speakers(PROTOCOL, seed=s) for s in (seed, seed, 9))
    np.testing.assert_array_equal(one.roles, same.roles)
    assert (one.roles != other.roles).any()
