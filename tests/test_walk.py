"""Folders: every file once, and what is passed over is told."""

import os
import pathlib

import pytest
from etils import epath

from dann_jax.data.readers.filenames import audio_files
from dann_jax.utils.walk import matching, walk


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ("top/a.wav", "top/z/b.WAV", "top/z/notes.txt", "other/c.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"RIFF")
    return tmp_path / "top"


def names(folder: pathlib.Path) -> list[str]:
    found = walk(epath.Path(folder), (".wav",)).files
    return [path.relative_to(folder).as_posix() for path in found]


def test_what_is_no_audio_by_its_name_is_counted(folder: pathlib.Path) -> None:
    (folder / "._a.wav").touch()
    found = walk(epath.Path(folder), (".wav",))
    assert names(folder) == ["a.wav", "z/b.WAV"]
    assert "2 files were passed over" in found.notes[0]
    assert ".txt 1" in found.notes[0] and "hidden 1" in found.notes[0]


def test_links_to_folders_elsewhere_are_followed(folder: pathlib.Path) -> None:
    (folder / "link").symlink_to(folder.parent / "other")
    assert names(folder) == ["a.wav", "link/c.wav", "z/b.WAV"]
    files = audio_files(epath.Path(folder))
    assert [path.name for path in files] == ["a.wav", "c.wav", "b.WAV"]


@pytest.mark.parametrize("target", [".", "..", "../..", "/"])
@pytest.mark.parametrize("place", ["loop", "z/loop", "0"])
def test_a_link_to_what_is_there_already_adds_nothing(
    folder: pathlib.Path, place: str, target: str
) -> None:
    (folder / place).symlink_to(target)
    (folder / "again").symlink_to(".")
    assert names(folder) == ["a.wav", "z/b.WAV"]
    notes = walk(epath.Path(folder), (".wav",)).notes
    assert any(place in note and "again" in note for note in notes)
    assert len(matching(f"{folder}/**/*.[wW]*")) == 2


def test_a_file_of_two_names_is_listed_by_its_own(folder: pathlib.Path) -> None:
    (folder / "0.wav").symlink_to("a.wav")
    assert names(folder) == ["a.wav", "z/b.WAV"]
    (note, _) = walk(epath.Path(folder), (".wav",)).notes
    assert "0.wav" in note and "left out" in note


def test_links_to_nowhere_are_files_for_the_reader_to_judge(
    folder: pathlib.Path,
) -> None:
    (folder / "n.wav").symlink_to("nowhere")
    (folder / "m.wav").symlink_to("m.wav")
    assert names(folder) == ["a.wav", "m.wav", "n.wav", "z/b.WAV"]


def test_a_name_that_is_no_text_is_walked_too(folder: pathlib.Path) -> None:
    os.rename(folder / "a.wav", os.fsencode(folder) + b"/m\xfc.wav")
    assert names(folder) == ["m\udcfc.wav", "z/b.WAV"]
