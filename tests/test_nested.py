"""Inner folds hold training speakers out as tested ones are, and never see these."""

import dataclasses

import numpy as np
import pytest
from corpora_and_batches import toy_corpus
from runs import tiny_corpus

from dann_jax.data.corpus import Corpus
from dann_jax.data.selection import keep_rows
from dann_jax.tasks.nested import nested_protocol, together
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError

LABELS = ("anger", "happiness", "neutral", "sadness")


def by_session(corpus: Corpus, **changes: object) -> Protocol:
    options = {
        "split": "leave_one_out",
        "split_args": {"column": "session"},
        "labels": LABELS,
        "validation_folds": 0,
        "unlabelled": ("other", "test"),
    }
    return make_protocol(corpus, **{**options, **changes})


def alone(corpus: Corpus) -> Corpus:
    """The same rows as utterances without dialogues."""
    columns = {k: v for k, v in corpus.columns.items() if k not in ("dialogue", "turn")}
    return dataclasses.replace(corpus, columns=columns)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return tiny_corpus()


def test_tested_speakers_take_no_part_in_the_inner_folds(corpus: Corpus) -> None:
    protocol = by_session(corpus)
    nested = nested_protocol(protocol, corpus, folds=3)
    speaker = corpus.column("speaker")
    for fold, outer in enumerate(nested.outer):
        tested = np.unique(speaker[protocol.roles[outer] == Role.TEST])
        rows = np.isin(speaker, tested)
        assert (nested.protocol.roles[fold, rows] == Role.HELD_OUT).all()
        assert not nested.protocol.test_side[fold, rows].any()


def test_every_training_speaker_is_held_out_once(corpus: Corpus) -> None:
    protocol = by_session(corpus)
    nested = nested_protocol(protocol, corpus, folds=3)
    tests = nested.protocol.roles == Role.TEST
    for outer in range(len(protocol.folds)):
        times = tests[nested.outer == outer].sum(0)
        assert (times == (protocol.roles[outer] == Role.LABELLED)).all()


@pytest.mark.parametrize("pools", [(), ("test",), ("other",), ("other", "test")])
def test_a_held_out_speaker_is_treated_as_a_tested_one(
    corpus: Corpus, pools: tuple[str, ...]
) -> None:
    """On the corpus without the tested session the inner folds are ordinary folds."""
    nested = nested_protocol(by_session(corpus, unlabelled=pools), corpus, folds=3)
    rest = corpus.column("session") != "1"
    smaller = keep_rows(corpus, {"session": ["2", "3", "4"]})
    ordinary = by_session(smaller, unlabelled=pools)
    found = nested.protocol.roles[nested.outer == 0][:, rest]
    assert sorted(map(bytes, found)) == sorted(map(bytes, ordinary.roles))


def test_labels_of_tested_rows_change_no_inner_fold(corpus: Corpus) -> None:
    protocol = by_session(corpus)
    nested = nested_protocol(protocol, corpus, folds=3)
    tested = protocol.roles[0] == Role.TEST
    label = protocol.label.copy()
    label[tested] = np.random.default_rng(0).permutation(label[tested])
    shuffled = dataclasses.replace(protocol, label=label)
    again = nested_protocol(shuffled, corpus, folds=3)
    of_first = nested.outer == 0
    np.testing.assert_array_equal(
        nested.protocol.roles[of_first], again.protocol.roles[of_first]
    )
    np.testing.assert_array_equal(
        nested.protocol.erased_labels()[of_first],
        again.protocol.erased_labels()[of_first],
    )


def test_speakers_of_one_dialogue_are_held_out_together(corpus: Corpus) -> None:
    session = np.unique(corpus.column("session"), return_inverse=True)[1]
    groups = together(corpus)
    assert len(np.unique(groups)) == len(np.unique(session * 100 + groups)) == 4
    assert len(np.unique(together(alone(corpus)))) == 8


def test_a_copy_of_a_tested_recording_is_in_no_inner_fold(corpus: Corpus) -> None:
    corpus = alone(corpus)
    sound = np.array([f"sound {row}" for row in range(len(corpus))])
    protocol = by_session(corpus)
    tested = np.flatnonzero(protocol.roles[0] == Role.TEST)[0]
    copy = np.flatnonzero(protocol.roles[0] == Role.LABELLED)[0]
    sound[copy] = sound[tested]
    corpus = dataclasses.replace(
        corpus, columns={**corpus.columns, "audio_hash": sound}
    )
    nested = nested_protocol(by_session(corpus), corpus, folds=3)
    of_first = nested.protocol.roles[nested.outer == 0]
    assert (of_first[:, [tested, copy]] == Role.HELD_OUT).all()


def test_validation_speakers_validate_inside_or_are_held_out(corpus: Corpus) -> None:
    corpus = alone(corpus)
    protocol = by_session(corpus, validation_folds=3)
    nested = nested_protocol(protocol, corpus, folds=2)
    assert ((nested.protocol.roles == Role.VALIDATION).any(1)).all()
    for fold, outer in enumerate(nested.outer):
        validates = nested.protocol.roles[fold] == Role.VALIDATION
        assert (protocol.roles[outer, validates] == Role.VALIDATION).all()


def test_fewer_speakers_than_inner_folds_give_fewer_folds(
    corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    nested = nested_protocol(by_session(corpus), corpus, folds=5)
    assert len(nested.outer) == 4 * 3
    assert "3 training speakers, so 3 inner folds instead of 5" in caplog.text


def test_one_training_speaker_cannot_choose() -> None:
    corpus = toy_corpus(sessions=2)
    protocol = by_session(corpus, labels=("anger", "joy"))
    with pytest.raises(ProtocolError, match=r"fold 'session s0' trains on 1 speaker"):
        nested_protocol(protocol, corpus, folds=2)


def test_a_class_of_one_training_speaker_is_named(corpus: Corpus) -> None:
    corpus = alone(corpus)
    emotion, speaker = corpus.columns["emotion"].copy(), corpus.column("speaker")
    two = np.unique(speaker[emotion == "anger"])[:2]
    emotion[(emotion == "anger") & ~np.isin(speaker, two)] = "neutral"
    corpus = dataclasses.replace(corpus, columns={**corpus.columns, "emotion": emotion})
    protocol = by_session(corpus, split_args={"column": "speaker"})
    with pytest.raises(ProtocolError, match=r"'anger', of 1 speakers: too few"):
        nested_protocol(protocol, corpus, folds=2)


def test_a_leak_of_speakers_leaves_nothing_to_choose_by(corpus: Corpus) -> None:
    protocol = by_session(
        corpus, split_args={"column": "dialogue"}, allowed_leaks=("speaker",)
    )
    with pytest.raises(ProtocolError, match="allowed_leaks names speaker"):
        nested_protocol(protocol, corpus, folds=2)


def test_inner_folds_hold_out_what_other_folds_test(corpus: Corpus) -> None:
    """Who is tested elsewhere, whatever the shares of the classes."""
    corpus = alone(corpus)
    by_speaker = by_session(corpus, split_args={"column": "speaker"})
    nested = nested_protocol(by_speaker, corpus, folds=3)
    speaker = corpus.column("speaker")
    tests = nested.protocol.roles == Role.TEST
    held = [set(speaker[rows]) for rows in tests]
    assert [len(names) for names in held] == [1] * 3 * len(by_speaker.folds)
    for outer in range(len(by_speaker.folds)):
        names = [held[fold] for fold in np.flatnonzero(nested.outer == outer)]
        assert len(set.union(*names)) == 3
    # All speakers judge equally often.
    times = [sum(name in names for names in held) for name in np.unique(speaker)]
    assert set(times) == {3}


def test_where_folds_are_no_parts_the_classes_are_balanced(corpus: Corpus) -> None:
    corpus = alone(corpus)
    protocol = by_session(
        corpus,
        split="fixed_split",
        split_args={"column": "session", "train": ("1", "2", "3"), "test": ("4",)},
    )
    nested = nested_protocol(protocol, corpus, folds=2)
    tests = nested.protocol.roles == Role.TEST
    assert len(nested.outer) == 2
    assert (tests.sum(0) == (protocol.roles[0] == Role.LABELLED)).all()
