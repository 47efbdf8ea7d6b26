"""Manifests as spreadsheets and other programs write them: read, or refused by line."""

import pathlib

import pytest

from dann_jax.data.corpus import CorpusError
from dann_jax.data.manifest import read_manifest

READ = {
    "a byte order mark": b"\xef\xbb\xbfutt_id,speaker,emotion\na,ann,joy\n",
    "carriage returns": b"utt_id,speaker,emotion\ra,ann,joy\r",
    "both": b"utt_id,speaker,emotion\r\na,ann,joy\r\n",
    "other case and spaces": b"Utt ID, Speaker,EMOTION \na,ann,joy\n",
}
REFUSED = {
    "NUL": (b"utt_id,speaker,emotion\na,a\0nn,joy\n", "line 2: holds a NUL"),
    "twice": (b"utt_id,speaker,emotion,Speaker\na,ann,joy,bob\n", "'speaker' more"),
    "ragged": (b"utt_id,speaker,emotion\na,ann\n", "line 2: expected 3 fields"),
    "no name": (b"utt_id,speaker,emotion,\na,ann,joy,\n", "column 4 has no name"),
    "UTF-16": ("utt_id,speaker,emotion\n".encode("utf-16"), "as UTF-8"),
    "no column": (b"utt_id," + b"x" * 100_000 + b"\na,b\n", "no column speaker"),
}


@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_manifests_are_read(content: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    columns = read_manifest(path)
    assert {name: values.tolist() for name, values in columns.items()} == {
        "utt_id": ["a"],
        "speaker": ["ann"],
        "emotion": ["joy"],
    }


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_manifests_are_refused(
    content: bytes, message: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=message) as refusal:
        read_manifest(path)
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize("key", ["speaker", "Speaker", " SPEAKER"])
def test_a_key_that_occurs_twice_is_refused(key: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text(f'{{"utt_id": "a", "speaker": "b", "emotion": "", "{key}": "c"}}\n')
    with pytest.raises(CorpusError, match="line 1: names 'speaker' more than once"):
        read_manifest(path)
