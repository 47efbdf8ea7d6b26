"""The TFDS store: what goes in comes out, and nothing else is mistaken for it."""

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.frames import Frames
from dann_jax.data.readers.table import read_feature_table
from dann_jax.data.store import SPLIT, open_arrays, read_store, write_store
from dann_jax.data.store.arrays import ModalityShape, Piece, save_arrays, write_arrays
from dann_jax.data.store.reading import cache_folder

COLUMNS = {
    "utt_id": ["u0", "u1", "u2", "u3", "u4"],
    "speaker": ["Ann", "Bob", "Ann", "Cat", ""],
    "turn": ["2", "0", "0", "1", "10"],
    "dialogue": ["two", "one", "two", "two", "two"],
    "a/text": ['"Sì", she said', "", "line\nbreak", "né", "x"],
}


@pytest.fixture(autouse=True)
def _cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


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
            "frames": Frames(
                rng.normal(size=(9, 4)).astype(np.float32), np.array([2, 0, 3, 1, 3])
            ),
        },
        present={
            "frames": np.array([True, False, True, True, True]),
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
        values = read.features[name]
        if isinstance(array, Frames):
            np.testing.assert_array_equal(values.lengths, array.lengths)
            values, array = values.values, array.values
        assert isinstance(values, np.memmap)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values.view(np.uint32), array.view(np.uint32))
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
    # The frames of all turns, one turn after the other.
    assert two["lengths"]["frames"].tolist() == [3, 1, 2, 3]
    np.testing.assert_array_equal(
        two["features"]["frames"],
        corpus.features["frames"].values[[2, 3, 4, 5, 0, 1, 6, 7, 8]],
    )


def test_the_folder_is_named_after_the_corpus_and_the_layout(
    store: pathlib.Path,
) -> None:
    assert store.parts[-2:] == ("ana_co_", "2.0.0")
    assert [path.name for path in store.parents[1].iterdir()] == ["ana_co_"]


def test_writing_leaves_nothing_in_the_folder_of_temporary_files(
    corpus: Corpus, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    read_store(write_store(corpus, tmp_path / "data"))
    assert not list((tmp_path / "tmp").iterdir())
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["ana_co_"]


def test_a_store_is_not_overwritten(corpus: Corpus, store: pathlib.Path) -> None:
    other = dataclasses.replace(corpus, provenance={"extractor": "another"})
    with pytest.raises(CorpusError, match="ana_co_/2.0.0 exists; delete it"):
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
    assert not list(tmp_path.rglob("2.0.0"))
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
    folder.mkdir(parents=True)
    for path in store.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def without_info(folder: pathlib.Path) -> None:
    (folder / "dataset_info.json").unlink()


def of_another_dataset(folder: pathlib.Path) -> None:
    edit_metadata(folder, lambda metadata: {"labels": 10})


def of_a_later_layout(folder: pathlib.Path) -> None:
    edit_metadata(folder, lambda metadata: metadata | {"version": "3.0.0"})


def without_records(folder: pathlib.Path) -> None:
    next(folder.glob("*.tfrecord*")).unlink()


def with_half_a_record(folder: pathlib.Path) -> None:
    records = next(folder.glob("*.tfrecord*"))
    records.write_bytes(records.read_bytes()[:-40])


def with_a_row_too_few(folder: pathlib.Path) -> None:
    edit_metadata(folder, lambda metadata: metadata | {"rows": 6})


def edit_metadata(folder: pathlib.Path, edit: Callable[[dict], object]) -> None:
    """Make it say something else, in a store of a version that kept no checksums."""
    (folder / "checksums.txt").unlink(missing_ok=True)
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata.pop("checksums", None)
    (folder / "metadata.json").write_text(json.dumps(edit(metadata)))


def test_the_second_reading_is_of_the_cache(
    corpus: Corpus, store: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_same(read_store(store), corpus)

    def never(folder: pathlib.Path, **what: bool) -> None:
        raise AssertionError("the records were read again")

    monkeypatch.setattr("dann_jax.data.store.reading._examples", never)
    assert_same(read_store(store), corpus)


def flip(path: pathlib.Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def zero_half(path: pathlib.Path, rng: np.random.Generator) -> None:
    """What a power loss leaves of a file that was renamed before it was on the disk."""
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + bytes(len(content) - half))


def empty(path: pathlib.Path, rng: np.random.Generator) -> None:
    path.write_bytes(b"")


def remove(path: pathlib.Path, rng: np.random.Generator) -> None:
    path.unlink()


@pytest.fixture(scope="module")
def arrays(
    store: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """What reading the store leaves in an empty cache."""
    cache = tmp_path_factory.mktemp("arrays")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        read_store(store)
    return cache


CACHED = ("0.npy", "1.npy", "2.npy", "table.npz", "corpus.json", "checksums.txt")
SPOIL = (flip, zero_half, empty, remove)


@pytest.mark.parametrize("spoil", SPOIL)
@pytest.mark.parametrize("name", CACHED)
def test_a_damaged_cache_is_made_again(
    corpus: Corpus,
    store: pathlib.Path,
    arrays: pathlib.Path,
    name: str,
    spoil: Callable[[pathlib.Path, np.random.Generator], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copytree(arrays, os.environ["XDG_CACHE_HOME"], dirs_exist_ok=True)
    (cached,) = pathlib.Path(cache_folder() / "stores").iterdir()
    assert sorted(CACHED) == sorted(path.name for path in cached.iterdir())
    spoil(cached / name, np.random.default_rng(0))
    assert_same(read_store(store), corpus)
    assert f"it is the cache of {store} and is made again" in caplog.text
    assert list(cached.parent.iterdir()) == [cached]
    caplog.clear()
    assert_same(read_store(store), corpus)
    assert not caplog.text


@pytest.mark.parametrize("spoil", SPOIL)
def test_a_damaged_store_is_refused_with_the_file(
    store: pathlib.Path,
    tmp_path: pathlib.Path,
    spoil: Callable[[pathlib.Path, np.random.Generator], None],
) -> None:
    names = sorted(path.name for path in store.iterdir())
    assert len(names) == 5
    for name in names:
        folder = copy_of(store, tmp_path / name)
        spoil(folder / name, np.random.default_rng(1))
        with pytest.raises(CorpusError, match=name) as refused:
            read_store(folder)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        "3",
        '"x"',
        "{",
        "[" * 100_000,
        '{"layout": "dann_jax.store"}',
        "\xff",
    ],
)
def test_metadata_of_another_kind_is_refused(
    store: pathlib.Path, tmp_path: pathlib.Path, text: str
) -> None:
    folder = copy_of(store, tmp_path)
    (folder / "checksums.txt").unlink()
    (folder / "metadata.json").write_bytes(text.encode("latin1"))
    with pytest.raises(CorpusError, match=r"copy is damaged: metadata\.json"):
        read_store(folder)


WRONG = {
    "rows": "5",
    "columns": {"a": 1},
    "modalities": ["text", "lost"],
    "dims": {"text": "3"},
    "framewise": "frames",
    "provenance": [],
    "version": 2,
    "name": None,
}


@pytest.mark.parametrize("key", WRONG)
def test_metadata_that_says_odd_things_is_refused(
    store: pathlib.Path, tmp_path: pathlib.Path, key: str
) -> None:
    folder = copy_of(store, tmp_path)
    edit_metadata(folder, lambda metadata: metadata | {key: WRONG[key]})
    with pytest.raises(CorpusError, match="copy is damaged: metadata.json"):
        read_store(folder)


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "[" * 100_000, '{"splits": 3}'])
def test_what_tfds_cannot_read_of_an_old_store_is_one_sentence(
    store: pathlib.Path, tmp_path: pathlib.Path, name: str, text: str
) -> None:
    folder = copy_of(store, tmp_path)
    edit_metadata(folder, lambda metadata: metadata)
    (folder / name).write_text(text)
    with pytest.raises(CorpusError, match="copy is damaged") as refused:
        read_store(folder)
    assert "\n" not in str(refused.value)


def test_what_a_killed_reader_left_is_removed(
    corpus: Corpus, store: pathlib.Path
) -> None:
    read_store(store)
    (cached,) = pathlib.Path(cache_folder() / "stores").iterdir()
    cached.rename(cached.with_name(f"{cached.name}.1.partial"))
    cached.with_name(f"{cached.name}.lock").write_text("")
    assert_same(read_store(store), corpus)
    assert list(cached.parent.iterdir()) == [cached]


def test_a_cache_that_cannot_be_written_is_named(
    store: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CorpusError, match="cannot be unpacked.*let XDG_CACHE_HOME"):
        read_store(store)


def test_arrays_are_written_in_any_order(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    whole = save_arrays(tmp_path / "whole", corpus)
    assert_same(whole, corpus)
    lengths = corpus.features["frames"].lengths
    rows = np.array([4, 2, 0])
    frames = corpus.features["frames"]
    pieces = [
        Piece(np.array([3, 1]), {"frames": frames.take(np.array([3, 1])).values}),
        Piece(rows, {"frames": frames.take(rows).values}),
    ]
    shapes = {"frames": ModalityShape(4, True, lengths)}
    made = write_arrays(tmp_path / "pieces", corpus, shapes, pieces)
    np.testing.assert_array_equal(made.features["frames"].values, frames.values)


def test_arrays_that_are_half_written_are_not_there(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    def pieces() -> Iterator[Piece]:
        yield Piece(np.array([0]), {"frames": np.zeros((2, 4))})
        raise KeyboardInterrupt

    shapes = {"frames": ModalityShape(4, True, corpus.features["frames"].lengths)}
    with pytest.raises(KeyboardInterrupt):
        write_arrays(tmp_path / "arrays", corpus, shapes, pieces())
    assert not list(tmp_path.iterdir())


def test_of_two_that_write_the_same_arrays_one_wins(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    frames = corpus.features["frames"]

    def pieces() -> Iterator[Piece]:
        # Meanwhile, another process.
        save_arrays(tmp_path / "other", corpus)
        (tmp_path / "other").rename(tmp_path / "arrays")
        yield Piece(np.arange(5), {"frames": frames.values})

    shapes = {"frames": ModalityShape(4, True, frames.lengths)}
    write_arrays(tmp_path / "arrays", corpus, shapes, pieces())
    assert_same(open_arrays(tmp_path / "arrays"), corpus)
    assert [path.name for path in tmp_path.iterdir()] == ["arrays"]


def test_notes_lie_beside_the_records(corpus: Corpus, tmp_path: pathlib.Path) -> None:
    store = write_store(corpus, tmp_path, notes={"problems.csv": "utt_id\n"})
    assert (store / "problems.csv").read_text() == "utt_id\n"
    assert_same(read_store(store), corpus)


def test_the_fields_of_a_record_are_in_order(store: pathlib.Path) -> None:
    import tensorflow as tf

    # So that equal corpora make equal bytes, in whatever process.
    (path,) = store.glob("*.tfrecord*")
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        assert record == example.SerializeToString(deterministic=True)
        names = [name.encode() for name in example.features.feature]
        places = [record.index(b"\n" + bytes([len(n)]) + n) for n in sorted(names)]
        assert places == sorted(places)


@pytest.mark.slow
def test_a_large_corpus_is_written_in_several_shards(tmp_path: pathlib.Path) -> None:
    # Two dialogues of 80 MB: TFDS makes shards of 64 MB at least.
    ids = np.array(["a", "b", "c", "d"])
    frames = Frames(np.zeros((10000, 4096), np.float32), np.array([9000, 990, 9, 1]))
    large = Corpus(
        name="large",
        columns={"utt_id": ids, "speaker": ids},
        features={"frames": frames},
        present={"frames": np.ones(4, bool)},
    )
    store = write_store(large, tmp_path)
    assert len(list(store.glob("*.tfrecord*"))) == 2
    assert_same(read_store(store), large)


def test_a_runner_needs_beam(
    corpus: Corpus, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CorpusError, match=r"pip install 'dann_jax\[beam\]'"):
        write_store(corpus, tmp_path, runner="DirectRunner")
    assert not list(tmp_path.rglob("*.tfrecord*"))


@pytest.mark.beam
def test_beam_writes_the_same_corpus(corpus: Corpus, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("apache_beam", reason="needs pip install 'dann_jax[beam]'")
    store = write_store(corpus, tmp_path, runner="DirectRunner")
    assert_same(read_store(store), corpus)
    # The arrays that its workers read are gone.
    assert [path.name for path in store.parent.iterdir()] == [store.name]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_info, r"no dataset_info\.json; expected the folder that write_store"),
        (of_another_dataset, "is another TensorFlow dataset; expected the folder"),
        (of_a_later_layout, r"version 3\.0\.0, this package reads 2\.0\.0"),
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
