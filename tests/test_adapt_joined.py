"""Source and target become one corpus, or it is said why they cannot."""

import dataclasses
import pathlib

import numpy as np
import pytest
from corpora_and_batches import toy_corpus

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.frames import Frames
from dann_jax.data.joined import with_target
from dann_jax.data.manifest import write_manifest
from dann_jax.experiment.target_recordings import recordings_of, speaker_of


def made_by(extractor: str, corpus: Corpus | None = None) -> Corpus:
    provenance = {"features": {"audio": {"extractor": extractor, "parameters": {}}}}
    corpus = (corpus or toy_corpus()).select(("audio",))
    return dataclasses.replace(corpus, provenance=provenance)


def with_hashes(corpus: Corpus, first: int) -> Corpus:
    hashes = np.arange(first, first + len(corpus)).astype(str)
    return dataclasses.replace(corpus, columns={**corpus.columns, "audio_hash": hashes})


def test_rows_of_both_keep_their_features_and_say_their_side() -> None:
    source, target = made_by("x"), made_by("x", toy_corpus(1, seed=5))
    both = with_target(source, target)
    side = both.column("side")
    assert [(side == name).sum() for name in ("source", "target")] == [
        len(source),
        len(target),
    ]
    np.testing.assert_array_equal(
        both.features["audio"][side == "target"], target.features["audio"]
    )
    assert len({*both.column("utt_id")}) == len(both)
    # Nobody is renamed: whether they are the same person, only people know.
    assert {*both.column("speaker")[side == "target"]} == {*target.column("speaker")}


def test_a_column_that_one_side_lacks_is_empty_there() -> None:
    source, target = made_by("x"), made_by("x", toy_corpus(1))
    columns = {**target.columns, "room": np.full(len(target), "r1")}
    both = with_target(source, dataclasses.replace(target, columns=columns))
    assert both.column("room").tolist() == [""] * len(source) + ["r1"] * len(target)


def test_frames_are_joined_as_frames() -> None:
    source, rows = toy_corpus().select(("audio",)), len(toy_corpus())
    values = np.random.default_rng(0).normal(size=(2 * rows, 3))
    frames = Frames(values, np.full(rows, 2))
    source = dataclasses.replace(source, features={"audio": frames})
    joined = with_target(source, source).features["audio"]
    np.testing.assert_array_equal(joined.row(rows), frames.row(0))
    np.testing.assert_array_equal(joined.row(2 * rows - 1), values[-2:])


def test_features_that_were_made_otherwise_are_refused() -> None:
    with pytest.raises(CorpusError, match="features made by x, found features made b"):
        with_target(made_by("x"), made_by("y"))
    with pytest.raises(CorpusError, match="the source has the features audio, text"):
        with_target(toy_corpus(), toy_corpus().select(("audio",)))
    wide = made_by("x")
    wide.features["audio"] = np.zeros((len(wide), 9), np.float32)
    with pytest.raises(CorpusError, match="expected 3 values a recording, found 9"):
        with_target(made_by("x"), wide)


def test_a_target_that_is_the_source_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, target = with_hashes(made_by("x"), 0), made_by("x", toy_corpus(1))
    with pytest.raises(CorpusError, match="are recordings of the source"):
        with_target(source, with_hashes(target, 0))
    with_target(source, with_hashes(target, len(source) - 1))
    assert f"1 of {len(target)} recordings of the target" in caplog.text


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ("ann/1.wav", "ann/2.WAV", "bob/1.wav", "notes.txt"):
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "mine"


def test_all_sound_below_a_folder_is_meant(folder: pathlib.Path) -> None:
    found = recordings_of(folder)
    assert found["utt_id"].tolist() == ["ann/1.wav", "ann/2.WAV", "bob/1.wav"]
    assert {*found["speaker"]} == {"target"}
    assert {*found["emotion"]} == {""}
    assert all(pathlib.Path(file).is_absolute() for file in found["file"])


def test_a_folder_or_an_expression_names_the_speaker(folder: pathlib.Path) -> None:
    for rule in ("folder", r"^(\w+)/"):
        assert recordings_of(folder, rule)["speaker"].tolist() == ["ann", "ann", "bob"]
    with pytest.raises(CorpusError, match=r"finds no speaker in 'bob/1.wav'"):
        recordings_of(folder, "(ann)")
    with pytest.raises(CorpusError, match="neither 'folder' nor a regular expression"):
        speaker_of("a.wav", "(")


def test_a_manifest_keeps_what_it_knows(folder: pathlib.Path) -> None:
    columns = {
        "file": ["ann/1.wav", "ann/1.wav"],
        "start": ["0", "1.5"],
        "end": ["1.5", "2"],
        "speaker": ["Ann", "Bo"],
    }
    columns = {name: np.array(values) for name, values in columns.items()}
    write_manifest(folder / "manifest.csv", columns)
    for to in (folder, folder / "manifest.csv"):
        found = recordings_of(to)
        assert found["utt_id"].tolist() == ["ann/1.wav@0", "ann/1.wav@1.5"]
        assert found["speaker"].tolist() == ["Ann", "Bo"]
        assert {*found["file"]} == {str(folder / "ann" / "1.wav")}


def test_a_folder_without_sound_and_no_folder_are_refused(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(CorpusError, match="holds no audio"):
        recordings_of(tmp_path)
    with pytest.raises(CorpusError, match="no such file or folder"):
        recordings_of(tmp_path / "nowhere")
