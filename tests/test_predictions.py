"""Recordings in, rows out: in order, whatever else lies among them."""

import csv
import dataclasses
import io
import json
import pathlib

import numpy as np
import pytest
from bundles import hearing_bundle, tiny_bundle, write_tones
from corpora_and_batches import toy_corpus

from dann_jax.bundle import Bundle, BundleError
from dann_jax.bundle.prediction_files import write_csv, write_jsonl
from dann_jax.bundle.predictions import ClipPrediction, predict_clips
from dann_jax.bundle.recordings import Clip
from dann_jax.data.features.audio import read_audio

SECONDS = {"a.wav": 0.5, "b.flac": 0.7, "c.wav": 0.4, "d.wav": 0.6, "e.wav": 0.3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("tones")
    write_tones(folder, SECONDS)
    (folder / "text.wav").write_text("this is no sound")
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return hearing_bundle(tmp_path_factory.mktemp("bundles") / "bundle")


def clips(folder: pathlib.Path, *names: str) -> list[Clip]:
    return [Clip(str(folder / name), name) for name in names]


def test_all_files_are_predicted_in_order_around_those_that_cannot_be_read(
    bundle: Bundle, folder: pathlib.Path
) -> None:
    wanted = clips(folder, "c.wav", "text.wav", "a.wav", "nowhere.wav", "b.flac")
    reports: list[str] = []
    predictions = list(
        predict_clips(bundle, wanted, report=reports.append, batch_size=2)
    )
    assert [prediction.clip.name for prediction in predictions] == [
        "c.wav",
        "a.wav",
        "b.flac",
    ]
    assert [prediction.duration for prediction in predictions] == pytest.approx(
        [0.4, 0.5, 0.7]
    )
    assert len(reports) == 2
    assert reports[0].startswith("text.wav: is not audio")
    assert reports[1] == "nowhere.wav: there is no such file"


def test_a_batch_of_nothing_but_trouble_is_passed_over(
    bundle: Bundle, folder: pathlib.Path
) -> None:
    wanted = clips(folder, "text.wav", "nowhere.wav", "a.wav")
    predictions = predict_clips(bundle, wanted, report=[].append, batch_size=2)
    assert [prediction.clip.name for prediction in predictions] == ["a.wav"]


def test_a_file_is_heard_as_its_waveform_is(
    bundle: Bundle, folder: pathlib.Path
) -> None:
    (predictions,) = predict_clips(bundle, clips(folder, "a.wav"), report=print)
    samples = read_audio(folder / "a.wav", sample_rate=16000).samples
    assert predictions.prediction == bundle.predict(samples, 16000)


def test_a_file_sounds_the_same_whatever_goes_with_it(
    bundle: Bundle, folder: pathlib.Path
) -> None:
    together, alone = (
        [
            list(prediction.prediction.probabilities.values())
            for batch in batches
            for prediction in predict_clips(bundle, batch, report=print, batch_size=4)
        ]
        for batches in (
            [clips(folder, *SECONDS)],
            [clips(folder, name) for name in SECONDS],
        )
    )
    np.testing.assert_array_equal(together, alone)


def test_only_what_a_batch_needs_is_read(bundle: Bundle, folder: pathlib.Path) -> None:
    def endless():
        yield from clips(folder, "a.wav", "b.flac", "c.wav")
        raise AssertionError("read too far")

    predictions = predict_clips(bundle, endless(), report=print, batch_size=2)
    assert [next(predictions).clip.name, next(predictions).clip.name] == [
        "a.wav",
        "b.flac",
    ]


def test_clips_of_a_dialogue_are_heard_together(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    encoder = {"width": 4, "heads": 2, "context": True}
    bundle = hearing_bundle(tmp_path / "bundle", encoder=encoder)
    alone = clips(folder, "a.wav", "b.flac")
    together = [clip._replace(dialogue="d") for clip in alone]
    one, other = (
        [prediction.prediction.probabilities["joy"] for prediction in predictions]
        for predictions in (
            predict_clips(bundle, alone, report=print, batch_size=2),
            predict_clips(bundle, together, report=print, batch_size=2),
        )
    )
    assert np.abs(np.subtract(one, other)).min() > 1e-4


def test_sound_that_the_features_cannot_describe_costs_one_file(
    bundle: Bundle, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,), (extractor,) = zip(*bundle.extractors().items(), strict=True)

    def compute(samples: np.ndarray) -> np.ndarray:
        if len(samples) < 0.45 * 16000:
            raise RuntimeError("too short for me")
        return extractor.compute(samples)

    picky = {name: dataclasses.replace(extractor, compute=compute)}
    monkeypatch.setattr(Bundle, "extractors", lambda self: picky)
    reports: list[str] = []
    wanted = clips(folder, "c.wav", "a.wav")
    predictions = list(predict_clips(bundle, wanted, report=reports.append))
    assert [prediction.clip.name for prediction in predictions] == ["a.wav"]
    assert reports == ["c.wav: no 'voice' of it: too short for me"]


def test_a_bundle_that_cannot_hear_says_so_before_anything_is_read(
    tmp_path: pathlib.Path,
) -> None:
    bundle = tiny_bundle(tmp_path / "bundle", toy_corpus(1))
    with pytest.raises(BundleError, match="unknown how the features 'audio'"):
        list(predict_clips(bundle, iter([]), report=print))


# What is written.


def predictions(bundle: Bundle, name: str = "a.wav") -> list[ClipPrediction]:
    prediction = bundle.named(np.float32([0.125, 0.625, 0.25]))
    return [ClipPrediction(Clip("/x/" + name, name, 1.5, 2.5), 1.0, prediction)]


def test_csv_has_a_column_for_each_class(bundle: Bundle) -> None:
    file = io.StringIO()
    write_csv(file, predictions(bundle), bundle.columns, timed=False)
    assert file.getvalue() == (
        "file,duration,label,p_anger,p_joy,p_neutral\na.wav,1.0,joy,0.125,0.625,0.25\n"
    )


def test_timed_csv_says_where_each_clip_lies(bundle: Bundle) -> None:
    file = io.StringIO()
    write_csv(file, predictions(bundle, "a, b.wav"), bundle.columns, timed=True)
    (row,) = csv.DictReader(io.StringIO(file.getvalue()))
    assert row["file"] == "a, b.wav"
    assert (row["start"], row["end"]) == ("1.5", "2.5")


@pytest.mark.parametrize("timed", [False, True])
def test_json_lines_have_the_columns_of_csv(bundle: Bundle, timed: bool) -> None:
    files = [io.StringIO(), io.StringIO()]
    write_csv(files[0], predictions(bundle), bundle.columns, timed=timed)
    write_jsonl(files[1], predictions(bundle), bundle.columns, timed=timed)
    (line,) = files[1].getvalue().splitlines()
    (row,) = csv.DictReader(io.StringIO(files[0].getvalue()))
    assert {name: str(value) for name, value in json.loads(line).items()} == row


def test_a_name_that_is_no_text_is_written_all_the_same(bundle: Bundle) -> None:
    file = io.StringIO()
    write_csv(file, predictions(bundle, "caf\udce9.wav"), bundle.columns, timed=False)
    file.getvalue().encode()
    assert "caf\\udce9.wav" in file.getvalue()
