"""The last lines of a command that trains: where the model is, and how to use it."""

import dataclasses
import pathlib

from bundles import hearing_bundle, tiny_bundle
from corpora_and_batches import toy_corpus

from dann_jax.bundle.usage import hears, usage


def test_a_model_of_sound_has_its_path_and_its_command(tmp_path: pathlib.Path) -> None:
    hearing_bundle(tmp_path / "my run" / "bundle")
    path, command = usage(f"{tmp_path}/my run").splitlines()
    assert path == f"model: {tmp_path}/my run/bundle"
    assert f"dann-predict --model='{tmp_path}/my run' RECORDINGS/ >" in command


def test_a_model_of_features_has_no_command_for_sound(tmp_path: pathlib.Path) -> None:
    tiny_bundle(tmp_path / "run" / "bundle", toy_corpus(1))
    assert usage(f"{tmp_path}/run/") == f"model: {tmp_path}/run/bundle"


def test_what_cannot_be_predicted_from_a_recording(tmp_path: pathlib.Path) -> None:
    heard = hearing_bundle(tmp_path / "bundle").description
    assert hears(heard)
    assert not hears(dataclasses.replace(heard, answer="features"))
    assert not hears(dataclasses.replace(heard, standardised_by="speaker"))
