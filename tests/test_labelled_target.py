"""A few labelled rows of the target: which they are, and whom they must not be from."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from corpora_and_batches import LABELS, toy_corpus

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.tasks.domains import domain_ids
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import (
    ProtocolError,
    Split,
    fixed_split,
    leave_one_out,
    ordered_pairs,
)
from dann_jax.types import UNKNOWN


def with_style(corpus: Corpus) -> Corpus:
    """Two dialogues of each session are scripted, two improvised."""
    scripted = np.isin([name[-1] for name in corpus.columns["dialogue"]], ["0", "2"])
    style = np.where(scripted, "script", "impro")
    return dataclasses.replace(corpus, columns={**corpus.columns, "style": style})


CORPUS = with_style(toy_corpus())
SPEAKER, EMOTION = CORPUS.columns["speaker"], CORPUS.columns["emotion"]
SESSION, STYLE = CORPUS.columns["session"], CORPUS.columns["style"]
PAIRS = ordered_pairs(CORPUS, "corpus", adapt_on="speaker")
ACROSS_STYLES = leave_one_out(
    CORPUS, "session", train={"style": ["script"]}, test={"style": ["impro"]}
)

splits_of = pytest.mark.parametrize(
    "splits", [PAIRS, ACROSS_STYLES], ids=["across corpora", "across styles"]
)


def protocol_of(
    splits: Sequence[Split], count: int, corpus: Corpus = CORPUS, **options: object
) -> Protocol:
    options = {"name": "toy", "labels": LABELS, "validation_folds": 0, **options}
    return assign_roles(corpus, splits, labelled_target=count, **options)


def few(protocol: Protocol) -> np.ndarray:
    """Labelled rows of the target, bool `[F, N]`."""
    return (protocol.roles == Role.LABELLED) & protocol.adapt_side


@splits_of
@pytest.mark.parametrize("count", [0, 1, 3])
def test_so_many_rows_of_each_class_are_labelled_and_no_more(
    splits: list[Split], count: int
) -> None:
    protocol = protocol_of(splits, count)
    for rows, split in zip(few(protocol), splits, strict=True):
        assert split.adapt[rows].all() and not split.train[rows].any()
        assert [np.sum(EMOTION[rows] == word) for word in LABELS] == [count, count]
        assert not set(SPEAKER[rows]) & set(SPEAKER[split.test])
    erased = protocol.erased_labels()
    assert (erased[protocol.adapt_side] != UNKNOWN).sum() == few(protocol).sum()
    without = protocol_of(splits, 0)
    np.testing.assert_array_equal(
        np.where(few(protocol), Role.HELD_OUT, protocol.roles), without.roles
    )


@splits_of
def test_the_rest_of_the_adaptation_side_stays_in_its_pool(splits: list[Split]) -> None:
    protocol = protocol_of(splits, 2, unlabelled=("adapt",))
    rest = protocol.adapt_side & ~few(protocol)
    assert rest.any() and set(protocol.roles[rest]) == {Role.UNLABELLED}
    assert not protocol.transductive


@splits_of
def test_more_rows_add_to_fewer_and_another_seed_draws_others(
    splits: list[Split],
) -> None:
    one, three = few(protocol_of(splits, 1)), few(protocol_of(splits, 3))
    assert three[one].all()
    np.testing.assert_array_equal(few(protocol_of(splits, 1)), one)
    assert any((few(protocol_of(splits, 1, seed=k)) != one).any() for k in range(1, 5))


@splits_of
def test_the_draw_knows_nothing_of_other_labels(splits: list[Split]) -> None:
    expected = few(protocol_of(splits[:1], 2))
    others = ~splits[0].adapt
    emotion = EMOTION.copy()
    emotion[others] = np.random.default_rng(0).permutation(emotion[others])
    changed = {**CORPUS.columns, "emotion": emotion}
    corpus = dataclasses.replace(CORPUS, columns=changed)
    found = few(protocol_of(splits[:1], 2, corpus))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("count", [-1, 100])
def test_rows_that_are_not_there_are_refused_with_their_number(count: int) -> None:
    with pytest.raises(ProtocolError, match=rf"east -> west.*'anger'.*got {count}"):
        protocol_of(PAIRS, count)
    with pytest.raises(ProtocolError, match="sets 0 utterances.*adapt_on"):
        protocol_of(ordered_pairs(CORPUS, "corpus"), 1)


def test_a_tested_speaker_among_the_labelled_is_refused() -> None:
    (split,) = PAIRS[:1]
    some = split.test & (CORPUS.columns["dialogue"] == "s0d2")
    leaky = split._replace(adapt=split.adapt | some, test=split.test & ~some)
    assert some.any()
    with pytest.raises(ProtocolError, match="allowed_leaks"):
        protocol_of([leaky], 5)


def test_validation_takes_none_of_them_and_none_of_their_groups() -> None:
    split = fixed_split(CORPUS, "corpus", ["west"], ["east"], adapt_on="speaker")
    for splits, column in ((split, "speaker"), (ACROSS_STYLES, "dialogue")):
        protocol = protocol_of(splits, 2, validation_column=column, validation_folds=2)
        groups = CORPUS.columns[column]
        for roles, rows in zip(protocol.roles, few(protocol), strict=True):
            assert rows.sum() == 2 * len(LABELS)
            validation = set(groups[roles == Role.VALIDATION])
            assert validation
            assert not validation & set(groups[roles == Role.LABELLED])


def test_the_side_is_the_source_or_what_a_fold_adapts_to() -> None:
    protocol = protocol_of(PAIRS, 2, unlabelled=("adapt",))
    ids, count = domain_ids(protocol, CORPUS, column="side", unlabelled=("adapt",))
    assert count == 2
    np.testing.assert_array_equal(ids == 1, protocol.adapt_side)
    source = (protocol.roles == Role.LABELLED) & ~protocol.adapt_side
    np.testing.assert_array_equal(ids == 0, source)
    labelled_alone, _ = domain_ids(protocol, CORPUS, column="side", unlabelled=())
    np.testing.assert_array_equal(labelled_alone == 1, few(protocol))


def test_filters_train_on_one_style_and_test_the_other_of_the_session_left_out() -> (
    None
):
    assert [split.name for split in ACROSS_STYLES] == [
        *("session s0", "session s1", "session s2")
    ]
    for split, left_out in zip(ACROSS_STYLES, ("s0", "s1", "s2"), strict=True):
        rest = left_out != SESSION
        np.testing.assert_array_equal(split.train, rest & (STYLE == "script"))
        np.testing.assert_array_equal(split.test, ~rest & (STYLE == "impro"))
        np.testing.assert_array_equal(split.adapt, rest & (STYLE == "impro"))


def test_what_trains_anyway_is_not_set_aside() -> None:
    for split in leave_one_out(CORPUS, "session", test={"style": ["impro"]}):
        assert not split.adapt.any()


def test_a_filter_that_nothing_passes_is_refused_with_what_there_is() -> None:
    with pytest.raises(CorpusError, match=r"'acted'.*impro, script"):
        leave_one_out(CORPUS, "session", train={"style": ["acted"]})
    with pytest.raises(CorpusError, match="impro, script"):
        leave_one_out(CORPUS, "session", train={"style": []})
