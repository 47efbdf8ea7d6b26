"""Bundles whose numbers or description nothing can be computed from are refused."""

import json
import pathlib
from collections.abc import Callable

import numpy as np
import pytest
from bundles import hearing_bundle, tone

from dann_jax.bundle import Bundle, BundleError, load_bundle
from dann_jax.bundle.predictions import predict_clips
from dann_jax.bundle.recordings import Clip
from dann_jax.data.features.audio import AudioError


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    hearing_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def change(path: pathlib.Path, name: str, value: float) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    first = next(key for key in arrays if name in key)
    arrays[first] = arrays[first].copy()
    arrays[first].flat[0] = value
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [
        ("standardiser.npz", "scale", 0.0),
        ("standardiser.npz", "scale", -1.0),
        ("standardiser.npz", "scale", np.nan),
        ("standardiser.npz", "scale", np.inf),
        ("standardiser.npz", "mean", np.nan),
        ("standardiser.npz", "mean", 3e38),
        ("parameters.npz", "kernel", 3e38),
        ("parameters.npz", "kernel", -np.inf),
        ("parameters.npz", "bias", np.nan),
    ],
)
def test_numbers_that_make_no_answer_are_refused(
    folder: pathlib.Path, file: str, name: str, value: float
) -> None:
    change(folder / file, name, value)
    with pytest.raises(BundleError, match=f"{file}: array '.*{name}"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"members": [-1]},
        {"members": [{"fold": "a"}]},
        {"members": [{"fold": 1, "seed": 0, "arm": "dann", "step": 7}]},
        {"members": "ab"},
        {"labels": [1, 2, 3]},
        {"labels": ["joy", "joy", "anger"]},
        {"corpora": [None]},
        {"version": True},
        {"version": 99},
        {"max_frames": -1},
        {"max_frames": True},
        {"max_frames": 10**30},
        {
            "modalities": {
                "voice": {"dim": 10**12, "framewise": False, "provenance": {}}
            }
        },
        {"modalities": {"voice": {"dim": True, "framewise": False, "provenance": {}}}},
        {"modalities": {"voice": 3}},
        {"encoder": {"width": "wide"}},
        {"encoder": {"normalisation": [1]}},
        {"heads": {"no_such": 1}},
        {"answer": "guesses"},
    ],
)
def test_a_wild_description_is_refused_in_a_line(
    folder: pathlib.Path, changes: dict
) -> None:
    found = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**found, **changes}))
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "[" * 200_000,
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "null",
    ],
)
def test_json_that_is_no_description_is_refused(
    folder: pathlib.Path, damage: Callable[[str], str]
) -> None:
    text = (folder / "bundle.json").read_text()
    (folder / "bundle.json").write_text(damage(text))
    with pytest.raises(BundleError):
        load_bundle(folder)


def test_an_answer_that_is_no_number_is_an_error(
    folder: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    bundle = load_bundle(folder)
    answers = np.array([[[np.nan, 0, 0]], [[0, 0, 0]]], np.float32)
    monkeypatch.setattr(Bundle, "_outputs", lambda self, *rest: answers)
    with pytest.raises(BundleError, match="not finite numbers"):
        bundle.predict(tone(0, 0.5, 16000), 16000)
    soundfile.write(tmp_path / "a.wav", tone(0, 0.5, 16000), 16000)
    reports: list[str] = []
    clips = [Clip(str(tmp_path / "a.wav"), "a.wav")]
    assert not list(predict_clips(bundle, clips, report=reports.append))
    assert reports == ["a.wav: the model's output is not a finite number"]


def test_integers_are_scaled_and_nonsense_is_refused(folder: pathlib.Path) -> None:
    bundle = load_bundle(folder)
    wave = np.round(tone(1, 0.5, 16000) * 32768).astype(np.int16)
    assert bundle.predict(wave, 16000) == bundle.predict(wave / 32768, 16000)
    for given, rate in (
        (wave, 0),
        (wave, np.nan),
        (wave > 0, 16000),
        (wave[:0], 16000),
    ):
        with pytest.raises(AudioError):
            bundle.predict(given, rate)
