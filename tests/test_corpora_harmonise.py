"""One set of names for emotions: maps as data, one's own map, unknown words."""

import importlib.resources
import logging
import pathlib

import numpy as np
import pytest

from dann_jax.data.corpus import CorpusError
from dann_jax.data.harmonise import EMOTIONS, emotion_map, harmonise, unknown_words
from dann_jax.data.readers.catalogue import AUDIO_CORPORA, read_audio_corpus

MAPS = sorted(
    file.name.removesuffix(".csv")
    for file in (importlib.resources.files("dann_jax.data") / "emotions").iterdir()
)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    rows = ("a,ann,Happy", "b,bob,grumpy", "c,cat,", "d,dan,no_agreement", "e,eve,calm")
    for row in rows:
        (tmp_path / row[0]).touch()
    (tmp_path / "manifest.csv").write_text(
        "\n".join(("file,speaker,emotion", *rows)) + "\n"
    )
    return tmp_path


def own_map(folder: pathlib.Path, *rows: str) -> pathlib.Path:
    path = folder / "own.csv"
    path.write_text("\n".join(("word,emotion", *rows)) + "\n")
    return path


@pytest.mark.parametrize("corpus", MAPS)
def test_maps_of_the_package_use_the_names_of_the_package(corpus: str) -> None:
    assert set(emotion_map(corpus).values()) <= {*EMOTIONS, ""}


def test_every_reader_has_a_map() -> None:
    assert set(AUDIO_CORPORA) <= set(MAPS)


def test_case_and_space_do_not_matter() -> None:
    words = np.array(["w", " W ", "anger", "Anger"])
    assert set(harmonise(words, emotion_map("emodb"))) == {"anger"}


def test_words_become_emotions_and_are_kept(folder: pathlib.Path) -> None:
    columns = read_audio_corpus("manifest", folder)
    assert columns["emotion"].tolist() == ["happiness", "", "", "", "calm"]
    assert columns["emotion_word"].tolist() == [
        *("Happy", "grumpy", "", "no_agreement", "calm")
    ]


def test_unknown_words_are_counted_and_empty_ones_are_not(
    folder: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        read_audio_corpus("manifest", folder)
    assert "1 utterances are unlabelled" in caplog.text
    assert "grumpy (1)" in caplog.text
    words = np.array(["x", "y", "y", "", "w", "X"])
    assert unknown_words(words, emotion_map("emodb")) == {"y": 2, "x": 1, "X": 1}


def test_an_own_map_goes_before_that_of_the_package(folder: pathlib.Path) -> None:
    path = own_map(folder, "grumpy,anger", "HAPPY,joy", "calm,")
    columns = read_audio_corpus("manifest", folder, emotions=path)
    assert columns["emotion"].tolist() == ["joy", "anger", "", "", ""]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("grumpy,anger", "Grumpy,sadness"), "the word Grumpy is both 'anger' and"),
        (("grumpy",), "line 2: expected 2 fields"),
        ((), "no rows"),
    ],
)
def test_refused_maps(
    folder: pathlib.Path, rows: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        read_audio_corpus("manifest", folder, emotions=own_map(folder, *rows))


def test_what_is_not_there_is_named(folder: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match=r"no such file: .*own\.csv"):
        read_audio_corpus("manifest", folder, emotions=folder / "own.csv")
    with pytest.raises(CorpusError, match="no corpus 'xyz'; there are manifest, crema"):
        read_audio_corpus("xyz", folder)
