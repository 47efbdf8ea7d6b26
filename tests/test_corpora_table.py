"""The feature table on disk, what refuses it, and what a corpus offers of it."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.frames import Frames
from dann_jax.data.manifest import read_manifest, write_manifest
from dann_jax.data.readers.table import read_feature_table

MANIFEST = """\
utt_id,speaker,emotion,dialogue,turn
a,Ann,anger,one,1
b,Bob,joy,two,0
c,Cat,anger,one,0
d,Ann,joy,one,2
"""
ACOUSTIC = np.arange(8, dtype=np.float32).reshape(4, 2)
LEXICAL = np.arange(12, dtype=np.float16).reshape(4, 3) / 8


def write_table(
    folder: pathlib.Path, manifest: str = MANIFEST, **arrays: Any
) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.csv").write_text(manifest)
    np.savez(folder / "features.npz", **(arrays or {"acoustic": ACOUSTIC}))
    return folder


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "table"


def test_columns_are_the_strings_of_the_manifest(folder: pathlib.Path) -> None:
    corpus = read_feature_table(write_table(folder))
    assert len(corpus) == 4
    assert list(corpus.columns) == ["utt_id", "speaker", "emotion", "dialogue", "turn"]
    assert corpus.column("turn").tolist() == ["1", "0", "0", "2"]


def test_float_matrices_are_modalities_in_float32(folder: pathlib.Path) -> None:
    corpus = read_feature_table(
        write_table(
            folder,
            acoustic=ACOUSTIC,
            acoustic_names=np.array(["pitch", "loudness"]),
            lexical=LEXICAL,
            frames=np.arange(4),
        )
    )
    assert list(corpus.features) == ["acoustic", "lexical"]
    assert all(array.dtype == np.float32 for array in corpus.features.values())
    np.testing.assert_array_equal(corpus.features["acoustic"], ACOUSTIC)
    np.testing.assert_array_equal(corpus.features["lexical"], LEXICAL)
    assert all(flags.all() for flags in corpus.present.values())


def test_rows_are_matched_by_id_where_the_archive_has_ids(folder: pathlib.Path) -> None:
    order = [2, 0, 3, 1]
    corpus = read_feature_table(
        write_table(
            folder,
            utt_id=np.array(list("abcd"))[order],
            acoustic=ACOUSTIC[order],
            acoustic_present=np.array([True, False, True, True])[order],
        )
    )
    np.testing.assert_array_equal(corpus.features["acoustic"], ACOUSTIC)
    assert corpus.present["acoustic"].tolist() == [True, False, True, True]


def test_absent_rows_may_hold_anything(folder: pathlib.Path) -> None:
    values = ACOUSTIC.copy()
    values[1] = np.nan
    flags = np.array([True, False, True, True])
    corpus = read_feature_table(
        write_table(folder, acoustic=values, acoustic_present=flags)
    )
    np.testing.assert_array_equal(corpus.present["acoustic"], flags)
    assert list(corpus.features) == ["acoustic"]


def test_the_name_is_the_corpus_column_or_the_folder(folder: pathlib.Path) -> None:
    assert read_feature_table(write_table(folder)).name == "table"
    manifest = "utt_id,speaker,emotion,corpus\na,Ann,joy,emodb\n"
    table = write_table(folder, manifest, acoustic=ACOUSTIC[:1])
    assert read_feature_table(table).name == "emodb"


def test_recorded_provenance_is_kept(folder: pathlib.Path) -> None:
    write_table(folder)
    (folder / "provenance.json").write_text('{"extractor": "egemaps"}')
    provenance = read_feature_table(folder).provenance
    assert provenance["extractor"] == "egemaps"
    assert provenance["dims"] == {"acoustic": 2}


@pytest.mark.parametrize(
    "text",
    ["[]", "3", "null", '"x"', "{", "[" * 100_000, '{"features": [1]}']
    + ['{"features": {"acoustic": "logmel"}}', '{"features": null}', ""],
)
def test_provenance_of_another_kind_is_refused(folder: pathlib.Path, text: str) -> None:
    write_table(folder)
    (folder / "provenance.json").write_text(text)
    with pytest.raises(CorpusError, match=r"provenance\.json (is not JSON|must hold)"):
        read_feature_table(folder)


def test_a_manifest_reads_back_as_it_was_written(tmp_path: pathlib.Path) -> None:
    columns = {
        "utt_id": np.array(["a", "b"]),
        "speaker": np.array(["Ann", ""]),
        "emotion": np.array(["joy", "joy"]),
        "text": np.array(['Said "no", then left.', "caffè"]),
    }
    write_manifest(tmp_path / "manifest.csv", columns)
    read = read_manifest(tmp_path / "manifest.csv")
    assert list(read) == list(columns)
    for name, column in columns.items():
        np.testing.assert_array_equal(read[name], column)


def test_missing_folder(folder: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match=r"no such folder: .*table"):
        read_feature_table(folder)


@pytest.mark.parametrize("name", ["manifest.csv", "features.npz"])
def test_missing_file(folder: pathlib.Path, name: str) -> None:
    (write_table(folder) / name).unlink()
    with pytest.raises(CorpusError, match=f"table has no {name}"):
        read_feature_table(folder)


REFUSED_MANIFESTS = {
    "missing column": (
        "utt_id,emotion\na,joy\n",
        r"manifest\.csv: no column speaker; it has utt_id, emotion",
    ),
    "no rows": ("utt_id,speaker,emotion\n", r"manifest\.csv has a header and no rows"),
    "short row": (
        "utt_id,speaker,emotion\na,Ann,joy\nb,Bob\n",
        r"manifest\.csv, line 3: expected 3 fields",
    ),
    "long row": (
        "utt_id,speaker,emotion\na,Ann,joy,extra\n",
        r"manifest\.csv, line 2: expected 3 fields",
    ),
    "ids that repeat": (
        "utt_id,speaker,emotion\na,Ann,joy\nb,Bob,joy\na,Ann,joy\nd,Ann,joy\n",
        r"1 utterance ids occur more than once: a$",
    ),
}


@pytest.mark.parametrize(
    ("manifest", "message"), REFUSED_MANIFESTS.values(), ids=REFUSED_MANIFESTS.keys()
)
def test_refused_manifest(folder: pathlib.Path, manifest: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_feature_table(write_table(folder, manifest))


def with_value(row: int, value: float) -> np.ndarray:
    array = ACOUSTIC.copy()
    array[row, 1] = value
    return array


REFUSED_ARRAYS: dict[str, tuple[Mapping[str, np.ndarray], str]] = {
    "too few rows": ({"acoustic": ACOUSTIC[:3]}, r"'acoustic' has shape \(3, 2\)"),
    "too many axes": (
        {"acoustic": ACOUSTIC[:, None]},
        r"'acoustic' has shape \(4, 1, 2\), expected \(4, dim\)",
    ),
    "no float array": ({"acoustic": np.ones((4, 2), int)}, "holds no float array"),
    "NaN": ({"acoustic": with_value(2, np.nan)}, r"1 rows of 'acoustic'.*NaN.*: c$"),
    "infinity": ({"acoustic": with_value(3, -np.inf)}, r"1 rows of 'acoustic'.*: d$"),
    "an id without features": (
        {"utt_id": np.array(list("abcx")), "acoustic": ACOUSTIC},
        r"do not match: 1 manifest ids have no features.*'d'.*, 1 feature rows",
    ),
    "features without an id": (
        {"utt_id": np.array(list("abcdx")), "acoustic": np.ones((5, 2))},
        r"do not match: 0 manifest ids have no features.*, 1 feature rows",
    ),
}


@pytest.mark.parametrize(
    ("arrays", "message"), REFUSED_ARRAYS.values(), ids=REFUSED_ARRAYS.keys()
)
def test_refused_arrays(
    folder: pathlib.Path, arrays: Mapping[str, np.ndarray], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        read_feature_table(write_table(folder, **arrays))


class Trap:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_pickled_objects_are_refused_without_unpickling(folder: pathlib.Path) -> None:
    sprung = folder / "sprung"
    write_table(folder, acoustic=ACOUSTIC, names=np.array([Trap(sprung)], object))
    with pytest.raises(CorpusError, match=r"not an \.npz archive of plain arrays"):
        read_feature_table(folder)
    assert not sprung.exists()
    # The trap works: it is the reader that did not step on it.
    with np.load(folder / "features.npz", allow_pickle=True) as archive:
        archive["names"]
    assert sprung.exists()


def test_an_archive_that_is_no_archive_is_refused(folder: pathlib.Path) -> None:
    (write_table(folder) / "features.npz").write_bytes(b"not a zip file")
    with pytest.raises(CorpusError, match=r"not an \.npz archive of plain arrays"):
        read_feature_table(folder)


def ids(corpus: Corpus, rows: np.ndarray) -> str:
    return "".join(corpus.column("utt_id")[rows])


def test_dialogues_hold_their_turns_in_order(folder: pathlib.Path) -> None:
    corpus = read_feature_table(write_table(folder))
    assert [ids(corpus, rows) for rows in corpus.dialogues()] == ["cad", "b"]


def test_turns_are_ordered_as_numbers(folder: pathlib.Path) -> None:
    manifest = MANIFEST.replace("one,1", "one,10")
    corpus = read_feature_table(write_table(folder, manifest))
    assert [ids(corpus, rows) for rows in corpus.dialogues()] == ["cda", "b"]


def test_start_orders_turns_that_have_no_number(folder: pathlib.Path) -> None:
    manifest = MANIFEST.replace("turn", "start").replace("one,0", "one,1.5")
    corpus = read_feature_table(write_table(folder, manifest))
    assert [ids(corpus, rows) for rows in corpus.dialogues()] == ["acd", "b"]


def test_without_dialogues_every_utterance_is_one(folder: pathlib.Path) -> None:
    manifest = MANIFEST.replace("dialogue", "room")
    corpus = read_feature_table(write_table(folder, manifest))
    assert [ids(corpus, rows) for rows in corpus.dialogues()] == ["a", "b", "c", "d"]


def test_a_turn_that_is_no_number_is_named(folder: pathlib.Path) -> None:
    corpus = read_feature_table(write_table(folder, MANIFEST.replace("one,1", "one,x")))
    with pytest.raises(CorpusError, match="column 'turn' must hold numbers.*'x'"):
        corpus.dialogues()


def test_parties_number_the_speakers_of_each_dialogue(folder: pathlib.Path) -> None:
    corpus = read_feature_table(write_table(folder))
    # Ann and Cat talk in one dialogue, Bob is alone in the other.
    assert corpus.parties().tolist() == [0, 0, 1, 0]
    assert corpus.parties().dtype == np.int32


def test_select_keeps_the_modalities_asked_for(folder: pathlib.Path) -> None:
    arrays = {"acoustic": ACOUSTIC, "lexical": LEXICAL, "visual": ACOUSTIC + 1}
    corpus = read_feature_table(write_table(folder, **arrays))
    selected = corpus.select(("visual", "acoustic"))
    assert list(selected.features) == list(selected.present) == ["visual", "acoustic"]
    np.testing.assert_array_equal(selected.features["visual"], ACOUSTIC + 1)
    assert list(corpus.features) == ["acoustic", "lexical", "visual"]


@pytest.mark.parametrize(("asked", "named"), [(("lexical",), "lexical"), ((), "none")])
def test_select_names_what_is_missing(
    folder: pathlib.Path, asked: tuple[str, ...], named: str
) -> None:
    corpus = read_feature_table(write_table(folder))
    with pytest.raises(CorpusError, match=f"no modality .*{named}.*; it has acoustic"):
        corpus.select(asked)


def test_a_missing_column_is_named(folder: pathlib.Path) -> None:
    corpus = read_feature_table(write_table(folder))
    with pytest.raises(CorpusError, match="no column 'accent'; it has dialogue"):
        corpus.column("accent")


FRAMES = np.arange(12, dtype=np.float32).reshape(6, 2)
LENGTHS = np.array([1, 3, 0, 2])


def frames_of(corpus: Corpus, name: str = "logmel") -> list[np.ndarray]:
    frames = corpus.features[name]
    assert isinstance(frames, Frames)
    return [frames.row(row) for row in range(len(corpus))]


def require_frames(corpus: Corpus, order: list[int]) -> None:
    parts = np.split(FRAMES, np.cumsum(LENGTHS)[:-1])
    for row, part in zip(order, frames_of(corpus), strict=True):
        np.testing.assert_array_equal(part, parts[row])


def test_an_array_with_lengths_is_frames(folder: pathlib.Path) -> None:
    corpus = read_feature_table(
        write_table(folder, acoustic=ACOUSTIC, logmel=FRAMES, logmel_lengths=LENGTHS)
    )
    assert list(corpus.features) == ["acoustic", "logmel"]
    require_frames(corpus, [0, 1, 2, 3])
    assert corpus.provenance["dims"] == {"acoustic": 2, "logmel": 2}


def test_frames_are_matched_by_id(folder: pathlib.Path) -> None:
    ids = np.array(list("cadb"))
    corpus = read_feature_table(
        write_table(folder, utt_id=ids, logmel=FRAMES, logmel_lengths=LENGTHS)
    )
    require_frames(corpus, [1, 3, 0, 2])


def test_separate_arrays_are_read_from_disk(folder: pathlib.Path) -> None:
    write_table(folder)
    np.save(folder / "logmel.npy", FRAMES)
    np.save(folder / "logmel_lengths.npy", LENGTHS)
    corpus = read_feature_table(folder)
    assert list(corpus.features) == ["acoustic", "logmel"]
    require_frames(corpus, [0, 1, 2, 3])
    frames = corpus.features["logmel"]
    assert isinstance(frames, Frames) and isinstance(frames.values, np.memmap)
    # Without an archive, too.
    (folder / "features.npz").unlink()
    assert list(read_feature_table(folder).features) == ["logmel"]


def test_absent_frames_may_hold_anything(folder: pathlib.Path) -> None:
    values = np.where(np.arange(6)[:, None] == 2, np.nan, FRAMES)
    arrays = {"logmel": values, "logmel_lengths": LENGTHS}
    with pytest.raises(CorpusError, match=r"1 rows of 'logmel' hold NaN.*: b$"):
        read_feature_table(write_table(folder, **arrays))
    present = np.array([True, False, True, True])
    corpus = read_feature_table(write_table(folder, **arrays, logmel_present=present))
    np.testing.assert_array_equal(corpus.present["logmel"], present)


REFUSED_LENGTHS: dict[str, tuple[np.ndarray, str]] = {
    "too few": (LENGTHS[:3], r"'logmel_lengths' has shape \(3,\).*expected \(4,\)"),
    "not whole": (LENGTHS / 2, "type float64, expected .* whole numbers"),
    "negative": (np.array([1, -1, 3, 3]), "none negative"),
    "another sum": (LENGTHS + 1, r"add up to 10 frames, the array has shape \(6, 2\)"),
}


@pytest.mark.parametrize(
    ("lengths", "message"), REFUSED_LENGTHS.values(), ids=REFUSED_LENGTHS.keys()
)
def test_refused_lengths(
    folder: pathlib.Path, lengths: np.ndarray, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        read_feature_table(write_table(folder, logmel=FRAMES, logmel_lengths=lengths))


def test_refused_separate_arrays(folder: pathlib.Path) -> None:
    write_table(folder)
    np.save(folder / "acoustic.npy", ACOUSTIC)
    with pytest.raises(CorpusError, match=r"'acoustic' is in features\.npz too"):
        read_feature_table(folder)
    np.save(folder / "acoustic.npy", np.array([Trap(folder / "sprung")], object))
    (folder / "features.npz").unlink()
    with pytest.raises(CorpusError, match=r"acoustic\.npy is not a plain array"):
        read_feature_table(folder)
    assert not (folder / "sprung").exists()
