"""The TFDS store: what goes in comes out, and nothing else is mistaken for it."""

import dataclasses
import json
import pathlib
from collections.abc import Callable

import numpy as np
import pytest

from dann_jax.corpora.corpus import Corpus, CorpusError
from dann_jax.corpora.table import read_feature_table
from dann_jax.store import SPLIT, read_store, write_store

COLUMNS = {
    "utt_id": ["u0", "u1", "u2", "u3", "u4"],
    "speaker": ["Ann", "Bob", "Ann", "Cat", ""],
    "turn": ["2", "0", "0", "1", "10"],
    "dialogue": ["two", "one", "two", "two", "two"],
    "a/text": ['"Sì", she said', "", "line\nbreak", "né", "x"],
}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Rows out of order, a dialogue of one turn, a missing modality, odd bits."""
    rng = np.random.default_rng(0)
    text = rng.normal(size=(5, 3)).astype(np.float32)
    # A signed zero, the smallest number and a NaN that nobody looks at.
    text[0] = [-0.0, np.finfo(np.float32).smallest_subnormal, 1 / 3]
    text[3] = np.nan
    return Corpus(
        name="ana + co.",
        columns={name: np.array(column) for name, column in COLUMNS.items()},
        features={
            "text": text,
            "audio": rng.normal(size=(5, 2)).astype(np.float32),
        },
        present={
            "text": np.array([True, True, True, False, True]),
            "audio": np.ones(5, bool),
        },
        provenance={"extractor": "dice", "dims": {"text": 3}, "rate_hz": 16000.0},
    )


@pytest.fixture(scope="module")
def store(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return pathlib.Path(write_store(corpus, tmp_path_factory.mktemp("data")))


def assert_same(read: Corpus, written: Corpus) -> None:
    assert read.name == written.name
    assert read.provenance == written.provenance
    assert list(read.columns) == list(written.columns)
    assert list(read.features) == list(written.features)
    for name, column in written.columns.items():
        np.testing.assert_array_equal(read.columns[name], column)
    for name, array in written.features.items():
        assert read.features[name].dtype == np.float32
        np.testing.assert_array_equal(
            read.features[name].view(np.uint32), array.view(np.uint32)
        )
        assert read.present[name].dtype == bool
        np.testing.assert_array_equal(read.present[name], written.present[name])


def test_a_corpus_reads_back_as_it_was(corpus: Corpus, store: pathlib.Path) -> None:
    assert_same(read_store(store), corpus)


def test_a_corpus_without_dialogues_reads_back(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    columns = {name: corpus.columns[name] for name in ("speaker", "utt_id")}
    lone = dataclasses.replace(corpus, columns=columns)
    assert_same(read_store(write_store(lone, tmp_path)), lone)


def test_one_example_a_dialogue_in_the_order_of_its_turns(
    corpus: Corpus, store: pathlib.Path
) -> None:
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(store)
    assert list(builder.info.splits) == [SPLIT]
    examples = {
        example["dialogue"].decode(): example
        for example in tfds.as_numpy(builder.as_dataset(split=SPLIT))
    }
    assert {name: list(e["row"]) for name, e in examples.items()} == {
        "one": [1],
        "two": [2, 3, 0, 4],
    }
    two = examples["two"]
    assert two["columns"]["turn"].tolist() == [b"0", b"1", b"2", b"10"]
    assert two["present"]["text"].tolist() == [True, False, True, True]
    np.testing.assert_array_equal(
        two["features"]["audio"], corpus.features["audio"][[2, 3, 0, 4]]
    )


def test_the_folder_is_named_after_the_corpus_and_the_layout(
    store: pathlib.Path,
) -> None:
    assert store.parts[-2:] == ("ana_co_", "1.0.0")
    assert [path.name for path in store.parents[1].iterdir()] == ["ana_co_"]


def test_a_store_is_not_overwritten(corpus: Corpus, store: pathlib.Path) -> None:
    other = dataclasses.replace(corpus, provenance={"extractor": "another"})
    with pytest.raises(CorpusError, match="ana_co_/1.0.0 exists; delete it"):
        write_store(other, store.parents[1])
    assert read_store(store).provenance == corpus.provenance


def test_a_write_that_dies_leaves_no_store(
    corpus: Corpus, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow_datasets as tfds

    left: list[pathlib.Path] = []

    def die(info: tfds.core.DatasetInfo, folder: str) -> None:
        # By now every record is on disk. What is there is what a kill would leave.
        left.extend(tmp_path.rglob("*.tfrecord*"))
        with pytest.raises(CorpusError, match=r"no dataset_info\.json"):
            read_store(folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tfds.core.DatasetInfo, "write_to_directory", die)
        with pytest.raises(KeyboardInterrupt):
            write_store(corpus, tmp_path)
    assert left
    assert all(path.parent.name.startswith("incomplete.") for path in left)
    assert not list(tmp_path.rglob("1.0.0"))
    assert_same(read_store(write_store(corpus, tmp_path)), corpus)


def test_provenance_that_json_cannot_hold_is_refused_before_writing(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    odd = dataclasses.replace(corpus, provenance={"mean": np.zeros(2)})
    with pytest.raises(CorpusError, match="provenance cannot be stored.*ndarray"):
        write_store(odd, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unsound_corpus_is_not_written(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    present = {**corpus.present, "text": np.ones(5, bool)}
    with pytest.raises(CorpusError, match="1 rows of 'text' hold NaN.*: u3"):
        write_store(dataclasses.replace(corpus, present=present), tmp_path)
    assert not list(tmp_path.iterdir())


def copy_of(store: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in store.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def without_info(folder: pathlib.Path) -> None:
    (folder / "dataset_info.json").unlink()


def of_another_dataset(folder: pathlib.Path) -> None:
    (folder / "metadata.json").write_text('{"labels": 10}')


def of_a_later_layout(folder: pathlib.Path) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps({**metadata, "version": "2.0.0"}))


def without_records(folder: pathlib.Path) -> None:
    next(folder.glob("*.tfrecord*")).unlink()


def with_half_a_record(folder: pathlib.Path) -> None:
    records = next(folder.glob("*.tfrecord*"))
    records.write_bytes(records.read_bytes()[:-40])


def with_a_row_too_few(folder: pathlib.Path) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps({**metadata, "rows": 6}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_info, r"no dataset_info\.json; expected the folder that write_store"),
        (of_another_dataset, "is another TensorFlow dataset; expected the folder"),
        (of_a_later_layout, r"version 2\.0\.0, this package reads 1\.0\.0"),
        (without_records, "copy is damaged"),
        (with_half_a_record, "copy is damaged"),
        (with_a_row_too_few, "damaged: it holds 5 of 6 utterances"),
    ],
)
def test_what_is_no_store_is_refused(
    store: pathlib.Path,
    tmp_path: pathlib.Path,
    spoil: Callable[[pathlib.Path], None],
    message: str,
) -> None:
    folder = copy_of(store, tmp_path)
    assert len(read_store(folder)) == 5
    spoil(folder)
    with pytest.raises(CorpusError, match=message):
        read_store(folder)


def test_a_folder_that_is_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match="nowhere has no dataset_info.json; expected"):
        read_store(tmp_path / "nowhere")


def test_the_real_table_comes_back_bit_for_bit(
    shared_data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    table = read_feature_table(shared_data / "iemocap")
    assert_same(read_store(write_store(table, tmp_path)), table)
