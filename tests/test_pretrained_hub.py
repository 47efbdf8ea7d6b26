"""An encoder by its name: from the Hugging Face cache, or fetched into it."""

import pathlib
import sys
import types

import pytest
from pretrained_models import FIXTURES, copied, equal, refused

from dann_jax.models import pretrained
from dann_jax.models.pretrained.hub import find_folder


@pytest.fixture
def cache(tmp_path, monkeypatch) -> pathlib.Path:
    """An empty Hugging Face cache, and no huggingface_hub."""
    for name in ("HF_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    return tmp_path / "hf" / "hub"


def test_a_name_is_found_in_the_cache(cache) -> None:
    place = cache / "models--some--hubert-base"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("abc\n")
    copied("hubert", place / "snapshots" / "abc")
    model = pretrained.load("some/hubert-base")
    assert model.name == "some/hubert-base"
    assert model.digest == pretrained.load(FIXTURES / "hubert").digest


def test_a_name_that_is_not_there_says_where_and_how(cache) -> None:
    message = refused("some/hubert-base")
    assert str(cache / "models--some--hubert-base") in message
    assert "pip install huggingface_hub" in message
    assert "hf download some/hubert-base" in message


def imitate_hub(monkeypatch, download) -> None:
    """A huggingface_hub that needs no network."""
    errors = types.SimpleNamespace(HfHubHTTPError=RuntimeError)
    hub = types.SimpleNamespace(snapshot_download=download, errors=errors, __path__=())
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)


def test_what_is_not_there_is_fetched_into_the_cache(cache, monkeypatch) -> None:
    def download(name: str, *, cache_dir: str, allow_patterns: list[str]) -> str:
        assert (name, cache_dir) == ("some/hubert-base", str(cache))
        assert "model.safetensors" in allow_patterns
        return str(FIXTURES / "hubert")

    imitate_hub(monkeypatch, download)
    assert equal(
        pretrained.load("some/hubert-base"), pretrained.load(FIXTURES / "hubert")
    )


@pytest.mark.parametrize("kind", [OSError, RuntimeError, ValueError])
def test_what_cannot_be_fetched_says_why(kind, cache, monkeypatch) -> None:
    def download(name: str, **options) -> str:
        raise kind(f"no network for {name}\nmore")

    imitate_hub(monkeypatch, download)
    message = refused("some/hubert-base")
    assert "cannot be fetched (no network for some/hubert-base)" in message


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "a/b/c", "~/models"])
def test_a_folder_that_is_not_there_is_no_name(name: str) -> None:
    with pytest.raises(pretrained.PretrainedError, match="no such folder"):
        find_folder(name)
