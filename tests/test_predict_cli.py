"""`dann-predict`, in processes of its own where that matters, and `dann-export`."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from bundles import LABELS, hearing_bundle, tiny_bundle, write_tones
from commands import Call, assert_refused
from commands import call as call
from corpora_and_batches import toy_corpus

from dann_jax.cli import export, predict

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]


def command(*words: object, stdin: bytes = b"") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "dann_jax.cli.predict", *map(str, words)],
        capture_output=True,
        input=stdin,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=240,
    )


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    hearing_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("tones")
    write_tones(folder, {"one.wav": 0.5, "two.flac": 0.7, "long.wav": 2.5})
    (folder / "bad.wav").write_text("this is no sound")
    return folder


def test_a_bad_file_among_good_ones_is_told_and_costs_the_exit_code(
    model: pathlib.Path, tones: pathlib.Path, tmp_path: pathlib.Path, call: Call
) -> None:
    output = tmp_path / "out.csv"
    words = (f"--model={model}", f"--output={output}", tones / "two.flac", tones)
    ended = call(predict, *words)
    assert ended.code == 1
    assert f"error: {tones}/bad.wav: is not audio" in ended.err
    assert "Traceback" not in ended.err and ended.out == ""
    found = rows(output.read_text())
    names = ["two.flac", "long.wav", "one.wav", "two.flac"]
    assert [row["file"] for row in found] == [str(tones / name) for name in names]
    assert found[0] == found[3]
    for row in found:
        assert list(row) == ["file", "duration", "label", *(f"p_{n}" for n in LABELS)]
        assert row["label"] in LABELS
        assert sum(float(row[f"p_{n}"]) for n in LABELS) == pytest.approx(1, abs=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_windows_of_a_list_from_a_pipe_as_json_lines(
    model: pathlib.Path, tones: pathlib.Path
) -> None:
    ended = command(
        *(f"--model={model}", "--format=jsonl", "--window=1", "--hop=0.5", "-"),
        stdin=f"{tones}/long.wav\n".encode(),
    )
    assert ended.returncode == 0, ended.stderr
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(own["start"], own["end"]) for own in found] == [
        (0.0, 1.0),
        (0.5, 1.5),
        (1.0, 2.0),
        (1.5, 2.5),
    ]
    assert len({own["p_joy"] for own in found}) == 4


def test_audio_from_a_pipe_is_heard_as_its_file_is(
    model: pathlib.Path,
    tones: pathlib.Path,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = call(predict, f"--model={model}", tones / "one.wav")
    reader, writer = os.pipe()
    with open(reader) as stdin:
        # A pipe holds 64 kB, and this is half a second at 16 kHz.
        with open(writer, "wb") as file:
            file.write((tones / "one.wav").read_bytes())
        monkeypatch.setattr("sys.stdin", stdin)
        piped = call(predict, f"--model={model}", "--stdin_audio")
    assert piped.code == named.code == 0, piped.err
    (one,), (other,) = rows(piped.out), rows(named.out)
    assert one.pop("file") == "-" and other.pop("file") == str(tones / "one.wav")
    assert one == other


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--hop=1", "x.wav"], "--hop needs --window"),
        ([], "name files"),
        (["--stdin_audio", "x.wav"], "nothing else"),
        (["--window=1", "--hop=2", "x.wav"], "at most the window"),
        (["--window=0", "x.wav"], "--window must be at least 0.01 s, got 0"),
        (["--window=nan", "x.wav"], "--window must be at least 0.01 s, got nan"),
        (["--window=1", "--hop=-1", "x.wav"], "--hop must be at least 0.01 s, got -1"),
        (["--batch_size=0", "x.wav"], "--batch_size=0"),
        (["--format=xml", "x.wav"], "csv|jsonl"),
        (["--modle=x", "x.wav"], "unknown flag --modle; did you mean --model?"),
        (["--model=", "x.wav"], "--model must be given"),
        (["--model=/nowhere", "x.wav"], "no such folder: /nowhere"),
        (["--model={tmp}", "x.wav"], "{tmp} has no bundle.json"),
        (["--output={tmp}", "x.wav"], "{tmp} is a folder; a file is needed"),
        (["--output={tmp}/no/x.csv", "x.wav"], "no such folder: {tmp}/no"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    words: list[str],
    reason: str,
    model: pathlib.Path,
    tmp_path: pathlib.Path,
    call: Call,
) -> None:
    words = [word.format(tmp=tmp_path) for word in words]
    ended = call(predict, f"--model={model}", *words)
    assert_refused(ended, reason.format(tmp=tmp_path))
    assert [*tmp_path.iterdir()] == []


def test_text_that_is_named_as_audio_is_told(
    model: pathlib.Path, tmp_path: pathlib.Path, call: Call
) -> None:
    (tmp_path / "talk.mp3").write_text("a text\n" * 50)
    ended = call(predict, f"--model={model}", tmp_path / "talk.mp3")
    assert ended.code == 1
    assert ended.err.startswith(f"error: {tmp_path}/talk.mp3: is not audio")
    assert len(ended.err.splitlines()) == len(ended.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "unknown how the features"),
        ({"answer": "features"}, "names no class"),
    ],
    ids=["no provenance", "open set"],
)
def test_a_model_that_cannot_hear_leaves_no_output(
    changes: dict, reason: str, tmp_path: pathlib.Path, call: Call
) -> None:
    tiny_bundle(tmp_path / "bundle", toy_corpus(1), **changes)
    for output in ([], [f"--output={tmp_path}/out.csv"]):
        ended = call(predict, f"--model={tmp_path}/bundle", *output, "x.wav")
        assert_refused(ended, reason)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_an_exported_model_needs_nothing_but_jax(
    tmp_path: pathlib.Path, call: Call
) -> None:
    corpus = toy_corpus(1)
    encoder = {"width": 4, "heads": 2, "own_heads": 1, "context": True}
    bundle = tiny_bundle(tmp_path / "bundle", corpus, encoder=encoder)
    artifact = tmp_path / "model.stablehlo"
    ended = call(export, f"--model={tmp_path}/bundle", f"--output={artifact}")
    assert ended.code == 0, ended.err
    dialogues = [rows for rows in corpus.dialogues() if len(rows) < 9]
    turns = np.full((len(dialogues), 6), -1)
    for place, own in enumerate(dialogues):
        turns[place, : len(own)] = own
    np.savez(
        tmp_path / "heard.npz",
        visible=turns >= 0,
        party=corpus.parties()[turns],
        **{f"inputs/{name}": own[turns] for name, own in corpus.features.items()},
        **{f"present/{name}": own[turns] for name, own in corpus.present.items()},
    )
    program = f"""
import sys
import numpy as np
from jax import export
with open("{artifact}", "rb") as file:
    model = export.deserialize(bytearray(file.read()))
arrays = np.load("{tmp_path}/heard.npz")
heard = {{name: arrays[name] for name in ("visible", "party")}}
for part in ("inputs", "present"):
    heard[part] = {{name: arrays[part + "/" + name] for name in ("audio", "text")}}
found = model.call(heard)
np.savez("{tmp_path}/found.npz", **found)
assert not [name for name in sys.modules if name.startswith(("dann_jax", "flax"))]
"""
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=tmp_path, timeout=240
    )
    with np.load(tmp_path / "found.npz") as file:
        found = dict(file)
    expected = bundle.predict_corpus(corpus)
    for place, label in enumerate(LABELS):
        np.testing.assert_allclose(
            found[label][turns >= 0],
            expected[turns[turns >= 0], place],
            rtol=1e-5,
            atol=1e-6,
        )


def test_predicting_brings_no_tensorflow_along(
    model: pathlib.Path, tones: pathlib.Path
) -> None:
    program = f"""
import sys
from dann_jax.bundle import load_bundle
from dann_jax.bundle.predictions import predict_clips
from dann_jax.bundle.recordings import Clip
clips = [Clip("{tones}/one.wav", "one")]
assert len(list(predict_clips(load_bundle("{model}"), clips, report=print))) == 1
assert "tensorflow" not in sys.modules
"""
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=240,
    )
