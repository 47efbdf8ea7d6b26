"""Folders of sound whose names hold the labels: what is found, and what is asked."""

import logging
import os
import pathlib

import pytest
from commands import Call, assert_refused
from commands import call as call
from planted_files import plant

from dann_jax.cli import prepare
from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.items import items_of
from dann_jax.data.features.settings import settings_of
from dann_jax.data.harmonise import emotion_map
from dann_jax.data.manifest import read_audio_manifest
from dann_jax.data.prepare_table import Given, read_table
from dann_jax.data.readers.catalogue import Reading
from dann_jax.data.readers.folders import read_folders

KNOWN = emotion_map("manifest")


def read(root: pathlib.Path, **given: str) -> list[tuple[str, ...]]:
    """File, speaker and word of the emotion of each row."""
    columns = read_folders(root, known=KNOWN, **given)
    names = ("file", "speaker", "emotion")
    return list(zip(*(columns[name].tolist() for name in names), strict=True))


def test_folders_by_emotion_and_a_pattern_for_the_speaker(
    tmp_path: pathlib.Path,
) -> None:
    plant(tmp_path, "Angry/spk01_003.wav", "sad/spk02_001.m4a", "sad/notes.txt")
    assert read(tmp_path, speaker=r"(spk\d+)") == [
        ("Angry/spk01_003.wav", "spk01", "Angry"),
        ("sad/spk02_001.m4a", "spk02", "sad"),
    ]


def test_folders_by_speaker_and_words_in_names(tmp_path: pathlib.Path) -> None:
    plant(tmp_path, "Actor_01/angry-1.wav", "Actor_02/take2_Sad3.wav")
    assert read(tmp_path) == [
        ("Actor_01/angry-1.wav", "Actor_01", "angry"),
        ("Actor_02/take2_Sad3.wav", "Actor_02", "Sad"),
    ]


def test_flat_names_with_both_and_one_with_two_emotions(tmp_path: pathlib.Path) -> None:
    plant(tmp_path, "ann_angry_1.wav", "bob_sad_angry.wav")
    assert read(tmp_path, speaker="^([a-z]+)_") == [
        ("ann_angry_1.wav", "ann", "angry"),
        ("bob_sad_angry.wav", "bob", ""),
    ]


def test_a_name_goes_before_the_folders_above_it(tmp_path: pathlib.Path) -> None:
    plant(tmp_path, "s9/sad/s1_a.wav", "s9/angry/b.wav")
    assert read(tmp_path, speaker=r"(s\d)") == [
        ("s9/angry/b.wav", "s9", "angry"),
        ("s9/sad/s1_a.wav", "s1", "sad"),
    ]


def test_a_folder_may_name_speaker_and_emotion(tmp_path: pathlib.Path) -> None:
    plant(tmp_path, "OAF_angry/back.wav", "YAF_sad/back.wav", "YAF_grumpy/bar.wav")
    assert read(tmp_path, speaker="^([A-Z]+)_") == [
        ("OAF_angry/back.wav", "OAF", "angry"),
        ("YAF_grumpy/bar.wav", "YAF", "YAF_grumpy"),
        ("YAF_sad/back.wav", "YAF", "sad"),
    ]


def test_a_file_that_lies_higher_says_it_itself(tmp_path: pathlib.Path) -> None:
    plant(tmp_path, "sad/a.wav", "angry/b.wav", "Happy_c.wav", "d.wav")
    emotions = {file: emotion for file, _, emotion in read(tmp_path, speaker="")}
    assert (emotions["Happy_c.wav"], emotions["d.wav"]) == ("Happy", "")


def test_a_name_that_is_no_text_does_not_stop_the_others(
    tmp_path: pathlib.Path,
) -> None:
    root = plant(tmp_path / "mine", "sad/s1.wav", "angry/s2.wav")
    (root / "sad" / os.fsdecode(b"s\xfc1.wav")).touch()
    given = Given({"folders": root}, reading=Reading(speaker=r"(s\d)"))
    for _ in range(2):
        columns = read_table(given, "mine", tmp_path / "data").columns
    assert len(columns["file"]) == 3
    written = (tmp_path / "data" / "mine.manifest.csv").read_text(encoding="utf-8")
    assert "s\\udcfc1.wav" in written


def test_splits_and_other_folders_are_columns(tmp_path: pathlib.Path) -> None:
    plant(tmp_path, "train/car/sad/p1.wav", "test/room/angry/p2.wav")
    columns = read_folders(tmp_path, known=KNOWN, speaker=r"(p\d)")
    assert columns["split"].tolist() == ["test", "train"]
    assert columns["folder2"].tolist() == ["room", "car"]


def test_two_formats_of_one_name_have_ids_of_their_own(tmp_path: pathlib.Path) -> None:
    plant(tmp_path, "sad/1.wav", "sad/1.flac", "angry/2.wav")
    columns = read_folders(tmp_path, known=KNOWN, speaker="")
    assert columns["utt_id"].tolist() == ["angry/2", "sad/1.flac", "sad/1.wav"]
    assert set(columns["speaker"].tolist()) == {""}


ASKED = {
    "folders that may be speakers": (
        ["ann/sad.wav", "bob/angry.wav"],
        {},
        r"folders ann, bob \(level 1\) are no known emotions.*--speaker='\^\(\[\^/\]\+",
    ),
    "words of another language": (
        ["wut/s1.wav", "freude/s2.wav"],
        {},
        r"freude, wut .*are emotions: --emotion='.*' --emotions=MAP\.csv",
    ),
    "codes in names": (
        ["03-01.wav", "03-02.wav"],
        {},
        r"such as 03-01\.wav; --emotion",
    ),
    "emotions twice": (
        ["angry/sad/1.wav", "sad/happy/2.wav"],
        {},
        r"two levels.*--emotion='.*' or --emotion='",
    ),
    "no expression": (
        ["sad/a.wav", "angry/b.wav"],
        {"speaker": "(s"},
        "no regular expression",
    ),
    "finds nothing": (
        ["sad/a.wav", "angry/b.wav"],
        {"speaker": r"(spk\d)"},
        r"--speaker='\(spk\\d\)' finds nothing in 2 paths, such as angry/b\.wav",
    ),
    "no sound": (["sad/a.txt"], {}, "holds no sound"),
}


@pytest.mark.parametrize(("files", "given", "message"), ASKED.values(), ids=ASKED)
def test_what_is_not_clear_is_asked_in_one_sentence(
    tmp_path: pathlib.Path, files: list[str], given: dict[str, str], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        read(plant(tmp_path, *files), **given)


def test_a_pattern_that_is_proposed_finds_the_speakers(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [f"{e}/take_spk{n}_{e}.wav" for e in ("sad", "angry") for n in (1, 2)]
    plant(tmp_path, *files)
    with caplog.at_level(logging.INFO):
        read(tmp_path)
    pattern = caplog.text.partition("--speaker='")[2].partition("'")[0]
    assert {row[1] for row in read(tmp_path, speaker=pattern)} == {"spk1", "spk2"}


def test_the_table_is_shown_written_and_read_again(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = plant(tmp_path / "mine", "angry/s1_1.wav", "sad/s1_2.wav", "sad/s2_1.wav")
    given = Given({"folders": root}, reading=Reading(speaker=r"(s\d)"))
    with caplog.at_level(logging.INFO):
        columns = read_table(given, "mine", tmp_path / "data").columns
    assert "  s1              1       1     2" in caplog.text
    assert "sad/s1_2.wav: emotion sadness ('sad'), speaker s1" in caplog.text
    table = tmp_path / "data" / "mine.manifest.csv"
    again = Given({"manifest": root}, reading=Reading(table=table))
    same = read_table(again, "mine", tmp_path / "data").columns
    assert {k: v.tolist() for k, v in same.items()} == {
        k: v.tolist() for k, v in columns.items()
    }
    # So features that are there are kept.
    settings = settings_of(columns, {"logmel": {}})
    assert items_of(columns, root, settings) == items_of(same, root, settings)
    assert {path.name for path in root.iterdir()} == {"angry", "sad"}
    table.write_text(table.read_text().replace("s2,sad", "s3,sad"))
    with pytest.raises(CorpusError, match=r"mine\.manifest\.csv says something else"):
        read_table(given, "mine", tmp_path / "data")
    assert "s3" in read_table(again, "mine", tmp_path / "data").columns["speaker"]


def test_files_of_a_table_elsewhere_are_relative_to_the_source(
    tmp_path: pathlib.Path,
) -> None:
    plant(tmp_path / "sound", "a/1.wav")
    table = tmp_path / "labels.csv"
    table.write_text("path,who\na/1.wav,ann\n")
    columns = read_audio_manifest(
        tmp_path / "sound", table=table, given={"path": "file", "who": "speaker"}
    )
    assert columns["file"].tolist() == ["a/1.wav"]
    assert columns["speaker"].tolist() == ["ann"]


FLAGS = {
    "of folders": ("ravdess", "--speaker=(s)", "--speaker is for --corpus=folders"),
    "of a table": ("folders", "--columns=a:file", "--columns is for --corpus=manifest"),
    "no pair": ("manifest", "--columns=a", "such as path:file,spk:speaker; got 'a'"),
    "of one": ("a=manifest,b=folders", "--table=a.csv", "--table is for one corpus"),
}


@pytest.mark.parametrize(("corpus", "flag", "message"), FLAGS.values(), ids=FLAGS)
def test_flags_that_do_not_fit_are_refused(
    call: Call, tmp_path: pathlib.Path, corpus: str, flag: str, message: str
) -> None:
    source = f"--source={','.join([str(tmp_path)] * (1 + corpus.count(',')))}"
    given = (f"--corpus={corpus}", source, f"--data_dir={tmp_path}/data", flag)
    assert_refused(call(prepare, *given), message)


def test_files_of_another_machine_are_found_by_their_names(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    plant(tmp_path, "ann/1.wav", "bob/1.wav", "bob/2.wav", "cat/3.wav", "dan/3.wav")
    names = ["C:\\x\\ann\\1.wav", "/sound/bob/1.wav", "2", "3.wav"]
    table = "\n".join(["file,speaker", *(f"{name},s" for name in names)])
    (tmp_path / "manifest.csv").write_text(table)
    columns = read_audio_manifest(tmp_path)
    found = dict(zip(columns["utt_id"], columns["file"], strict=True))
    assert found == {
        "C:\\x\\ann\\1": "ann/1.wav",
        "/sound/bob/1": "bob/1.wav",
        "2": "bob/2.wav",
        # One of two files: it is missing, and counted when recordings are read.
        "3": "3.wav",
    }
    assert "3 of them are found by their names below" in caplog.text
