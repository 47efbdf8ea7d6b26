"""What a table or a pickle would unpack to is known before any of it is unpacked."""

import io
import pathlib
import pickle
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest

from dann_jax.data import archive
from dann_jax.data.archive import open_archive, read_archive
from dann_jax.data.corpus import CorpusError
from dann_jax.data.readers.conversation_pickle import read_conversation_pickle
from dann_jax.data.readers.plain_pickle import read_plain_pickle
from dann_jax.data.readers.table import read_feature_table

ROWS = 4


def header(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    file = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def write_table(folder: pathlib.Path, members: dict[str, bytes]) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    rows = "".join(f"u{row},s{row},anger\n" for row in range(ROWS))
    (folder / "manifest.csv").write_text(f"utt_id,speaker,emotion\n{rows}")
    with zipfile.ZipFile(
        folder / "features.npz", "w", zipfile.ZIP_DEFLATED
    ) as features:
        for name, content in members.items():
            features.writestr(f"{name}.npy", content)
    return folder


def zeros(*shape: int) -> bytes:
    return header(shape) + bytes(4 * int(np.prod(shape)))


MIB = 2**20 // 4
BOMBS = {
    "other rows": ({"x": zeros(64 * MIB, 1)}, "expected (4, dim)"),
    "one axis": ({"x": zeros(64 * MIB)}, "expected (4, dim)"),
    "ids of two axes": ({"x": zeros(4, 2), "utt_id": zeros(64 * MIB, 1)}, "'utt_id'"),
    "lengths": (
        {"x": zeros(4, 2), "x_lengths": zeros(64 * MIB)},
        "'x_lengths' has shape",
    ),
    "flags": ({"x": zeros(4, 2), "x_present": zeros(64 * MIB)}, "'x_present' has"),
}


@pytest.mark.parametrize(("members", "message"), BOMBS.values(), ids=BOMBS)
def test_what_does_not_fit_is_refused_before_it_is_unpacked(
    members: dict[str, bytes], message: str, tmp_path: pathlib.Path
) -> None:
    table = write_table(tmp_path / "table", members)
    tracemalloc.start()
    try:
        with pytest.raises(CorpusError) as refusal:
            read_feature_table(table)
        assert message in str(refusal.value)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_what_takes_more_memory_than_there_is_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_table(tmp_path / "table", {"x": zeros(ROWS, MIB)})
    assert read_feature_table(table).features["x"].shape == (ROWS, MIB)
    monkeypatch.setattr(archive, "available_memory", lambda: 2**20)
    with pytest.raises(CorpusError, match=r"unpacks to .* 'x' of shape \(4, 262144\)"):
        read_feature_table(table)
    with pytest.raises(CorpusError, match="unpacks to"):
        read_archive(table / "features.npz")


def test_what_no_modality_needs_is_not_unpacked(tmp_path: pathlib.Path) -> None:
    rest = {"numbers": header((10**9,), "<i4"), "x_names": header((10**9,), "<U9")}
    table = write_table(tmp_path / "table", {"x": zeros(ROWS, 2)})
    with zipfile.ZipFile(table / "features.npz", "a") as features:
        features.writestr("other.npy", header((3,), "<i4") + bytes(12))
    assert list(read_feature_table(table).features) == ["x"]
    write_table(table, {"x": zeros(ROWS, 2), **rest})
    with pytest.raises(CorpusError, match="declares shape"):
        open_archive(table / "features.npz")


@pytest.mark.parametrize(
    "content",
    [
        header((10**12, 10**12)),
        header((-1,)),
        header((2**70,)) + b"x",
        header((1,), "|O") + b"x",
        b"\x93NUMPY\x03\x00",
        b"not an array",
        b"",
    ],
    ids=range(7),
)
def test_headers_that_cannot_be_are_refused(
    content: bytes, tmp_path: pathlib.Path
) -> None:
    table = write_table(tmp_path / "table", {"x": content})
    with pytest.raises(CorpusError, match="not an .npz archive of plain arrays"):
        read_feature_table(table)


@pytest.mark.parametrize("ids", [np.zeros((4, 1), "U2"), np.zeros(4), np.zeros(4, "?")])
def test_ids_that_are_no_list_of_texts_are_refused(
    ids: np.ndarray, tmp_path: pathlib.Path
) -> None:
    table = write_table(tmp_path / "table", {})
    np.savez(table / "features.npz", x=np.zeros((4, 2)), utt_id=ids)
    with pytest.raises(CorpusError, match=r"array 'utt_id' has shape .* expected"):
        read_feature_table(table)


def nested(times: int) -> tuple:
    value: tuple = ()
    for _ in range(times):
        value = (value, value)
    return value


class Hashed:
    """Pickles as a dict or a set of a value, which is not hashed to make it."""

    def __init__(self, make: type, value: Any) -> None:
        self.made = make, value

    def __reduce__(self) -> tuple:
        make, value = self.made
        return make, ([(value, 1)] if make is dict else [value],)


def with_opcodes(value: Any, start: bytes, end: bytes) -> bytes:
    """The value, as a key, between instructions."""
    return start + pickle.dumps(value, 2)[2:-1] + end


KEYS = {
    "SETITEM": with_opcodes(nested(60), b"\x80\x02}", b"K\x01s."),
    "SETITEMS": with_opcodes(nested(60), b"\x80\x02}(", b"K\x01u."),
    "DICT": with_opcodes(nested(60), b"\x80\x02(", b"K\x01d."),
    "ADDITEMS": with_opcodes(nested(60), b"\x80\x04\x8f(", b"\x90."),
    "FROZENSET": with_opcodes(nested(60), b"\x80\x04(", b"\x91."),
    "set": pickle.dumps(Hashed(set, nested(60)), 2),
    "frozenset": pickle.dumps(Hashed(frozenset, nested(60)), 2),
    "OrderedDict": with_opcodes(
        nested(60), b"\x80\x02ccollections\nOrderedDict\n](", b"K\x01\x86e\x85R."
    ),
    "str": pickle.dumps(Hashed(str, nested(60)), 2),
}


@pytest.mark.parametrize("content", KEYS.values(), ids=KEYS)
def test_nested_keys_are_refused_at_once(
    content: bytes, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "features.pkl"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"features\.pkl"):
        read_plain_pickle(path)


def test_plain_keys_are_read(tmp_path: pathlib.Path) -> None:
    value = {"a": 1, 2: {("b", 3)}, None: frozenset([b"x"]), (1, 2): {}}
    path = tmp_path / "features.pkl"
    for version in range(pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps(value, version))
        assert read_plain_pickle(path) == value


@pytest.mark.parametrize("place", range(9))
def test_values_that_would_take_years_to_write_out_are_refused(
    place: int, tmp_path: pathlib.Path
) -> None:
    one = {"Ses01F_impro01": [nested(60)]}
    entries: list = [one, one, {"Ses01F_impro01": [0]}, one, one, one, one, [], []]
    entries[place] = entries[place] or [nested(60)]
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps(tuple(entries)))
    with pytest.raises(CorpusError, match="more often than features do"):
        read_conversation_pickle(path)
