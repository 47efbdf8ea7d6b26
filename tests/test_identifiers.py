"""One person is one name at every entrance, and nobody is nobody."""

import dataclasses
import logging
import pathlib

import numpy as np
import pytest
from corpora_and_batches import LABELS, toy_corpus

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.doubts import doubts
from dann_jax.data.identifiers import IDENTIFIERS, NOBODY, clean_columns, spelled
from dann_jax.data.manifest import write_manifest
from dann_jax.data.normalise import standardise_by
from dann_jax.data.open import open_corpus
from dann_jax.data.readers.catalogue import read_audio_corpus
from dann_jax.tasks.domains import domain_ids
from dann_jax.tasks.guards import require_disjoint
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.roles import Role
from dann_jax.tasks.splits import (
    ProtocolError,
    Split,
    fixed_split,
    group_k_fold,
    leave_one_out,
)
from dann_jax.types import UNKNOWN

SAME = [
    ("Müller", "Mu\u0308ller"),
    ("ann", "ann "),
    ("ann", "\u00a0ann\u200b"),
    ("ann lee", "ann \t  lee"),
    ("ann", "\ufeffann"),
]
ALIKE = [
    ("Bea", "bea", "case"),
    ("3", "3.0", "a trailing .0"),
    ("01", "1", "leading zeros"),
    ("s_1", "s-1", "punctuation"),
    ("Ann-Marie", "ann marie", "how they are written"),
]
OTHERS = [("ann", "anna"), ("1-11", "11-1"), ("s1", "s11"), ("+", "-"), ("s1_2", "s12")]


def table(folder: pathlib.Path, **changes: np.ndarray) -> pathlib.Path:
    """A feature table of four people."""
    columns = {
        "utt_id": np.array([f"u{row}" for row in range(16)]),
        "speaker": np.array([f"s{row % 4}" for row in range(16)]),
        "emotion": np.array([LABELS[row // 4 % 2] for row in range(16)]),
        **changes,
    }
    folder.mkdir(exist_ok=True)
    write_manifest(folder / "manifest.csv", columns)
    values = np.random.default_rng(0).normal(size=(16, 3))
    np.savez(folder / "features.npz", acoustic=values)
    return folder


def audio(folder: pathlib.Path, speakers: list[str]) -> pathlib.Path:
    folder.mkdir()
    names = [f"{row}.wav" for row in range(len(speakers))]
    for name in names:
        (folder / name).touch()
    columns = {"file": names, "speaker": speakers, "emotion": ["anger"] * len(names)}
    write_manifest(
        folder / "manifest.csv", {k: np.array(v) for k, v in columns.items()}
    )
    return folder


@pytest.mark.parametrize(("one", "two"), SAME)
def test_two_spellings_are_one_person_at_every_entrance(
    one: str, two: str, tmp_path: pathlib.Path
) -> None:
    assert spelled(one) == spelled(two)
    speakers = np.array([one, two] * 8)
    made = table(tmp_path / "table", speaker=speakers)
    assert len(set(open_corpus(made).columns["speaker"])) == 1
    columns = read_audio_corpus("manifest", audio(tmp_path / "audio", [one, two]))
    assert len(set(columns["speaker"])) == 1


@pytest.mark.parametrize("column", ["speaker", "session", "language", "room"])
def test_every_column_that_can_split_has_one_spelling(
    column: str, tmp_path: pathlib.Path
) -> None:
    made = table(tmp_path / "table", **{column: np.array(["é", "e\u0301 "] * 8)})
    assert set(open_corpus(made).columns[column]) == {"é"}


def test_files_and_transcripts_stay_as_they_are_written() -> None:
    columns = {"file": np.array(["mu\u0308 .wav"]), "text": np.array(["  None  "])}
    cleaned = clean_columns(columns)
    assert {name: values[0] for name, values in cleaned.items()} == {
        "file": "mu\u0308 .wav",
        "text": "  None  ",
    }


@pytest.mark.parametrize("word", sorted(NOBODY))
def test_words_for_nobody_are_nobody_in_every_case(word: str) -> None:
    for written in (word, word.upper(), word.title(), f" {word}\u00a0"):
        for name in IDENTIFIERS:
            assert clean_columns({name: np.array([written])})[name].tolist() == [""]
    assert clean_columns({"laughter": np.array([word])})["laughter"].tolist() == [word]


@pytest.mark.parametrize(("one", "two", "difference"), ALIKE)
def test_names_that_are_nearly_one_are_named_and_not_merged(
    one: str,
    two: str,
    difference: str,
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = table(tmp_path / "table", speaker=np.array([one, two] * 8))
    assert set(open_corpus(made).columns["speaker"]) == {one, two}
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any(
        repr(one) in line and repr(two) in line and f"only in {difference}:" in line
        for line in said
    )


@pytest.mark.parametrize(("one", "two"), OTHERS)
def test_names_that_differ_are_not_doubted(one: str, two: str) -> None:
    assert not list(doubts({"speaker": np.array([one, two])}))


def test_many_doubles_are_a_few_lines() -> None:
    names = [f"{case}{'x' * 1000}{n}" for n in range(500) for case in ("A", "a")]
    (line,) = doubts({"speaker": np.array(names)})
    assert "and 497 more" in line and len(line) < 1000


def test_numbers_are_not_names() -> None:
    assert not list(doubts({"valence": np.array(["3", "3.0", "03"])}))


def test_rows_of_nobody_are_counted() -> None:
    columns = clean_columns({"speaker": np.array(["ann", "NaN", "?", "bob"])})
    (line,) = doubts(columns)
    assert line.startswith("2 of 4 rows have no speaker")


def test_one_name_in_two_corpora_is_doubted() -> None:
    columns = {
        "speaker": np.array(["1", "1", "2"]),
        "corpus": np.array(["a", "b", "b"]),
    }
    (line,) = doubts(columns)
    assert "'1' in a, b" in line and "'a:1'" in line


def test_ids_that_are_one_after_cleaning_are_refused(tmp_path: pathlib.Path) -> None:
    ids = np.array([f"u{row}" for row in range(15)] + ["u0 "])
    with pytest.raises(CorpusError, match="occur more than once: u0"):
        open_corpus(table(tmp_path / "table", utt_id=ids))
    ids[-1] = " "
    with pytest.raises(CorpusError, match="utt_id of row 16 is empty"):
        open_corpus(table(tmp_path / "table", utt_id=ids))


# What nobody is to a protocol.

CORPUS = toy_corpus()
SPEAKER = CORPUS.columns["speaker"]


def with_nobody(column: str, rows: np.ndarray | slice) -> Corpus:
    values = CORPUS.columns[column].copy()
    values[rows] = ""
    return dataclasses.replace(CORPUS, columns={**CORPUS.columns, column: values})


def roles_of(corpus: Corpus, splits: list[Split], **options: object) -> np.ndarray:
    options = {"name": "toy", "labels": LABELS, "validation_folds": 0, **options}
    return assign_roles(corpus, splits, **options).roles


@pytest.mark.parametrize("unlabelled", [(), ("other",), ("other", "test")])
def test_nobody_is_no_fold_and_neither_trains_nor_is_tested(
    unlabelled: tuple[str, ...],
) -> None:
    corpus = with_nobody("speaker", slice(None, None, 7))
    nobody = corpus.columns["speaker"] == ""
    for splits in (
        leave_one_out(corpus, "speaker"),
        group_k_fold(corpus, "speaker", 3),
        leave_one_out(corpus, "session"),
        fixed_split(corpus, "corpus", ["west"], ["east"]),
    ):
        assert not any(split.name == "speaker " for split in splits)
        roles = roles_of(corpus, splits, unlabelled=unlabelled)
        seen = {Role.HELD_OUT} | ({Role.UNLABELLED} if "test" in unlabelled else set())
        assert set(roles[:, nobody].ravel()) <= seen
        assert (roles == Role.TEST).any(1).all()


def test_where_people_may_be_shared_nobody_trains() -> None:
    corpus = with_nobody("speaker", slice(None, None, 7))
    splits = leave_one_out(corpus, "session")
    roles = roles_of(corpus, splits, allowed_leaks=("speaker",))
    nobody = (corpus.columns["speaker"] == "") & np.isin(
        corpus.columns["emotion"], LABELS
    )
    assert set(roles[:, nobody].ravel()) == {Role.LABELLED, Role.TEST}


def test_a_corpus_of_nobody_is_refused() -> None:
    corpus = with_nobody("speaker", slice(None))
    with pytest.raises(ProtocolError, match="have no value of 'speaker'"):
        leave_one_out(corpus, "speaker")
    with pytest.raises(ProtocolError, match="allowed_leaks"):
        roles_of(corpus, leave_one_out(corpus, "session"))


def test_the_guard_does_not_trust_rows_of_nobody() -> None:
    protocol = assign_roles(
        CORPUS,
        leave_one_out(CORPUS, "session"),
        name="toy",
        labels=LABELS,
        validation_folds=0,
    )
    with pytest.raises(ProtocolError, match="so they may share one"):
        require_disjoint(protocol, with_nobody("speaker", slice(None)), "speaker")


def test_one_name_in_two_corpora_is_to_be_told_apart_not_leaked() -> None:
    speakers = np.array([name[-1] for name in SPEAKER])
    corpus = dataclasses.replace(
        CORPUS, columns={**CORPUS.columns, "speaker": speakers}
    )
    with pytest.raises(ProtocolError, match=r"'west:f'") as refusal:
        roles_of(corpus, fixed_split(corpus, "corpus", ["west"], ["east"]))
    assert "allowed_leaks" not in str(refusal.value)


def test_an_adversary_knows_nobody() -> None:
    corpus = with_nobody("speaker", slice(None, None, 7))
    protocol = assign_roles(
        corpus,
        leave_one_out(corpus, "session"),
        name="toy",
        labels=LABELS,
        validation_folds=0,
        allowed_leaks=("speaker",),
    )
    ids, count = domain_ids(protocol, corpus, column="speaker")
    assert count == len(set(SPEAKER))
    assert (ids[:, corpus.columns["speaker"] == ""] == UNKNOWN).all()


def test_rows_of_nobody_are_not_standardised_as_one_person() -> None:
    rows = np.flatnonzero(SPEAKER == "s0f")
    corpus = with_nobody("speaker", rows)
    made = standardise_by(corpus, "speaker").features["audio"]
    everybody = CORPUS.features["audio"]
    expected = (everybody[rows] - everybody.mean(0)) / everybody.std(0)
    np.testing.assert_allclose(made[rows], expected, rtol=1e-4, atol=1e-5)
    others = np.setdiff1d(np.arange(len(CORPUS)), rows)
    apart = standardise_by(CORPUS, "speaker").features["audio"]
    np.testing.assert_array_equal(made[others], apart[others])
