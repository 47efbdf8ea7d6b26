"""Extraction: what comes out depends on the recordings alone, whatever happens."""

import csv
import json
import logging
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from damaged_recordings import (
    NAMES,
    RATE,
    SPOIL,
    columns_of,
    mixed_folder,
    voice,
    write_voice,
)
from etils import epath

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.features import pool
from dann_jax.data.features.audio import Recording, read_audio
from dann_jax.data.features.extraction import extract
from dann_jax.data.features.extraction_worker import (
    ExtractionJob,
    read_part,
    write_part,
)
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.items import Item
from dann_jax.data.features.pool import WorkerError
from dann_jax.data.frames import Frames

FEATURES = {"energy": {"hop": 800}, "moments": {}}


def energy(hop: int = 800) -> Extractor:
    """Mean square of blocks; some peaks make it misbehave."""

    def compute(samples: np.ndarray) -> np.ndarray:
        peak = round(float(np.abs(samples).max()), 2)
        if peak == 0.91:
            os._exit(3)
        if peak == 0.92:
            time.sleep(60)
        if peak == 0.93:
            raise RuntimeError("a fault\nof the extractor")
        blocks = samples[: len(samples) // hop * hop].reshape(-1, hop)
        made = np.stack([(blocks**2).mean(1), blocks.max(1)], 1)
        return made * (np.nan if peak == 0.94 else 1)

    return Extractor("energy", 1, {"hop": hop}, 2, framewise=True, compute=compute)


def moments() -> Extractor:
    def compute(samples: np.ndarray) -> np.ndarray:
        return np.array([samples.mean(), samples.std(), len(samples)])

    return Extractor("moments", 1, {}, 3, framewise=False, compute=compute)


def words() -> Extractor:
    def compute(text: str) -> np.ndarray:
        return np.array([[len(word)] for word in text.split()])

    return Extractor("words", 1, {}, 1, True, compute, sample_rate=None)


MAKE = {"energy": energy, "moments": moments, "words": words}


def make(name: str, **parameters: int) -> Extractor:
    return MAKE[name](**parameters)


def peak(path: pathlib.Path, height: float) -> None:
    """A recording that makes `energy` misbehave."""
    import soundfile

    samples = voice(0.5, 0)
    samples[7] = height
    soundfile.write(path, samples, RATE)


@pytest.fixture
def recordings(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "corpus"
    for number in range(12):
        write_voice(root / f"{number}.wav", 0.3 + 0.1 * (number % 5), seed=number)
    return root


def names(root: pathlib.Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def same(one: Corpus, other: Corpus) -> None:
    assert one.provenance == other.provenance
    for columns in (one.columns, one.present):
        others = other.columns if columns is one.columns else other.present
        assert list(columns) == list(others)
        for name, column in columns.items():
            np.testing.assert_array_equal(column, others[name], err_msg=name)
    for name, array in one.features.items():
        theirs = other.features[name]
        if isinstance(array, Frames):
            np.testing.assert_array_equal(array.lengths, theirs.lengths)
            array, theirs = array.values, theirs.values
        assert array.tobytes() == theirs.tobytes()


def test_features_are_what_the_extractors_compute(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    import soundfile

    files = names(recordings)[::-1]
    corpus, problems = extract(
        *(columns_of(files), recordings, FEATURES, tmp_path / "work"),
        name="c",
        make=make,
        workers=2,
    )
    assert problems == []
    assert corpus.columns["file"].tolist() == files
    assert isinstance(corpus.features["moments"], np.memmap)
    assert isinstance(corpus.features["energy"].values, np.memmap)
    for row, file in enumerate(files):
        samples, rate = soundfile.read(recordings / file, dtype="float32")
        assert float(corpus.columns["duration"][row]) == len(samples) / rate
        np.testing.assert_array_equal(
            corpus.features["energy"].row(row), np.float32(energy().compute(samples))
        )
        np.testing.assert_array_equal(
            corpus.features["moments"][row], np.float32(moments().compute(samples))
        )
    assert corpus.provenance["features"]["energy"] == energy().provenance()


def test_the_number_of_processes_changes_nothing(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    columns = columns_of(names(recordings))
    one, three = (
        extract(
            *(columns, recordings, FEATURES, tmp_path / f"{workers}"),
            name="c",
            make=make,
            workers=workers,
        ).corpus
        for workers in (1, 3)
    )
    same(one, three)


def test_it_goes_on_with_the_parts_that_are_there(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    columns = columns_of(names(recordings))
    whole = tmp_path / "whole"
    corpus = extract(columns, recordings, FEATURES, whole, name="c", make=make).corpus
    kept, *lost = sorted((whole / "parts").iterdir())
    for path in lost[1:]:
        path.unlink()
    # As if the machine had lost power: half a part, and no arrays.
    lost[0].write_bytes(lost[0].read_bytes()[:100])
    (whole / "arrays").rename(tmp_path / "arrays")
    before = kept.stat()
    again = extract(columns, recordings, FEATURES, whole, name="c", make=make).corpus
    same(again, corpus)
    assert kept.stat().st_mtime_ns == before.st_mtime_ns


def test_other_settings_in_the_same_folder_are_refused_with_both_named(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    columns = columns_of(names(recordings))
    given = (columns, recordings)
    extract(*given, FEATURES, tmp_path / "work", name="c", make=make)
    other = {"energy": {"hop": 400}, "moments": {}}
    with pytest.raises(CorpusError, match=r"hop \(expected 800, found 400\)"):
        extract(*given, other, tmp_path / "work", name="c", make=make)
    fewer = {"energy": {"hop": 800}}
    with pytest.raises(CorpusError, match="moments is in the folder and not requested"):
        extract(*given, fewer, tmp_path / "work", name="c", make=make)


def test_who_kills_or_hangs_or_errs_is_left_out_alone(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for number in range(4):
        peak(recordings / f"bad{number}.wav", 0.91 + 0.01 * number)
    files = names(recordings)
    corpus, problems = extract(
        *(columns_of(files), recordings, FEATURES, tmp_path / "work"),
        name="c",
        make=make,
        workers=2,
        timeout=4.0,
    )
    assert {p.file: (p.severity, p.reason) for p in problems} == {
        "bad0.wav": ("error", "kills the process that reads it"),
        "bad1.wav": ("error", "takes longer than 4 s"),
        "bad2.wav": ("error", "RuntimeError: a fault of the extractor"),
        "bad3.wav": ("error", "energy is not finite"),
    }
    assert corpus.columns["file"].tolist() == files[:12]


@pytest.mark.parametrize("kind", ["shape", "frames"])
def test_features_of_the_wrong_shape_are_a_problem(
    recordings: pathlib.Path, tmp_path: pathlib.Path, kind: str
) -> None:
    columns = columns_of(names(recordings))
    hop = {"shape": "flat", "frames": "long"}[kind]
    with pytest.raises(CorpusError, match="12 of 12 utterances cannot be used"):
        extract(
            *(columns, recordings, {hop: {}}, tmp_path / "work"),
            name="c",
            make=make_wrong,
        )
    reasons = {row["reason"] for row in read_csv(tmp_path / "work" / "problems.csv")}
    assert (
        reasons
        == {
            "shape": {"flat has shape (4,), its dim is 2"},
            "frames": {"too short for one frame of long"},
        }[kind]
    )


def make_wrong(name: str) -> Extractor:
    made = {"flat": np.zeros(4), "long": np.zeros((0, 2))}[name]
    return Extractor(name, 1, {}, 2, True, lambda samples: made)


def read_csv(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_damaged_files_are_listed_and_the_others_prepared(
    tmp_path: pathlib.Path,
) -> None:
    root = tmp_path / "corpus"
    good, bad = mixed_folder(root, sound=len(NAMES), spoilt=3 * len(SPOIL))
    files = [*bad, *good]
    corpus, problems = extract(
        *(columns_of(files), root, FEATURES, tmp_path / "work"), name="c", make=make
    )
    errors = [problem for problem in problems if problem.severity == "error"]
    assert [problem.file for problem in errors] == bad
    assert all(problem.reason for problem in errors)
    assert corpus.columns["file"].tolist() == good
    # The list is a table of one line a problem, whatever the names are.
    listed = read_csv(tmp_path / "work" / "problems.csv")
    assert [row["file"] for row in listed if row["severity"] == "error"] == bad


def test_a_pipe_that_nobody_writes_to_is_given_up(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    os.mkfifo(recordings / "pipe.wav")
    files = names(recordings)
    corpus, problems = extract(
        *(columns_of(files), recordings, FEATURES, tmp_path / "work"),
        name="c",
        make=make,
        timeout=1.0,
    )
    assert [problem.file for problem in problems] == ["pipe.wav"]
    assert len(corpus) == 12


def test_a_name_that_is_no_text_is_a_problem(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    odd = os.fsdecode(b"caf\xe9") + "🙂.wav"
    (recordings / "0.wav").rename(recordings / odd)
    _, problems = extract(
        *(columns_of([odd, "1.wav"]), recordings, FEATURES, tmp_path / "work"),
        name="c",
        make=make,
    )
    assert [problem.reason for problem in problems] == [
        "its name is not UTF-8, so no store can hold it"
    ]
    assert b"caf\\udce9" in (tmp_path / "work" / "problems.csv").read_bytes()


def test_strict_is_fatal_after_all_were_tried_and_a_mended_file_is_taken_up(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (recordings / "3.wav").write_bytes(b"")
    given = (columns_of(names(recordings)), recordings, FEATURES, tmp_path / "work")
    with pytest.raises(CorpusError, match=r"1 of 12 .*'u00005' \(.*empty.*problems"):
        extract(*given, name="c", make=make, strict=True)
    assert len(extract(*given, name="c", make=make).corpus) == 11
    write_voice(recordings / "3.wav", 0.5, seed=3)
    corpus, problems = extract(*given, name="c", make=make, strict=True)
    assert (len(corpus), problems) == (12, [])


def test_the_same_sound_is_reported(
    recordings: pathlib.Path,
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (recordings / "twin.wav").write_bytes((recordings / "4.wav").read_bytes())
    files = names(recordings)
    with caplog.at_level(logging.WARNING):
        corpus, problems = extract(
            *(columns_of(files), recordings, FEATURES, tmp_path / "work"),
            name="c",
            make=make,
        )
    ids = dict(zip(files, corpus.columns["utt_id"], strict=True))
    assert [(p.file, p.reason) for p in problems] == [
        ("4.wav", f"same sound as {ids['twin.wav']}"),
        ("twin.wav", f"same sound as {ids['4.wav']}"),
    ]
    assert "2 utterances are the same sound as another" in caplog.messages
    assert len(corpus) == 13


def test_a_silent_file_is_kept_with_a_warning(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    import soundfile

    soundfile.write(recordings / "0.wav", np.zeros(RATE), RATE)
    corpus, problems = extract(
        *(columns_of(names(recordings)), recordings, FEATURES, tmp_path / "work"),
        name="c",
        make=make,
    )
    assert [tuple(problem) for problem in problems] == [
        ("u00000", "0.wav", "warning", "silent")
    ]
    assert len(corpus) == 12


def test_cuts_of_one_file(recordings: pathlib.Path, tmp_path: pathlib.Path) -> None:
    write_voice(recordings / "long.wav", 3.0, seed=0)
    columns = columns_of(["long.wav", "long.wav", "long.wav"])
    columns["start"] = np.array(["0", "0.5", ""])
    columns["end"] = np.array(["0.5", "2.5", ""])
    corpus = extract(
        *(columns, recordings, FEATURES, tmp_path / "work"), name="c", make=make
    ).corpus
    np.testing.assert_array_equal(
        corpus.features["moments"][:, 2], [8000, 32000, 48000]
    )
    assert corpus.columns["duration"].tolist() == ["0.500000", "2.000000", "3.000000"]


def test_features_of_text_need_no_audio_and_may_be_absent(
    tmp_path: pathlib.Path,
) -> None:
    columns = columns_of(["", "", ""])
    columns["text"] = np.array(["so it goes", "", "no"])
    corpus, problems = extract(
        *(columns, tmp_path, {"words": {}}, tmp_path / "work"), name="c", make=make
    )
    assert problems == []
    assert corpus.present["words"].tolist() == [True, False, True]
    assert corpus.features["words"].lengths.tolist() == [3, 0, 1]
    assert corpus.features["words"].values.ravel().tolist() == [2, 2, 4, 2]
    assert "duration" not in corpus.columns


def test_a_root_for_each_corpus(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    other = tmp_path / "other"
    write_voice(other / "1.wav", 1.25, seed=9)
    columns = columns_of(["1.wav", "1.wav"])
    columns["corpus"] = np.array(["here", "there"])
    roots = {"here": recordings, "there": other}
    corpus = extract(
        columns, roots, FEATURES, tmp_path / "work", name="c", make=make
    ).corpus
    assert corpus.columns["duration"].tolist() == ["0.400000", "1.250000"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"utt_id": np.array(["a", "a"])}, "1 utterance ids occur more than once"),
        ({"file": None}, "the features need a column 'file'"),
    ],
)
def test_unsound_columns_are_refused_before_any_work(
    tmp_path: pathlib.Path, change: dict[str, np.ndarray | None], message: str
) -> None:
    columns = {**columns_of(["a.wav", "b.wav"]), **change}
    columns = {name: column for name, column in columns.items() if column is not None}
    with pytest.raises(CorpusError, match=message):
        extract(columns, tmp_path, FEATURES, tmp_path / "work", name="c", make=make)
    assert not (tmp_path / "work" / "arrays").exists()


def test_parts_of_other_package_versions_are_not_mixed(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    given = (columns_of(names(recordings)), recordings, FEATURES, tmp_path / "work")
    extract(*given, name="c", make=make)
    path = tmp_path / "work" / "settings.json"
    settings = json.loads(path.read_text())
    settings["features"]["energy"]["packages"] = {"numpy": "1.0"}
    path.write_text(json.dumps(settings))
    with pytest.raises(CorpusError, match=r"numpy: expected 1\.0, found none"):
        extract(*given, name="c", make=make)


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose features are computed from here on."""
    computed: list[str] = []

    def write_parts(task, chunks, workers):
        for chunk in chunks:
            computed.extend(os.path.basename(item.path) for item in chunk)
        return pool.write_parts(task, chunks, workers)

    monkeypatch.setattr("dann_jax.data.features.part_writers.write_parts", write_parts)
    return computed


def test_another_table_in_the_same_folder_costs_what_is_new_in_it(
    recordings: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, work = columns_of(names(recordings)), tmp_path / "work"
    extract(old, recordings, FEATURES, work, name="c", make=make)
    write_voice(recordings / "new.wav", 0.4, seed=99)
    # Other labels, another order, one row less, one more, and one with another id.
    new = columns_of(names(recordings)[::-1][:-1])
    known = dict(zip(old["file"], old["utt_id"], strict=True))
    new["utt_id"] = np.array([known.get(file, "n") for file in new["file"]])
    new["utt_id"][3] = "renamed"
    new["emotion"] = np.full(len(new["utt_id"]), "fear")
    computed = count_calls(monkeypatch)
    corpus = extract(new, recordings, FEATURES, work, name="c", make=make).corpus
    assert sorted(computed) == sorted(["new.wav", new["file"][3]])
    fresh = tmp_path / "fresh"
    same(corpus, extract(new, recordings, FEATURES, fresh, name="c", make=make).corpus)


def overwrite(path: pathlib.Path) -> None:
    write_voice(path, 0.7, seed=77)


def overwrite_in_the_same_length(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 64
    path.write_bytes(content)


def replace(path: pathlib.Path) -> None:
    write_voice(path.with_suffix(".new.wav"), 0.7, seed=78)
    path.with_suffix(".new.wav").rename(path)


def shorten(path: pathlib.Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    "change",
    [overwrite, overwrite_in_the_same_length, replace, shorten, pathlib.Path.unlink],
)
def test_a_recording_that_changes_before_the_end_is_done_again(
    recordings: pathlib.Path,
    tmp_path: pathlib.Path,
    change: Callable[[pathlib.Path], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    columns, work = columns_of(names(recordings)), tmp_path / "work"
    extract(columns, recordings, FEATURES, work, name="c", make=make)
    change(recordings / "5.wav")
    computed = count_calls(monkeypatch)
    again, problems = extract(columns, recordings, FEATURES, work, name="c", make=make)
    assert computed == ["5.wav"]
    fresh, expected = extract(
        columns, recordings, FEATURES, tmp_path / "fresh", name="c", make=make
    )
    same(again, fresh)
    assert problems == expected


def test_a_recording_with_another_time_and_the_same_content_is_not_done_again(
    recordings: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, work = columns_of(names(recordings)), tmp_path / "work"
    extract(columns, recordings, FEATURES, work, name="c", make=make)
    for path in recordings.iterdir():
        os.utime(path, (1, 1))
    computed = count_calls(monkeypatch)
    extract(columns, recordings, FEATURES, work, name="c", make=make)
    assert computed == []


def test_a_part_with_any_bit_flipped_is_made_again(
    recordings: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    columns, work = columns_of(names(recordings)[:3]), tmp_path / "work"
    given = (columns, recordings, FEATURES, work)
    corpus = extract(*given, name="c", make=make, workers=1).corpus
    rng = np.random.default_rng(0)
    for _ in range(4):
        path = sorted((work / "parts").iterdir())[0]
        content = bytearray(path.read_bytes())
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        caplog.clear()
        same(extract(*given, name="c", make=make, workers=1).corpus, corpus)
        assert f"{path} is damaged; its utterances are computed again" in caplog.text


def test_a_recording_that_changes_while_it_is_read_is_a_problem(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    write_voice(path, 0.5, seed=1)

    def read_while_written(where: str, **options: object) -> Recording:
        recording = read_audio(where, **options)
        write_voice(path, 0.6, seed=2)
        return recording

    monkeypatch.setattr(
        "dann_jax.data.features.extraction_worker.read_audio", read_while_written
    )
    task = ExtractionJob(str(tmp_path), json.dumps({"moments": {}}), make, 60.0)
    write_part(task, [Item("k", str(path), 0.0, None, "")])
    (made,) = tmp_path.glob("*.npz")
    part = read_part(epath.Path(made))
    assert part.problems == [("k", "error", "it changed while it was read")]


def test_a_script_without_a_main_guard_gets_a_sentence(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from dann_jax.data.features.extraction import extract\n"
        "from damaged_recordings import columns_of\n"
        "columns = columns_of(['1.wav'])\n"
        f"extract(columns, {str(recordings)!r}, {{'logmel': {{}}}}, "
        f"{str(tmp_path / 'work')!r}, name='c', workers=1)\n"
    )
    here = pathlib.Path(__file__).parent
    ended = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": f"{here}:{here.parent}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode != 0
    assert WorkerError.__name__ in ended.stderr
    assert "below `if __name__ == '__main__':`" in ended.stderr
