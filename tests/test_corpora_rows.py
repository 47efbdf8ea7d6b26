"""Manifests as spreadsheets and other programs write them: read, or refused by line."""

import logging
import pathlib

import pytest

from dann_jax.data.corpus import CorpusError
from dann_jax.data.manifest import read_audio_manifest, read_manifest
from dann_jax.data.readers.catalogue import read_audio_corpus

READ = {
    "a byte order mark": b"\xef\xbb\xbfutt_id,speaker,emotion\na,ann,joy\n",
    "carriage returns": b"utt_id,speaker,emotion\ra,ann,joy\r",
    "both": b"utt_id,speaker,emotion\r\na,ann,joy\r\n",
    "other case and spaces": b"Utt ID, Speaker,EMOTION \na,ann,joy\n",
    "semicolons": b"utt_id;speaker;emotion\na;ann;joy\n",
    "a line that names them": b"sep=;\r\nutt_id;speaker;emotion\r\na;ann;joy\r\n",
    "tabs": b"utt_id\tspeaker\temotion\na\tann\tjoy\n",
    "UTF-16": "utt_id,speaker,emotion\na,ann,joy\n".encode("utf-16"),
    "UTF-16 without a mark": "utt_id\tspeaker\temotion\na\tann\tjoy".encode(
        "utf-16-le"
    ),
    "an index": b",utt_id,speaker,emotion\n7,a,ann,joy\n",
    "an index read before": b"Unnamed: 0,utt_id,speaker,emotion\n7,a,ann,joy\n",
    "names of rows": b"utt_id\tspeaker\temotion\n1\ta\tann\tjoy\n",
}
REFUSED = {
    "NUL": (b"utt_id,speaker,emotion\na,a\0nn,joy\n", "line 2: holds a NUL"),
    "twice": (b"utt_id,speaker,emotion,Speaker\na,ann,joy,bob\n", "'speaker' more"),
    "ragged": (b"utt_id,speaker,emotion\na,ann\n", "line 2: expected 3 fields"),
    "no name": (b"utt_id,speaker,emotion,\na,ann,joy,\n", "column 4 has no name"),
    "half UTF-8": (
        b"utt_id,speaker\na,Zo\xc3\xab\nb,Zo\xeb\n",
        "line 3: cannot be read",
    ),
    "no encoding": (b"utt_id,speaker\na,\x81\n", "line 2: cannot be read as UTF-8"),
    "index and text": (
        b",utt_id,speaker,emotion\nx,a,ann,joy\n",
        "column 1 has no name",
    ),
    "index and a number twice": (
        b",utt_id,speaker,emotion\n1,a,ann,joy\n1,b,ann,joy\n",
        "column 1 has no name",
    ),
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_names_are_the_same_in_every_encoding(
    encoding: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes("utt_id;speaker;emotion\na;Zo\xeb;joy\n".encode(encoding))
    with caplog.at_level(logging.INFO):
        assert read_manifest(path)["speaker"].tolist() == ["Zo\xeb"]
    (line,) = caplog.messages
    assert "separated by semicolons" in line
    assert ("such as 'Zo\xeb'" in line) == (not encoding.startswith("utf-8"))


def test_all_that_is_missing_is_named_at_once_with_what_may_be_meant(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("path,label,spk,length\n1.wav,joy,ann,3\n")
    with pytest.raises(CorpusError) as refusal:
        read_audio_manifest(path)
    flag = "--columns=path:file,spk:speaker,label:emotion"
    assert str(refusal.value) == (
        f"{path}: no column file, speaker, emotion; it has path, label, spk, length. "
        f"If these are meant: {flag}"
    )
    (tmp_path / "1.wav").touch()
    pairs = (pair.split(":") for pair in flag.removeprefix("--columns=").split(","))
    columns = read_audio_manifest(path, given=dict(pairs))
    names = ("file", "speaker", "emotion", "length")
    assert [columns[name].tolist() for name in names] == [
        *(["1.wav"], ["ann"], ["joy"], ["3"])
    ]


GIVEN = {
    "is not there": ({"pth": "file"}, r"names 'pth'.*did you mean 'path'\?"),
    "makes one twice": (
        {"path": "speaker"},
        r"as in --columns=speaker:speaker_before,path:speaker",
    ),
}


@pytest.mark.parametrize(("given", "message"), GIVEN.values(), ids=GIVEN)
def test_a_name_that_cannot_be_given_is_refused(
    given: dict[str, str], message: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("path,speaker\n1.wav,ann\n")
    with pytest.raises(CorpusError, match=message):
        read_audio_manifest(path, given=given)


def test_the_metadata_of_an_audiofolder_is_a_manifest(tmp_path: pathlib.Path) -> None:
    (tmp_path / "1.wav").touch()
    row = '{"file_name": "1.wav", "speaker_id": "ann", "emotion": "joy"}\n'
    (tmp_path / "metadata.jsonl").write_text(row)
    columns = read_audio_manifest(tmp_path, given={"speaker_id": "speaker"})
    assert (columns["file"].tolist(), columns["speaker"].tolist()) == (
        ["1.wav"],
        ["ann"],
    )


def test_metadata_of_each_split_is_one_table(tmp_path: pathlib.Path) -> None:
    for split, extra in (("train", ",room"), ("test", "")):
        (tmp_path / split).mkdir()
        (tmp_path / split / "1.wav").touch()
        (tmp_path / split / "metadata.csv").write_text(
            f"file_name,speaker,emotion{extra}\n1.wav,ann,joy{',r1' if extra else ''}\n"
        )
    columns = read_audio_corpus("manifest", tmp_path)
    names = ("utt_id", "file", "split", "room")
    assert [columns[name].tolist() for name in names] == [
        ["test/1", "train/1"],
        ["test/1.wav", "train/1.wav"],
        ["test", "train"],
        ["", "r1"],
    ]


def test_an_excel_table(tmp_path: pathlib.Path) -> None:
    openpyxl = pytest.importorskip(
        "openpyxl", reason="needs pip install 'dann_jax[excel]'"
    )
    book = openpyxl.Workbook()
    for row in (["utt_id", "speaker", "emotion"], [1, "Zo\xeb", None], [2.0, 7, "joy"]):
        book.active.append(row)
    book.create_sheet("notes").append(["x"])
    path = tmp_path / "table.xlsx"
    book.save(path)
    columns = read_manifest(path)
    assert {name: values.tolist() for name, values in columns.items()} == {
        "utt_id": ["1", "2"],
        "speaker": ["Zo\xeb", "7"],
        "emotion": ["", "joy"],
    }
    path.write_bytes(b"PK\3\4 no table")
    with pytest.raises(CorpusError, match="no Excel table"):
        read_manifest(path)
