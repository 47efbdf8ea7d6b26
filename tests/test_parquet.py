"""Parquet files as Hugging Face's datasets write them: sound, classes and splits."""

import io
import json
import pathlib

import numpy as np
import pyarrow
import pytest
import soundfile
from damaged_recordings import RATE, voice
from pyarrow import parquet

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.audio import read_audio
from dann_jax.data.parquet import unpack_parquet
from dann_jax.data.prepare_table import Given, read_table
from dann_jax.data.readers.catalogue import Reading

FEATURES = {
    "audio": {"_type": "Audio"},
    "label": {"_type": "ClassLabel", "names": ["happy", "sad"]},
}


def sound(seed: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, voice(0.3, seed), RATE, format="FLAC")
    return file.getvalue()


def write(path: pathlib.Path, rows: list[dict]) -> None:
    table = pyarrow.Table.from_pylist(rows)
    about = {"huggingface": json.dumps({"info": {"features": FEATURES}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.replace_schema_metadata(about), path)


@pytest.fixture
def dataset(tmp_path: pathlib.Path) -> pathlib.Path:
    rows = [
        {"audio": {"bytes": sound(0), "path": "a.flac"}, "label": 1, "spk": "ann"},
        {"audio": {"bytes": sound(1), "path": None}, "label": -1, "spk": "bob"},
    ]
    write(tmp_path / "set" / "data" / "train-00000-of-00001.parquet", rows)
    write(tmp_path / "set" / "data" / "test" / "0000.parquet", rows[:1])
    return tmp_path / "set"


def test_sound_classes_and_splits_are_kept(
    dataset: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    reading = Reading(columns={"label": "emotion", "spk": "speaker"})
    given = Given({"parquet": dataset}, reading=reading)
    table = read_table(given, "mine", tmp_path / "data")
    names = ("split", "speaker", "emotion")
    rows = zip(*(table.columns[name].tolist() for name in names), strict=True)
    assert list(rows) == [
        ("test", "ann", "sadness"),
        ("train", "ann", "sadness"),
        ("train", "bob", ""),
    ]
    root = table.roots()["parquet"]
    assert root == tmp_path / "data" / "mine.sound"
    for file, seed in zip(table.columns["file"], (0, 0, 1), strict=True):
        samples = read_audio(root / file, sample_rate=RATE).samples
        np.testing.assert_allclose(samples, voice(0.3, seed), atol=1e-4)


def test_unpacking_again_leaves_what_is_there(
    dataset: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = unpack_parquet(dataset, tmp_path / "sound")
    files = sorted(pathlib.Path(folder).rglob("*.flac"))
    files[0].write_bytes(b"other")
    before = [file.stat().st_mtime_ns for file in files]
    unpack_parquet(dataset, tmp_path / "sound")
    after = [file.stat().st_mtime_ns for file in files]
    assert after[1:] == before[1:]
    assert files[0].read_bytes() == sound(0)


REFUSED = {
    "no column of sound": ([{"label": 1}], "found none among label"),
    "a name alone": (
        [{"audio": {"bytes": None, "path": "a.wav"}}],
        "holds no sound .the name 'a.wav' alone.; save the dataset",
    ),
}


@pytest.mark.parametrize(("rows", "message"), REFUSED.values(), ids=REFUSED)
def test_without_sound_it_is_refused(
    rows: list[dict], message: str, tmp_path: pathlib.Path
) -> None:
    write(tmp_path / "a.parquet", rows)
    with pytest.raises(CorpusError, match=message):
        unpack_parquet(tmp_path / "a.parquet", tmp_path / "sound")


def test_what_is_no_parquet_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match="holds no parquet file"):
        unpack_parquet(tmp_path, tmp_path / "sound")
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(CorpusError, match=r"a\.parquet cannot be read as parquet"):
        unpack_parquet(tmp_path, tmp_path / "sound")
