"""A target without labels: one fold adapts to it, others rehearse on the source."""

import dataclasses
import logging
from collections.abc import Mapping

import numpy as np
import pytest
from corpora_and_batches import LABELS, toy_corpus

from dann_jax.cli.config import load_config
from dann_jax.data.corpus import Corpus
from dann_jax.evaluation.metrics import classification_scores
from dann_jax.experiment.adapt import rehearsals
from dann_jax.tasks.domains import domain_ids
from dann_jax.tasks.guards import refuse_unused_leak_allowances
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError, adapt
from dann_jax.types import UNKNOWN

CORPUS = toy_corpus()
SPEAKER, EMOTION = CORPUS.columns["speaker"], CORPUS.columns["emotion"]
TARGET_ROWS = CORPUS.columns["session"] == "s2"
SIDES = {"column": "session", "source": ("s0", "s1"), "target": ("s2",), "folds": 2}


def with_column(name: str, values: np.ndarray) -> Corpus:
    return dataclasses.replace(CORPUS, columns={**CORPUS.columns, name: values})


def protocol_of(
    corpus: Corpus = CORPUS, sides: Mapping[str, object] = {}, **options: object
) -> Protocol:
    options = {"labels": LABELS, "validation_folds": 0, **options}
    options.setdefault("unlabelled", ("test", "adapt"))
    return make_protocol(
        corpus, split="adapt", split_args={**SIDES, **sides}, **options
    )


def test_rehearsals_hold_out_each_source_speaker_once_and_see_no_target() -> None:
    protocol = protocol_of()
    *rehearsals, target = protocol.roles
    tested = np.stack(rehearsals) == Role.TEST
    known = np.isin(EMOTION, LABELS)
    np.testing.assert_array_equal(tested.sum(0), known & ~TARGET_ROWS)
    for roles in rehearsals:
        assert (roles[TARGET_ROWS] == Role.HELD_OUT).all()
        assert not {*SPEAKER[roles == Role.TEST]} & {*SPEAKER[roles == Role.LABELLED]}
    assert not (target == Role.TEST).any()
    np.testing.assert_array_equal(target == Role.LABELLED, known & ~TARGET_ROWS)
    assert (target[TARGET_ROWS] == Role.UNLABELLED).all()
    assert (protocol.target_fold, protocol.rehearsals) == (2, [0, 1])


def test_rehearsals_can_hold_out_whole_corpora_of_the_source() -> None:
    corpus = with_column("corpus", CORPUS.columns["session"])
    protocol = protocol_of(corpus, {"group": "corpus"})
    assert protocol.folds == ("source corpora 1", "source corpora 2", "target")
    held_out = [
        {*corpus.column("corpus")[roles == Role.TEST]} for roles in protocol.roles[:2]
    ]
    assert sorted(map(list, held_out)) == [["s0"], ["s1"]]


def test_there_are_as_many_rehearsals_as_groups_with_labels(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dann_jax")
    config = load_config("adapt")
    several = with_column("corpus", CORPUS.columns["session"])
    assert rehearsals(config, several) == min(5, len({*SPEAKER}))
    assert "--config.protocol.split_args.group=corpus" in caplog.text
    with config.unlocked():
        config.protocol.split_args.group = "corpus"
    caplog.clear()
    assert rehearsals(config, several) == len({*CORPUS.columns["session"]})
    assert "labels of 3 corpora: each is held out in turn" in caplog.text
    caplog.clear()
    one = with_column("corpus", np.full(len(CORPUS), "toys"))
    assert rehearsals(config, one) == 0
    assert "one corpus with labels, and none to hold out" in caplog.text


def test_labels_of_the_target_change_nothing() -> None:
    other = np.where(TARGET_ROWS, "anger", EMOTION)
    first, second = protocol_of(), protocol_of(with_column("emotion", other))
    np.testing.assert_array_equal(first.roles, second.roles)
    np.testing.assert_array_equal(first.label, second.label)
    assert (first.label[TARGET_ROWS] == UNKNOWN).all()


def test_unused_labels_of_the_target_are_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    protocol_of()
    count = (TARGET_ROWS & np.isin(EMOTION, LABELS)).sum()
    assert f"{count} rows of the target have labels, which are not used" in caplog.text


def test_the_adversary_of_the_target_fold_knows_its_speakers_too() -> None:
    ids, count = domain_ids(
        protocol_of(), CORPUS, column="speaker", unlabelled=("test", "adapt")
    )
    assert count == 6
    assert (ids[2, TARGET_ROWS] != UNKNOWN).all()
    assert (ids[:2, TARGET_ROWS] == UNKNOWN).all()


def test_some_labels_of_the_target_train_its_fold_alone() -> None:
    protocol = protocol_of(labelled_target=2)
    drawn = (protocol.roles == Role.LABELLED) & TARGET_ROWS
    assert drawn.sum(1).tolist() == [0, 0, 2 * len(LABELS)]
    known = TARGET_ROWS & (protocol.label != UNKNOWN)
    np.testing.assert_array_equal(known, drawn[2])


def test_the_labels_of_the_target_may_score_it_and_then_train_nothing() -> None:
    protocol = protocol_of(sides={"score_target": True})
    roles = protocol.roles[protocol.target_fold]
    known = np.isin(EMOTION, LABELS)
    np.testing.assert_array_equal(roles == Role.TEST, TARGET_ROWS & known)
    assert (roles[TARGET_ROWS & ~known] == Role.UNLABELLED).all()
    assert protocol.visible(protocol.target_fold)[TARGET_ROWS].all()
    with pytest.raises(ProtocolError, match="sets 0 utterances of 'anger' aside"):
        protocol_of(sides={"score_target": True}, labelled_target=1)


def test_without_rehearsals_there_is_the_target_alone() -> None:
    (split,) = adapt(CORPUS, **{**SIDES, "folds": 0})
    assert split.name == "target"


def test_more_rehearsals_than_speakers_are_refused() -> None:
    with pytest.raises(ProtocolError, match="need at least 9 different values"):
        protocol_of(sides={"folds": 9})


def test_a_class_of_one_speaker_cannot_be_rehearsed() -> None:
    rare = np.where((EMOTION == "joy") & (SPEAKER != "s0f"), "other", EMOTION)
    corpus = with_column("emotion", rare)
    with pytest.raises(ProtocolError, match="no labelled utterance of joy.* two speak"):
        protocol_of(corpus)
    assert protocol_of(corpus, {"folds": 0}).folds == ("target",)


def test_a_speaker_on_both_sides_is_refused_unless_it_is_named() -> None:
    both = with_column("speaker", np.where(TARGET_ROWS, "s0f", SPEAKER))
    with pytest.raises(ProtocolError, match=r"both labelled and of the target \(s0f\)"):
        protocol_of(both)
    leaky = protocol_of(both, allowed_leaks=("speaker",))
    refuse_unused_leak_allowances(leaky, both, ("speaker",))
    with pytest.raises(ProtocolError, match="in no fold"):
        refuse_unused_leak_allowances(
            dataclasses.replace(protocol_of(), allowed_leaks=("speaker",)),
            CORPUS,
            ("speaker",),
        )


def test_labelled_copies_of_target_recordings_are_left_out_of_its_fold() -> None:
    hashes = np.array([f"h{row}" for row in range(len(CORPUS))])
    known = np.isin(EMOTION, LABELS) & ~TARGET_ROWS
    copied = np.flatnonzero(known)[0]
    hashes[copied] = hashes[np.flatnonzero(TARGET_ROWS)[0]]
    protocol = protocol_of(with_column("audio_hash", hashes))
    assert protocol.roles[2, copied] == Role.HELD_OUT
    assert (protocol.roles[:2, copied] != Role.HELD_OUT).all()
    assert (protocol.roles[2, TARGET_ROWS] == Role.UNLABELLED).all()


@pytest.mark.parametrize(
    "options",
    [
        {"labels": (), "targets": ("turn",)},
        {"labels": (), "label_column": "speaker", "open_set": True},
    ],
)
def test_what_is_no_class_is_refused(options: dict) -> None:
    with pytest.raises(ProtocolError, match="adapts classes"):
        protocol_of(**options)


def test_another_split_onto_rows_without_labels_points_here() -> None:
    silent = with_column("emotion", np.where(TARGET_ROWS, "", EMOTION))
    with pytest.raises(ProtocolError, match=r"protocol\.split=adapt"):
        make_protocol(
            silent,
            split="fixed_split",
            split_args={"column": "session", "train": ("s0", "s1"), "test": ("s2",)},
            labels=LABELS,
            validation_folds=0,
        )


def test_its_name_says_what_it_does() -> None:
    assert protocol_of().name == "session s0, s1 adapted to s2"


def test_the_target_stands_for_tested_rows_where_none_is_tested() -> None:
    protocol = protocol_of()
    roles = protocol.target_roles()
    np.testing.assert_array_equal(roles[:2], protocol.roles[:2])
    np.testing.assert_array_equal(roles[2] == Role.TEST, TARGET_ROWS)
    scored = protocol_of(sides={"score_target": True})
    np.testing.assert_array_equal(scored.target_roles(), scored.roles)


def test_a_fold_that_tests_no_row_has_no_score() -> None:
    nothing = np.zeros(0, int)
    scores = classification_scores(nothing, nothing, 3)
    assert all(np.isnan(scores[name]) for name in ("wa", "ua", "macro_f1"))
    assert np.isnan(scores["recall"]).all()
    assert np.sum(scores["confusion"]) == 0
