"""Modules are found under the paths that they had in earlier versions."""

import importlib
import pathlib
import subprocess
import sys

import pytest

import dann_jax
from dann_jax.utils.earlier_paths import MOVED

ROOT = pathlib.Path(dann_jax.__file__).parent


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_earlier_path_is_the_module_itself(old: str) -> None:
    place = ROOT.joinpath(*old.split("."))
    assert not place.with_suffix(".py").exists()
    assert not (place / "__init__.py").exists()
    new = importlib.import_module(f"dann_jax.{MOVED[old]}")
    sys.modules.pop(f"dann_jax.{old}", None)
    with pytest.warns(DeprecationWarning, match=f"dann_jax.{MOVED[old]}"):
        found = importlib.import_module(f"dann_jax.{old}")
    assert found is new
    assert new.__spec__.name == new.__name__ == f"dann_jax.{MOVED[old]}"


def test_names_of_what_moved_as_a_whole_are_the_same_objects() -> None:
    code = """
from dann_jax.features.audio import AudioError, read_audio
from dann_jax.corpora.corpus import CorpusError
from dann_jax.corpora import open_corpus
import dann_jax.data.features.audio as audio, dann_jax.data.corpus as corpus
assert read_audio is audio.read_audio and CorpusError is corpus.CorpusError
import dann_jax.features.long_ago
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "No module named 'dann_jax.data.features.long_ago'" in done.stderr
