"""A run is told that what its store was made from has been edited since."""

import json
import os
import pathlib
import shutil

import pytest
from test_prepare import write_corpus

from dann_jax.data.open import open_corpus
from dann_jax.data.prepare import prepare
from dann_jax.data.store_source import edits_since, source_json


class Home:
    """Four recordings and the store that was made of them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.corpus = folder / "corpus"
        write_corpus(self.corpus, 4)
        prepare(
            {"manifest": self.corpus},
            features={"prosody": {}},
            data_dir=folder / "data",
            name="mine",
            workers=1,
        )
        self.store = folder / "data" / "mine" / "2.0.0"

    def edits(self) -> list[str]:
        return edits_since(self.store)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def corpus(home: Home, tmp_path: pathlib.Path):
    """The folder that it was made from, put back afterwards with its times."""
    shutil.copytree(home.corpus, tmp_path / "before")
    yield home.corpus
    shutil.rmtree(home.corpus, ignore_errors=True)
    shutil.copytree(tmp_path / "before", home.corpus)


def test_nothing_is_said_of_what_nobody_touched(
    home: Home, corpus: pathlib.Path
) -> None:
    assert home.edits() == []
    for path in corpus.iterdir():
        os.utime(path, (1.0, 1.0))  # as after a copy without times
    assert home.edits() == []


def test_an_edited_manifest_is_told_in_a_line_that_says_what_to_do(
    home: Home, corpus: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = corpus / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("anger", "sadness"))
    assert home.edits() == ["manifest.csv edited"]
    open_corpus(home.store.parent)
    (line,) = [r.getMessage() for r in caplog.records if "since it was" in r.msg]
    assert "manifest.csv edited" in line and "dann-prepare --renew" in line


def test_recordings_that_changed_or_went_are_counted(
    home: Home, corpus: pathlib.Path
) -> None:
    first, second, third, _ = sorted(corpus.glob("*.wav"))
    first.write_bytes(first.read_bytes() + b"\0\0")
    content = bytearray(second.read_bytes())
    content[-1] ^= 1  # of the same size, at another time
    second.write_bytes(content)
    os.utime(second, (2.0, 2.0))
    third.unlink()
    (line,) = home.edits()
    assert line.startswith("3 recordings changed or gone (")


def test_where_the_source_is_gone_nothing_is_said(
    home: Home, corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    corpus.rename(tmp_path / "away")
    assert home.edits() == []


def test_of_several_sources_those_that_are_there_are_looked_at(
    home: Home, corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    shutil.copytree(home.store, tmp_path / "store")
    path = tmp_path / "store" / "recordings.json"
    origin = json.loads(path.read_text())
    origin["columns"]["corpus"] = ["a", "a", "b", "b"]
    path.write_text(json.dumps(origin))
    (tmp_path / "other").mkdir()
    sources = {"a": corpus, "b": tmp_path / "other"}
    (tmp_path / "store" / "source.json").write_text(source_json(sources))
    (tmp_path / "other").rmdir()
    assert edits_since(tmp_path / "store") == []
    (corpus / "1.wav").unlink()
    assert edits_since(tmp_path / "store") == ["1 recordings changed or gone (1.wav)"]


def test_an_older_store_says_nothing(home: Home, tmp_path: pathlib.Path) -> None:
    shutil.copytree(home.store, tmp_path / "store")
    (tmp_path / "store" / "source.json").unlink()
    assert edits_since(tmp_path / "store") == []
