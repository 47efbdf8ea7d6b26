"""Databases of audformat, written by the package itself."""

import pathlib

import pytest
from planted_files import plant

from dann_jax.data.corpus import CorpusError
from dann_jax.data.prepare_table import Given, read_table
from dann_jax.data.raters import VOTES
from dann_jax.data.readers.catalogue import Reading

audformat = pytest.importorskip("audformat", reason="pip install audformat")

FILES = ("a.wav", "b.wav", "c.wav")


@pytest.fixture
def database(tmp_path: pathlib.Path) -> "audformat.Database":
    """Three files of two people in two splits; no emotions yet."""
    plant(tmp_path / "db", *FILES)
    made = audformat.Database("toy")
    people = {"ann": {"gender": "female"}, "bob": {"gender": "male"}}
    made.schemes["speaker"] = audformat.Scheme(labels=people)
    made.schemes["emotion"] = audformat.Scheme(labels=["happy", "angry", "sad"])
    for kind in ("human", "vote", "machine"):
        made.raters[kind] = audformat.Rater(kind)
    made.raters["other"] = audformat.Rater("human")
    for split in ("train", "test"):
        made.splits[split] = audformat.Split(split)
    files = made["files"] = audformat.Table(audformat.filewise_index(FILES))
    files["speaker"] = audformat.Column(scheme_id="speaker")
    files["speaker"].set(["ann", "ann", "bob"])
    return made


def label(
    database: "audformat.Database", split: str, files: tuple[str, ...], **words: list
) -> None:
    """A table of a split with a column of emotions for each rater."""
    table = audformat.Table(audformat.filewise_index(files), split_id=split)
    database[f"emotion.{split}"] = table
    for rater, own in words.items():
        table[rater] = audformat.Column(scheme_id="emotion", rater_id=rater)
        table[rater].set(own)


def read(
    database: "audformat.Database", folder: pathlib.Path, **reading: object
) -> dict[str, list[str]]:
    database.save(str(folder / "db"))
    given = Given({"audformat": folder / "db"}, reading=Reading(**reading))
    table = read_table(given, "mine", folder / "data").columns
    return {name: values.tolist() for name, values in table.items()}


def test_labels_splits_speakers_and_what_belongs_to_them_are_kept(
    database: "audformat.Database", tmp_path: pathlib.Path
) -> None:
    label(database, "train", FILES[:2], vote=["angry", "sad"], machine=["sad", "sad"])
    label(database, "test", FILES[2:], vote=["happy"])
    table = read(database, tmp_path)
    assert table["file"] == list(FILES)
    assert table["emotion"] == ["anger", "sadness", "happiness"]
    assert table["split"] == ["train", "train", "test"]
    assert table["speaker"] == ["ann", "ann", "bob"]
    assert table["gender"] == ["female", "female", "male"]
    assert VOTES not in table


def test_raters_are_kept_and_a_tie_has_no_label(
    database: "audformat.Database", tmp_path: pathlib.Path
) -> None:
    other = ["angry", "happy", None]
    label(database, "train", FILES, human=["angry", "sad", "sad"], other=other)
    table = read(database, tmp_path)
    assert table[VOTES] == ["anger:2", "happiness:1;sadness:1", "sadness:1"]
    assert table["emotion"] == ["anger", "", "sadness"]


def test_segments_have_the_speaker_of_their_file(
    database: "audformat.Database", tmp_path: pathlib.Path
) -> None:
    index = audformat.segmented_index(
        ["a.wav", "a.wav", "c.wav"], ["0s", "1.5s", "0s"], ["1.5s", "3s", "2s"]
    )
    table = database["emotion"] = audformat.Table(index)
    table["emotion"] = audformat.Column(scheme_id="emotion")
    table["emotion"].set(["angry", "sad", "happy"])
    found = read(database, tmp_path)
    rows = zip(*(found[n] for n in ("file", "start", "end", "speaker")), strict=True)
    assert list(rows) == [
        ("a.wav", "", "1.5", "ann"),
        ("a.wav", "1.5", "3", "ann"),
        ("c.wav", "", "2", "bob"),
    ]


def test_what_is_missing_is_named(
    database: "audformat.Database", tmp_path: pathlib.Path
) -> None:
    with pytest.raises(CorpusError, match="holds no db.yaml"):
        read_table(Given({"audformat": tmp_path}), "mine", tmp_path / "data")
    with pytest.raises(CorpusError, match=r"schemes are .*--columns=SCHEME:emotion"):
        read(database, tmp_path)
    label(database, "train", FILES[:2], vote=["angry", "sad"])
    label(database, "test", FILES[:1], vote=["happy"])
    with pytest.raises(CorpusError, match=r"a\.wav emotion is both '(angry|happy)'"):
        read(database, tmp_path)
    label(database, "test", FILES[2:], vote=["happy"])
    with pytest.raises(CorpusError, match="scheme 'who' says nothing"):
        read(database, tmp_path, columns={"who": "speaker"})
