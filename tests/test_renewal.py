"""A store knows what it was made from, and what is no longer so is made again."""

import csv
import os
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pytest
from damaged_recordings import write_voice
from etils import epath
from test_prepare import content, write_corpus

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features import pool
from dann_jax.data.prepare import prepare
from dann_jax.data.store import read_store, writing
from dann_jax.utils.locks import locked

FEATURES = {"prosody": {}}


class Home:
    """A corpus of eight recordings, one of them damaged, and the store made of it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.corpus, self.data = folder / "corpus", folder / "data"
        self.store = self.data / "mine" / "2.0.0"

    def prepare(self, **changes: object) -> str:
        given = {"data_dir": self.data, "name": "mine", "features": FEATURES}
        return prepare({"manifest": self.corpus}, **given | {"workers": 1} | changes)

    def edit(self, change: Callable[[list[dict[str, str]]], object]) -> None:
        """Change the rows of the manifest."""
        path = self.corpus / "manifest.csv"
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        rows = change(rows) or rows
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("made")
    write_corpus(folder / "corpus", 8, dialogue=2)
    (folder / "corpus" / "3.wav").write_bytes(b"")
    Home(folder).prepare()
    return folder


@pytest.fixture
def home(
    made: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Home:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # With the times of the recordings.
    shutil.copytree(made, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recordings whose features are computed."""
    names: list[str] = []

    def write_parts(task, chunks, workers):
        for chunk in chunks:
            names.extend(os.path.basename(item.path) for item in chunk)
        return pool.write_parts(task, chunks, workers)

    monkeypatch.setattr("dann_jax.data.features.part_writers.write_parts", write_parts)
    return names


def another_take(home: Home) -> None:
    write_voice(home.corpus / "0.wav", 0.9, seed=50)


def one_bit(home: Home) -> None:
    path = home.corpus / "0.wav"
    changed = bytearray(path.read_bytes())
    changed[-2] ^= 1
    path.write_bytes(changed)


def two_swapped(home: Home) -> None:
    one, other = (home.corpus / f"{n}.wav" for n in (0, 4))
    one.rename(home.corpus / "spare")
    other.rename(one)
    (home.corpus / "spare").rename(other)


def mended(home: Home) -> None:
    write_voice(home.corpus / "3.wav", 0.5, seed=3)


def deleted(home: Home) -> None:
    (home.corpus / "5.wav").unlink()


def damaged(home: Home) -> None:
    (home.corpus / "5.wav").write_bytes(b"RIFF")


def relabelled(home: Home) -> None:
    home.edit(lambda rows: rows[2].update(emotion="happiness"))


def speakers_mixed_up(home: Home) -> None:
    home.edit(lambda rows: rows[2].update(speaker="s0"))


def a_row_less(home: Home) -> None:
    home.edit(lambda rows: rows[:-1])


def a_row_more(home: Home) -> None:
    write_voice(home.corpus / "8.wav", 0.5, seed=8)
    home.edit(lambda rows: [*rows, rows[0] | {"file": "8.wav", "turn": "9"}])


def a_column_more(home: Home) -> None:
    home.edit(lambda rows: [row | {"gender": "f"} for row in rows])


def a_cut(home: Home) -> None:
    home.edit(lambda rows: [row | {"start": "", "end": ""} for row in rows])
    home.edit(lambda rows: rows[6].update(start="0", end="0.2"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message", "again"),
    [
        (another_take, r"recordings that have changed \(1\): 0.wav", "03"),
        (one_bit, r"recordings that have changed \(1\): 0.wav", "03"),
        (two_swapped, r"have changed \(2\): 0.wav, 4.wav", "034"),
        (mended, r"utterances that can be used by now \(1\): 3", "3"),
        (deleted, r"recordings that are gone \(1\): 5.wav", "35"),
        (damaged, r"recordings that have changed \(1\): 5.wav", "35"),
        (relabelled, r"another emotion \(1\): 2 \('fear' is now 'happiness'\)", "3"),
        (speakers_mixed_up, r"another speaker \(1\): 2 \('s2' is now 's0'\)", "3"),
        (a_row_less, r"rows that are gone \(1\): 7", "3"),
        (a_row_more, r"rows that are new \(1\): 8", "38"),
        (a_column_more, "column gender is new", "3"),
        (a_cut, r"column start is new; column end is new", "36"),
    ],
)
def test_what_changed_is_refused_and_alone_made_again_on_request(
    home: Home,
    computed: list[str],
    change: Callable[[Home], None],
    message: str,
    again: str,
) -> None:
    change(home)
    before = content(home.data)
    with pytest.raises(CorpusError, match=message) as refused:
        home.prepare()
    assert "--renew" in str(refused.value)
    assert "\n" not in str(refused.value)
    # Nothing has changed on disk, and nothing is left.
    assert content(home.data) == before
    computed.clear()
    home.prepare(renew=True)
    # What could not be used is tried first by itself.
    expected = {*again}
    assert {pathlib.Path(name).stem for name in computed} == expected
    renewed = content(home.data)
    shutil.rmtree(home.data)
    home.prepare()
    assert renewed == content(home.data)


def test_another_time_is_no_change_and_neither_is_another_place(
    home: Home, computed: list[str], tmp_path: pathlib.Path
) -> None:
    for path in home.corpus.iterdir():
        os.utime(path, (5, 5))
    home.corpus = home.corpus.rename(tmp_path / "moved")
    before = content(home.data)
    for renew in (False, True):
        assert "is there already" in home.prepare(renew=renew)
    assert content(home.data) == before
    # Errors alone.
    assert set(computed) == {"3.wav"}


def test_strict_refuses_a_store_with_files_left_out(home: Home) -> None:
    with pytest.raises(CorpusError, match=r"1 of 8 .*'3' \(.*empty.*problems.csv"):
        home.prepare(strict=True)
    mended(home)
    assert home.prepare(renew=True, strict=True).startswith("8 utterances")
    assert "is there already" in home.prepare(strict=True)


def test_other_features_replace_the_store_on_request(
    home: Home, computed: list[str]
) -> None:
    with pytest.raises(CorpusError, match="logmel is requested and not in the folder"):
        home.prepare(features={"logmel": {}})
    home.prepare(features={"logmel": {}}, renew=True)
    assert list(read_store(home.store).features) == ["logmel"]
    assert len(set(computed)) == 8


@pytest.mark.parametrize("name", ["metadata.json", "recordings.json", "problems.csv"])
def test_a_damaged_store_is_named_and_made_again_on_request(
    home: Home, name: str
) -> None:
    before = content(home.data)
    path = home.store / name
    path.write_bytes(path.read_bytes().replace(b"e", b"f", 1))
    with pytest.raises(CorpusError, match=f"damaged: {name} has changed.*--renew"):
        home.prepare()
    assert home.prepare(renew=True).startswith("7 utterances")
    assert content(home.data) == before


def test_a_renewal_that_fails_leaves_the_old_store(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(home.store)
    another_take(home)

    def fail(made: epath.Path, store: epath.Path) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("dann_jax.data.store.folders.replace_folder", fail)
        with pytest.raises(OSError, match="the disk is gone"):
            home.prepare(renew=True)
    assert content(home.store) == before
    home.prepare(renew=True)
    assert content(home.store) != before
    assert [path.name for path in home.data.iterdir()] == ["mine"]


def test_what_killed_processes_left_is_removed(home: Home) -> None:
    before = content(home.data)
    for left in (".mine.prepare/parts", ".mine.retry/parts", ".mine.writing/old"):
        (home.data / left).mkdir(parents=True)
        (home.data / left / "x").write_bytes(bytes(99))
    (home.data / "mine" / "incomplete.AB12CD_2.0.0").mkdir()
    (home.data / ".mine.lock").write_text("")
    # Of another name, to go on with.
    (home.data / ".other.prepare").mkdir()
    assert "is there already" in home.prepare()
    assert content(home.data) == before
    assert sorted(path.name for path in home.data.iterdir()) == [
        ".other.prepare",
        "mine",
    ]


def test_killed_between_the_renames_the_old_store_comes_back(home: Home) -> None:
    before = content(home.data)
    (home.data / ".mine.writing").mkdir()
    home.store.rename(home.data / ".mine.writing" / "old")
    assert "is there already" in home.prepare()
    assert content(home.data) == before


def test_of_two_that_prepare_the_same_the_second_says_so(home: Home) -> None:
    with locked(home.data / ".mine.lock"):
        with pytest.raises(CorpusError, match="another process is preparing .*2.0.0"):
            home.prepare()
        # Another name is free.
        home.prepare(name="yours", per_speaker=1)
    assert "is there already" in home.prepare()


def test_a_store_of_an_earlier_version_is_used_and_renewed_on_request(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    before = content(home.data)
    metadata = (home.store / "metadata.json").read_text()
    (home.store / "metadata.json").write_text(
        metadata.replace('"checksums": true', '"x": 1')
    )
    for name in ("checksums.txt", "recordings.json"):
        (home.store / name).unlink()
    assert "is there already" in home.prepare()
    assert "does not record which recordings it was made from; --renew" in caplog.text
    home.prepare(renew=True)
    assert content(home.data) == before


def test_features_that_are_kept_are_those_that_would_be_computed(
    home: Home, computed: list[str]
) -> None:
    frames = {"features": {"logmel": {}, "prosody": {}}, "name": "two"}
    home.prepare(**frames)
    store = home.data / "two" / "2.0.0"
    values = read_store(store).features["logmel"].values.copy()
    computed.clear()
    mended(home)
    home.prepare(**frames, renew=True)
    assert set(computed) == {"3.wav"}
    corpus = read_store(store)
    row = corpus.columns["utt_id"].tolist().index("3")
    kept = np.delete(np.arange(len(corpus)), row)
    np.testing.assert_array_equal(corpus.features["logmel"].take(kept).values, values)


def test_rows_without_a_speaker_are_counted(home: Home) -> None:
    home.edit(lambda rows: rows[1].update(speaker=""))
    said = home.prepare(renew=True).splitlines()
    assert said[0].startswith("7 utterances of 3 speakers")
    assert "utterances without a speaker: 1" in said


def test_a_write_that_fails_names_the_path(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_build", full)
    with pytest.raises(OSError, match=r"No space left.*\.mine\.writing"):
        home.prepare(features={"logmel": {}}, renew=True)
