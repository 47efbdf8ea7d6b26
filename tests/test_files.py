"""Files that are whole or absent, and digests of their content."""

import os
import unicodedata

import numpy as np
import pytest

from dann_jax.utils.files import (
    digest_array,
    digest_bytes,
    digest_file,
    on_disk,
    open_whole,
    replace_folder,
    write_whole,
)


def test_a_folder_replaces_an_empty_one_but_nothing_else(tmp_path):
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "a").write_text("1")
    (tmp_path / "empty").mkdir()
    replace_folder(tmp_path / "partial", tmp_path / "empty")
    assert (tmp_path / "empty" / "a").read_text() == "1"
    (tmp_path / "partial").mkdir()
    with pytest.raises(OSError, match="not empty"):
        replace_folder(tmp_path / "partial", tmp_path / "empty")


def test_no_partial_file_stays_after_an_error(tmp_path):
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a", 3)
    assert not list(tmp_path.iterdir())


def test_a_digest_of_a_file_follows_every_bit(tmp_path):
    path = tmp_path / "x"
    content = bytearray(range(256)) * 100
    path.write_bytes(content)
    first = digest_file(path)
    for place in (0, 12_000, 25_599):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert digest_file(path) != first


@pytest.mark.parametrize("dtype", ["f4", "f2", "i8", "?"])
def test_a_digest_of_an_array_is_of_its_values_not_of_its_memory(dtype):
    values = np.arange(5000 * 7).reshape(5000, 7).astype(dtype)
    assert digest_array(values) == digest_array(np.asfortranarray(values))
    assert digest_array(values) != digest_array(values[::-1])
    assert digest_array(values[:1]) != digest_array(values[0])


def test_a_digest_of_a_large_array_reads_all_blocks():
    values = np.zeros((5, 1 << 22), np.float32)
    first = digest_array(values)
    values[-1, -1] = 1e-30
    assert digest_array(values) != first


def test_an_error_that_names_no_file_names_the_one_that_is_written(tmp_path):
    path = tmp_path / "a"
    with pytest.raises(OSError, match="No space left") as full, open_whole(path):
        raise OSError(28, "No space left on device")
    assert full.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_a_digest_of_bytes_is_that_of_a_file_that_holds_them(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_bytes(b"abc") == digest_file(tmp_path / "a")


def test_a_name_is_found_however_the_disk_encodes_it(tmp_path):
    folder = os.path.join(tmp_path, "fr\udce4nkisch")
    os.mkdir(folder)
    table = str(tmp_path / "fränkisch" / "Wärme 1.wav")
    assert on_disk(table) == table
    apart = os.path.join(folder, unicodedata.normalize("NFD", "Wärme 1.wav"))
    old = os.path.join(folder, "W\udce4rme 1.wav")
    for path in (apart, old, table):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
        # An exact name goes before all others.
        assert on_disk(table) == path
        os.remove(path)
        if os.path.dirname(path) == folder and path == old:
            os.rmdir(folder)
    assert on_disk("nowhere.wav") == "nowhere.wav"
    assert on_disk(str(tmp_path / "日本.wav")) == str(tmp_path / "日本.wav")
