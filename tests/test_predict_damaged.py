"""Whatever is asked for, in every mode: a row or an error that names it."""

import csv
import io
import json
import os
import pathlib
import re
from types import SimpleNamespace

import pytest
from bundles import hearing_bundle
from commands import Call
from commands import call as call
from damaged_recordings import NAMES, SPOIL, mixed_folder

from dann_jax.cli import predict

pytestmark = pytest.mark.slow

MODES = {
    "csv": [],
    "jsonl": ["--format=jsonl"],
    "window": ["--window=0.5"],
    "hop": ["--window=0.4", "--hop=0.3", "--format=jsonl"],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    hearing_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def mixed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[pathlib.Path, list[str], list[str]]:
    root = tmp_path_factory.mktemp("mixed")
    good, bad = mixed_folder(root, sound=len(NAMES), spoilt=len(SPOIL))
    latin = b"audio/m\xfcller.wav"
    os.rename(root / good[0], os.fsencode(root) + b"/" + latin)
    good[0] = os.fsdecode(latin)
    (root / "audio" / "talk.m4a").write_bytes(b"\0\0\0 ftypM4A " * 9)
    return root, good, [*bad, "audio/talk.m4a"]


def predicted(text: str, words: list[str]) -> set[str]:
    if "--format=jsonl" in words:
        return {json.loads(line)["file"] for line in text.splitlines()}
    return {row["file"] for row in csv.DictReader(text.splitlines(keepends=True))}


def shown(root: pathlib.Path, name: str) -> str:
    return f"{root}/{name}".encode(errors="backslashreplace").decode()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["words", "list"])
def test_every_file_is_a_row_or_an_error(
    mode: str,
    how: str,
    model: pathlib.Path,
    mixed: tuple,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, good, bad = mixed
    files = [f"{root}/{name}" for name in (*bad, *good) if "\n" not in name]
    # A folder that is named is walked, and says so of itself.
    given = files if how == "words" else ["-"]
    listed = io.BytesIO(b"".join(os.fsencode(f"{name}\n") for name in files))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=listed))
    ended = call(predict, f"--model={model}", *MODES[mode], *given)
    assert ended.code == 1 and "Traceback" not in ended.err
    rows = predicted(ended.out, MODES[mode])
    assert rows == {shown(root, name) for name in good if "\n" not in name}
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    for name in bad:
        assert sum(f"{root}/{name}: " in line for line in errors) == 1, name
    # What it takes to read it, or what whoever reads it finds.
    assert re.search("talk[.]m4a: .*(ffmpeg|truncated or damaged)", ended.err)


@pytest.mark.parametrize("mode", MODES)
def test_every_file_of_a_folder_is_a_row_or_an_error(
    mode: str, model: pathlib.Path, mixed: tuple, call: Call
) -> None:
    root, good, bad = mixed
    ended = call(predict, f"--model={model}", *MODES[mode], root)
    rows = predicted(ended.out, MODES[mode])
    assert rows == {shown(root, name) for name in good}
    for name in bad:
        path = root / name
        # A folder holds nothing, and what is absent is not there.
        if not path.is_dir() and os.path.lexists(path):
            assert ended.err.count(f"error: {path}: ") == 1, name


@pytest.mark.parametrize("kind", [kind for kind in SPOIL if kind != "folder"])
@pytest.mark.parametrize("mode", ["csv", "hop"])
def test_sound_from_a_pipe_is_a_row_or_an_error(
    kind: str,
    mode: str,
    model: pathlib.Path,
    tmp_path: pathlib.Path,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "a.wav"
    SPOIL[kind](path, 0.7)
    if not path.is_file():
        return
    with path.open("rb") as file:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=file))
        ended = call(predict, f"--model={model}", *MODES[mode], "--stdin_audio")
    assert ended.code == 1
    assert predicted(ended.out, MODES[mode]) == set()
    (error,) = (line for line in ended.err.splitlines() if line.startswith("error: "))
    assert error.startswith("error: -: ")
