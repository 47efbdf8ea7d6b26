"""The manifest of a folder of audio: what it becomes, and what refuses it."""

import json
import logging
import pathlib

import numpy as np
import pytest

from dann_jax.data.corpus import CorpusError
from dann_jax.data.manifest import read_audio_manifest, read_manifest, write_manifest

CSV = """\
file,speaker,emotion,accent
tapes/two.wav,bob,joy,scots
tapes/one.wav,ann,anger,
"""


def write(folder: pathlib.Path, text: str, name: str = "manifest.csv") -> pathlib.Path:
    """Write a manifest, and the two files that it may name."""
    for file in ("one.wav", "two.wav"):
        path = folder / "tapes" / file
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_rows_are_sorted_by_id_and_every_column_is_kept(tmp_path: pathlib.Path) -> None:
    write(tmp_path, CSV)
    columns = read_audio_manifest(tmp_path)
    assert {name: column.tolist() for name, column in columns.items()} == {
        "utt_id": ["tapes/one", "tapes/two"],
        "file": ["tapes/one.wav", "tapes/two.wav"],
        "speaker": ["ann", "bob"],
        "emotion": ["anger", "joy"],
        "accent": ["", "scots"],
    }
    assert list(columns)[:4] == ["utt_id", "file", "speaker", "emotion"]


def test_the_file_itself_will_do(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, CSV, "mine.csv")
    assert read_audio_manifest(path)["speaker"].tolist() == ["ann", "bob"]


def test_json_lines_say_the_same_as_csv(tmp_path: pathlib.Path) -> None:
    from_csv = read_audio_manifest(write(tmp_path, CSV, "a.csv"))
    rows = [
        {
            "file": "tapes/two.wav",
            "speaker": "bob",
            "emotion": "joy",
            "accent": "scots",
        },
        {"file": "tapes/one.wav", "speaker": "ann", "emotion": "anger", "accent": None},
    ]
    text = "\n\n".join(json.dumps(row) for row in rows)
    from_json = read_audio_manifest(write(tmp_path, text, "b.jsonl"))
    assert list(from_json) == list(from_csv)
    for name, column in from_csv.items():
        np.testing.assert_array_equal(from_json[name], column)


def test_keys_of_json_lines_may_be_left_out(tmp_path: pathlib.Path) -> None:
    text = (
        '{"file": "tapes/one.wav", "speaker": "ann", "emotion": "joy"}\n'
        '{"file": "tapes/two.wav", "speaker": "bob", "emotion": "joy", "start": 1.5}\n'
    )
    columns = read_audio_manifest(write(tmp_path, text, "manifest.jsonl"))
    assert columns["start"].tolist() == ["", "1.5"]


def test_cuts_of_one_file_have_ids_of_their_own(tmp_path: pathlib.Path) -> None:
    text = "file,speaker,start,end\ntapes/one.wav,ann,0,2.5\ntapes/one.wav,bob,2.5,\n"
    columns = read_audio_manifest(write(tmp_path, text))
    assert columns["utt_id"].tolist() == ["tapes/one@0", "tapes/one@2.5"]


def test_given_ids_are_kept(tmp_path: pathlib.Path) -> None:
    text = "utt_id,file,speaker\nz,tapes/one.wav,ann\n,tapes/two.wav,bob\n"
    columns = read_audio_manifest(write(tmp_path, text))
    assert columns["utt_id"].tolist() == ["tapes/two", "z"]


def test_without_emotions_no_row_is_labelled(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "file,speaker\ntapes/one.wav,ann\n")
    with caplog.at_level(logging.WARNING):
        columns = read_audio_manifest(tmp_path)
    assert columns["emotion"].tolist() == [""]
    assert "has no column 'emotion'" in caplog.text


def test_a_file_that_is_missing_costs_its_row_later_and_not_the_corpus_now(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "file,speaker,emotion\ntapes/one.wav,ann,x\ntapes/no.wav,ann,x\n")
    with caplog.at_level(logging.WARNING):
        columns = read_audio_manifest(tmp_path)
    assert columns["file"].tolist() == ["tapes/no.wav", "tapes/one.wav"]
    assert "1 of its 2 files do not exist, such as" in caplog.text


def test_a_byte_order_mark_and_windows_lines_are_no_content(
    tmp_path: pathlib.Path,
) -> None:
    path = write(tmp_path, "")
    path.write_bytes(b"\xef\xbb\xbffile,speaker\r\ntapes/one.wav,Zo\xc3\xab\r\n")
    assert read_audio_manifest(tmp_path)["speaker"].tolist() == ["Zoë"]


REFUSED = {
    "no speaker": (
        "file,emotion\ntapes/one.wav,joy\n",
        r"manifest\.csv: no column speaker; it has file, emotion",
    ),
    "no rows": ("file,speaker\n", "a header and no rows"),
    "empty": ("", r"no column file, speaker; it has $"),
    "no file": ("file,speaker\n\n,ann\n", "line 3: the file is empty"),
    "short row": (
        "file,speaker\ntapes/one.wav\n",
        "line 2: expected 2 fields, found 1",
    ),
    "lines inside quotes count": (
        'file,speaker\ntapes/one.wav,"a\nb"\ntapes/two.wav\n',
        "line 4: expected 2 fields",
    ),
    "open quote": ('file,speaker\ntapes/one.wav,"ann\n', "not CSV"),
    "column twice": (
        "file,speaker,file\na,b,c\n",
        "the header names 'file' more than once",
    ),
    "column without a name": (",file,speaker\nx,a,b\n", "column 1 has no name"),
    "end before start": (
        "file,speaker,start,end\ntapes/one.wav,ann,2,1\n",
        r"line 2: start 2 and end 1 are no cut.*0 <= start < end",
    ),
    "empty cut": ("file,speaker,start,end\ntapes/one.wav,ann,1,1\n", "are no cut"),
    "before the file": ("file,speaker,start\ntapes/one.wav,ann,-1\n", "are no cut"),
    "start is a word": (
        "file,speaker,start\ntapes/one.wav,ann,soon\n",
        "line 2: start must be a number such as 0.5, not 'soon'",
    ),
    "valence is not finite": (
        "file,speaker,valence\ntapes/one.wav,ann,nan\n",
        "line 2: valence must be a number such as 0.5, not 'nan'",
    ),
    "the same file twice": (
        "file,speaker\ntapes/one.wav,ann\ntapes/one.wav,bob\n",
        r"line 3: utt_id 'tapes/one' is that of line 2 too; a column utt_id",
    ),
    "absent file": (
        "file,speaker\ntapes/x.wav,ann\nelsewhere/y.wav,ann\n",
        r"2 of its 2 files do not exist, such as .*tapes/x\.wav",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_csv(tmp_path: pathlib.Path, text: str, message: str) -> None:
    write(tmp_path, text)
    with pytest.raises(CorpusError, match=message):
        read_audio_manifest(tmp_path)


REFUSED_JSON = {
    "not JSON": ("{'file': 1}\n", "line 1: not JSON"),
    "not an object": ('\n["a.wav"]\n', "line 2: expected an object"),
    "nested": (
        '{"file": "a", "speaker": {"name": "ann"}}\n',
        "line 1: 'speaker' is a list or an object",
    ),
    "a key is left out": (
        '{"file": "tapes/one.wav", "speaker": "ann"}\n{"file": "tapes/two.wav"}\n',
        "line 2: no speaker",
    ),
}


@pytest.mark.parametrize(
    ("text", "message"), REFUSED_JSON.values(), ids=REFUSED_JSON.keys()
)
def test_refused_json(tmp_path: pathlib.Path, text: str, message: str) -> None:
    path = write(tmp_path, text, "manifest.jsonl")
    with pytest.raises(CorpusError, match=message):
        read_audio_manifest(path)


def test_bytes_that_are_no_text(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "").write_bytes(b"file,speaker\n\x81\xfe,ann\n")
    with pytest.raises(CorpusError, match="line 2: cannot be read as UTF-8"):
        read_audio_manifest(tmp_path)


def test_another_suffix(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match=r"ends in \.csv, .* or \.xlsx, not '\.xls'"):
        read_audio_manifest(write(tmp_path, CSV, "mine.xls"))


def test_a_folder_must_have_one_manifest(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match=r"no such file or folder: .*nowhere"):
        read_audio_manifest(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match=r"no manifest; .*csv and manifest\.jsonl"):
        read_audio_manifest(tmp_path)
    write(tmp_path, CSV)
    write(tmp_path, "{}", "manifest.jsonl")
    with pytest.raises(CorpusError, match="two manifests"):
        read_audio_manifest(tmp_path)


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "manifest.csv"
    write_manifest(path, {"utt_id": np.array(["a"])})
    with pytest.raises(ValueError, match="zip"):
        write_manifest(path, {"utt_id": np.array(["b"]), "speaker": np.array([])})
    assert read_manifest(path, required=())["utt_id"].tolist() == ["a"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "rows", "speakers", "kept"),
    [
        ("emodb", 339, 10, "extra"),
        ("ravdess", 1440, 24, "extra"),
        ("emovo", 588, 6, "extra"),
        ("urdu", 400, 29, "extra"),
        ("ased", 910, 65, "extra"),
        ("fsdd", 3000, 6, "accent"),
    ],
)
def test_real_manifests(
    shared_data: pathlib.Path, name: str, rows: int, speakers: int, kept: str
) -> None:
    columns = read_audio_manifest(shared_data / name)
    assert len(np.unique(columns["utt_id"])) == rows
    assert len(np.unique(columns["speaker"])) == speakers
    assert kept in columns
