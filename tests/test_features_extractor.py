"""Provenance, its comparison, the words for extractors, and the raw waveform."""

import json
import subprocess
import sys

import numpy as np
import pytest

import dann_jax
from dann_jax.data.features.catalogue import EXTRACTORS, make_extractor
from dann_jax.data.features.extractor import mismatch, package_differences
from dann_jax.data.features.spectral import logmel
from dann_jax.data.features.waveform import waveform

OTHER = {
    "logmel": {
        "n_mels": 40,
        "window": 0.03,
        "hop": 0.02,
        "fmin": 50,
        "fmax": 7000,
        "floor": 1e-8,
        "sample_rate": 22050,
    },
    "mfcc": {
        "n_mfcc": 12,
        "deltas": 1,
        "n_mels": 30,
        "window": 0.03,
        "hop": 0.02,
        "fmin": 50,
        "fmax": 7000,
        "floor": 1e-8,
        "sample_rate": 22050,
    },
    "prosody": {
        "fmin": 50,
        "fmax": 500,
        "window": 0.03,
        "hop": 0.02,
        "sample_rate": 22050,
    },
    "functionals": {"fmin": 50, "fmax": 500, "hop": 0.02, "sample_rate": 22050},
    "waveform": {"hop": 0.02, "sample_rate": 8000},
}
CASES = [(name, key) for name, others in OTHER.items() for key in others]


@pytest.mark.parametrize(("name", "key"), CASES)
def test_any_other_parameter_changes_the_hash(name: str, key: str) -> None:
    usual = make_extractor(name).provenance()
    other = make_extractor(name, **{key: OTHER[name][key]}).provenance()
    assert other["hash"] != usual["hash"]
    assert f"{key} (expected " in mismatch(usual, other)


@pytest.mark.parametrize("name", OTHER)
def test_every_parameter_of_a_constructor_is_in_the_provenance(name: str) -> None:
    about = make_extractor(name).provenance()
    assert {*OTHER[name]} == {*about["parameters"], "sample_rate"}
    assert json.loads(json.dumps(about)) == about
    assert about == make_extractor(name).provenance()


def test_equal_numbers_of_another_type_are_the_same_features() -> None:
    assert logmel(fmin=20).provenance() == logmel(fmin=20.0).provenance()
    assert logmel(fmax=8000).provenance() == logmel().provenance()


def test_packages_change_neither_the_hash_nor_the_match() -> None:
    about = logmel().provenance()
    newer = {**about, "packages": {**about["packages"], "librosa": "99"}}
    assert mismatch(about, newer) is None
    (line,) = package_differences(about, newer)
    assert line.startswith("librosa: expected ") and line.endswith("found 99")
    assert package_differences(about, about) == []


def test_a_mismatch_names_both_sides_and_what_differs() -> None:
    found = logmel(n_mels=40, sample_rate=8000).provenance()
    sentence = mismatch(logmel().provenance(), found)
    assert sentence == (
        "expected features made by logmel, found features made by logmel: they differ "
        "in sample_rate (expected 16000, found 8000), dim (expected 64, found 40), "
        "n_mels (expected 64, found 40), fmax (expected 8000.0, found 4000.0)"
    )


def test_another_extractor_is_a_mismatch_whatever_its_parameters() -> None:
    expected, found = logmel().provenance(), make_extractor("mfcc").provenance()
    assert mismatch(expected, found) == (
        "expected features made by logmel, found features made by mfcc"
    )


@pytest.mark.parametrize("unknown", [None, {}, {"source": "a release"}])
def test_features_of_unknown_making_match_no_known_ones(unknown) -> None:
    assert "found features without a record of how" in mismatch(
        logmel().provenance(), unknown
    )
    assert mismatch(unknown, unknown) is None


def test_a_provenance_read_back_from_json_matches() -> None:
    about = logmel().provenance()
    assert mismatch(about, json.loads(json.dumps(about))) is None


def test_an_unknown_word_lists_the_words() -> None:
    with pytest.raises(ValueError, match="no extractor 'mel'; there are logmel, mfcc"):
        make_extractor("mel")


def test_an_unknown_parameter_lists_the_parameters() -> None:
    with pytest.raises(
        ValueError, match="waveform has no parameter mels, x; it has hop, sample_rate"
    ):
        make_extractor("waveform", mels=3, x=1)


def test_making_extractors_imports_nothing_heavy() -> None:
    program = f"""
import sys
from dann_jax.data.features.catalogue import make_extractor
for name in {list(OTHER)!r}:
    make_extractor(name)
heavy = ("librosa", "numba", "opensmile", "tensorflow", "soundfile")
print([name for name in heavy if name in sys.modules])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=dann_jax.__path__[0] + "/..",
        timeout=120,
    )
    assert ended.stdout.strip() == "[]"


def test_every_word_is_the_name_that_its_features_carry() -> None:
    assert set(OTHER) < set(EXTRACTORS)
    for name in OTHER:
        assert make_extractor(name).name == name


@pytest.mark.parametrize("count", [1, 79, 80, 81, 8000])
def test_a_waveform_in_rows_is_the_waveform(count: int) -> None:
    samples = np.random.default_rng(0).normal(size=count).astype(np.float32)
    rows = waveform(sample_rate=8000).compute(samples)
    assert rows.shape == (-(-count // 80), 80)
    np.testing.assert_array_equal(rows.reshape(-1)[:count], samples)
    assert not rows.reshape(-1)[count:].any()


def test_a_row_that_is_no_whole_number_of_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="is 110.25 samples at 11025 Hz"):
        waveform(sample_rate=11025)


@pytest.mark.parametrize("odd", [[1], "fast", 3, None])
def test_a_provenance_of_odd_kinds_differs_and_breaks_nothing(odd) -> None:
    made = make_extractor("logmel").provenance()
    assert mismatch(made, made | {"parameters": odd})
    assert package_differences(made, made | {"packages": odd})
