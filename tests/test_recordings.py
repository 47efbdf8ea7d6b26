"""Which recordings are meant, and how long ones are cut."""

import pathlib

import numpy as np
import pytest
from bundles import write_tones

from dann_jax.bundle.recordings import (
    Clip,
    batches,
    cut_into_windows,
    find_clips,
    windows,
)


def found(*words: object, listed: tuple = ()) -> tuple[list[Clip], list[str]]:
    reports: list[str] = []
    clips = find_clips(map(str, words), listed=listed, report=reports.append)
    return list(clips), reports


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ("b.WAV", "a.flac", "deep/er/c.mp3", "notes.txt", "._a.flac"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names(clips: list[Clip], folder: pathlib.Path) -> list[str]:
    return [str(pathlib.Path(clip.file).relative_to(folder)) for clip in clips]


def test_a_folder_is_all_audio_below_it(folder: pathlib.Path) -> None:
    clips, reports = found(folder)
    assert names(clips, folder) == ["a.flac", "b.WAV", "deep/er/c.mp3"]
    assert reports == []


def test_the_order_is_that_of_the_words(folder: pathlib.Path) -> None:
    clips, _ = found(folder / "b.WAV", folder / "deep", folder / "a.*")
    assert names(clips, folder) == ["b.WAV", "deep/er/c.mp3", "a.flac"]


def test_a_pattern_goes_into_folders(folder: pathlib.Path) -> None:
    clips, _ = found(folder / "**" / "*.mp3")
    assert names(clips, folder) == ["deep/er/c.mp3"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(
    folder: pathlib.Path,
) -> None:
    (folder / "take[1].wav").touch()
    clips, _ = found(folder / "take[1].wav")
    assert names(clips, folder) == ["take[1].wav"]


def test_what_names_nothing_is_told_and_the_rest_is_found(
    folder: pathlib.Path,
) -> None:
    (folder / "empty").mkdir()
    clips, reports = found(folder / "*.ogg", folder / "empty", folder / "a.flac")
    assert names(clips, folder) == ["a.flac"]
    assert len(reports) == 2
    assert "no such file" in reports[0] and "holds no audio" in reports[1]


def test_a_list_is_read_as_it_is_needed() -> None:
    def lines():
        yield "one.wav\n"
        yield "\n"
        yield "two words.wav\r\n"
        raise AssertionError("read too far")

    clips = find_clips(["-"], listed=lines(), report=print)
    assert [next(clips).file, next(clips).file] == ["one.wav", "two words.wav"]


def test_a_manifest_says_what_to_cut_and_who_talks(tmp_path: pathlib.Path) -> None:
    (tmp_path / "calls.csv").write_text(
        "file,start,end,dialogue,speaker\n"
        "one.wav,0.5,2,d1,ann\n"
        "one.wav,2,,d1,bob\n"
        "two.wav,,,,\n"
    )
    one = str(tmp_path / "one.wav")
    assert found(tmp_path / "calls.csv") == (
        [
            Clip(one, "one.wav", 0.5, 2.0, "d1", "ann"),
            Clip(one, "one.wav", 2.0, None, "d1", "bob"),
            Clip(str(tmp_path / "two.wav"), "two.wav"),
        ],
        [],
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path\none.wav\n", "no column file"),
        ("file,start\none.wav,soon\n", "row 1: start and end"),
    ],
)
def test_a_manifest_that_is_none_is_told(
    text: str, reason: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "m.csv").write_text(text)
    (tmp_path / "a.wav").touch()
    clips, reports = found(tmp_path / "m.csv", tmp_path / "a.wav")
    assert names(clips, tmp_path) == ["a.wav"]
    assert len(reports) == 1 and reason in reports[0]


@pytest.mark.parametrize("duration", [0.3, 1.0, 2.5, 3.0, 9.99, 10.0])
@pytest.mark.parametrize(("window", "hop"), [(1.0, 1.0), (1.0, 0.3), (3.0, 0.1)])
def test_windows_cover_all_of_a_recording_and_nothing_else(
    duration: float, window: float, hop: float
) -> None:
    cuts = np.array(list(windows(duration, window, hop)))
    starts, ends = cuts.T
    assert starts[0] == 0.0 and ends[-1] == pytest.approx(duration)
    assert (ends <= duration + 1e-9).all() and (np.diff(starts) > 0).all()
    assert (starts[1:] <= ends[:-1] + 1e-9).all()
    np.testing.assert_allclose(ends - starts, min(window, duration))
    # All but the last begin where they should.
    np.testing.assert_allclose(starts[:-1], hop * np.arange(len(starts) - 1))


@pytest.mark.parametrize("hop", [0.0, -1.0, 2.0, float("nan")])
def test_a_hop_that_would_stand_still_or_leave_something_out_is_refused(
    hop: float,
) -> None:
    with pytest.raises(ValueError, match="hop must be above 0 and at most the window"):
        list(windows(5.0, 1.0, hop))


def test_clips_are_cut_between_their_own_ends(tmp_path: pathlib.Path) -> None:
    write_tones(tmp_path, {"long.wav": 2.5})
    whole = Clip(str(tmp_path / "long.wav"), "long", dialogue="d", speaker="ann")
    part = whole._replace(start=0.5, end=1.75)
    cuts = list(cut_into_windows([whole, part], window=1.0, hop=1.0))
    assert [(cut.start, cut.end) for cut in cuts] == [
        (0.0, 1.0),
        (1.0, 2.0),
        (1.5, 2.5),
        (0.5, 1.5),
        (0.75, 1.75),
    ]
    assert {cut.dialogue for cut in cuts} == {""}


def test_what_has_no_length_is_left_for_the_reader_to_judge() -> None:
    clip = Clip("nowhere.wav", "nowhere.wav")
    assert list(cut_into_windows([clip], window=1.0, hop=1.0)) == [clip]


def test_batches_keep_the_order_and_never_cut_a_dialogue() -> None:
    dialogues = ["", "", "d", "d", "d", "e", "", ""]
    clips = [
        Clip(str(place), str(place), dialogue=name)
        for place, name in enumerate(dialogues)
    ]
    made = [[clip.name for clip in batch] for batch in batches(clips, 3)]
    assert made == [["0", "1", "2", "3", "4"], ["5", "6", "7"]]
