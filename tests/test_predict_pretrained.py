"""Bundles whose features a pretrained encoder makes: sound in, answers out."""

import dataclasses
import pathlib
import re
import shutil

import numpy as np
import pytest
import soundfile
from bundles import tiny_description, tone, write_tiny, write_tones
from commands import call as call
from etils import epath
from pretrained_models import FIXTURES

from dann_jax.bundle import (
    Bundle,
    BundleError,
    audio_features,
    load_bundle,
    predictions,
)
from dann_jax.bundle.card import model_card
from dann_jax.bundle.description import Modality
from dann_jax.bundle.predictions import predict_clips
from dann_jax.bundle.recordings import Clip
from dann_jax.cli import predict as predict_command
from dann_jax.data.features.catalogue import extractor_from, make_extractor
from dann_jax.data.features.extractor import mismatch
from dann_jax.data.features.pretrained_folder import card_of

MODEL = FIXTURES / "whisper"
SECONDS = {"a.wav": 0.5, "b.wav": 0.7, "c.wav": 0.3, "d.wav": 0.9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("tones")
    write_tones(folder, SECONDS)
    write_tones(folder / "short", {"short.wav": 0.01})
    (folder / "text.wav").write_text("this is no sound")
    return folder


@pytest.fixture(scope="module", params=["mean_std", "frames"])
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """A bundle that hears sound through the encoder, and functionals beside it."""
    made = {
        "pretrained": make_extractor("pretrained", model=MODEL, pooling=request.param),
        "functionals": make_extractor("functionals"),
    }
    heard = {
        name: [np.atleast_2d(e.compute(tone(n, 0.5, 16000))) for n in range(4)]
        for name, e in made.items()
    }
    moments = {}
    for name, rows in heard.items():
        values = np.concatenate(rows)
        pair = (values.mean(0), values.std(0) + 1)
        moments[name] = tuple(np.float32([moment] * 2) for moment in pair)
    modalities = {
        name: Modality(e.dim, e.framewise, e.provenance()) for name, e in made.items()
    }
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    write_tiny(folder, tiny_description(modalities), moments)
    return folder


@pytest.fixture
def bundle(written: pathlib.Path) -> Bundle:
    return load_bundle(written, encoder=MODEL)


def answers(bundle: Bundle, *files: pathlib.Path, **options) -> dict[str, np.ndarray]:
    clips = [Clip(str(file), file.name) for file in files]
    options = {"report": pytest.fail} | options
    return {
        own.clip.name: np.array(list(own.prediction.probabilities.values()))
        for own in predict_clips(bundle, clips, **options)
    }


def test_a_file_sounds_alone_as_it_does_among_others(
    bundle: Bundle, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [folder / name for name in SECONDS]
    sizes: list[int] = []

    def counted(extractor, inputs):
        sizes.append(len(inputs))
        return compute_each(extractor, inputs)

    compute_each = audio_features.compute_each
    monkeypatch.setattr(audio_features, "compute_each", counted)
    together = answers(bundle, *files)
    assert sizes == [4]
    monkeypatch.setattr(predictions, "_MOST_SECONDS", 1.0)
    bounded = answers(bundle, *files, batch_size=3)
    assert sizes[1:] == [2, 1, 1]
    assert list(together) == list(bounded) == list(SECONDS)
    for file in files:
        alone = bundle.predict(*soundfile.read(file, dtype="float32"))
        for found in (together[file.name], bounded[file.name]):
            np.testing.assert_allclose(
                found, list(alone.probabilities.values()), atol=1e-5
            )


def test_what_cannot_be_encoded_costs_one_file(
    bundle: Bundle, folder: pathlib.Path
) -> None:
    reports: list[str] = []
    files = [
        folder / name for name in ("a.wav", "text.wav", "short/short.wav", "b.wav")
    ]
    found = answers(bundle, *files, report=reports.append)
    assert list(found) == ["a.wav", "b.wav"]
    assert len(reports) == 2
    assert any("text.wav: is not audio" in reason for reason in reports)
    assert any("short.wav: " in reason and "shorter" in reason for reason in reports)


def test_more_frames_than_a_network_takes_are_refused_by_file(
    bundle: Bundle, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_features, "MOST_FRAMES", 40)
    reports: list[str] = []
    files = [folder / name for name in SECONDS]
    found = answers(bundle, *files, report=reports.append)
    framewise = bundle.description.modalities["pretrained"].framewise
    assert list(found) == [n for n in SECONDS if not framewise or n != "d.wav"]
    assert all("d.wav: has 45 frames" in reason for reason in reports)


def test_without_its_folder_the_encoder_is_asked_for(
    written: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Where nobody has read the model before.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(BundleError, match="the folder whisper of .*--encoder=DIR"):
        load_bundle(written).extractors()
    with pytest.raises(BundleError, match="another model: its digest is .*--encoder"):
        load_bundle(written, encoder=FIXTURES / "wavlm").extractors()
    with pytest.raises(BundleError, match="no such folder: nowhere; .*--encoder"):
        load_bundle(written, encoder="nowhere").extractors()
    shutil.copytree(MODEL, tmp_path / "whisper")
    assert load_bundle(written).extractors()
    assert load_bundle(written, encoder=MODEL).member(0).extractors()


def test_where_the_encoder_was_read_before_no_flag_is_needed(
    written: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = pathlib.Path(shutil.copytree(MODEL, tmp_path / "models" / "mine"))
    monkeypatch.chdir(folder.parent)
    # By a path from there; what is noted is one from anywhere.
    make_extractor("pretrained", model="mine")
    monkeypatch.chdir(tmp_path)
    assert load_bundle(written).extractors()
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="the folder whisper of .*--encoder=DIR"):
        load_bundle(written).extractors()


def test_a_bundle_without_one_takes_no_encoder(bundle: Bundle) -> None:
    modalities = dict(bundle.description.modalities)
    del modalities["pretrained"]
    description = dataclasses.replace(bundle.description, modalities=modalities)
    other = dataclasses.replace(bundle, description=description)
    with pytest.raises(BundleError, match="functionals, which need no encoder"):
        other.extractors()


def test_the_command_predicts_with_the_encoder_that_it_is_given(
    written: pathlib.Path, folder: pathlib.Path, call, bundle: Bundle
) -> None:
    words = (f"--model={written}", "--format=jsonl", folder / "a.wav")
    ended = call(predict_command, f"--encoder={MODEL}", *words)
    assert ended.code == 0
    assert re.fullmatch("1 predicted, .* with loading and compiling\n", ended.err)
    assert ended.out.count("\n") == 1
    other = call(predict_command, f"--encoder={FIXTURES}", *words)
    assert other.code == 1
    assert "has no config.json" in other.err
    assert other.err.count("\n") == 1


def test_the_card_names_the_model_and_says_what_to_ask(written: pathlib.Path) -> None:
    (card,) = written.glob("*.md")
    text = " ".join(card.read_text().split())
    assert "of the pretrained model whisper (layers [1]" in text.replace("\\", "")
    assert "check whether the recordings that were tested here" in text
    assert "its licence is: not stated; the data it was trained on: not stated" in text


def test_the_card_repeats_what_the_card_of_the_model_states(
    tmp_path: pathlib.Path,
) -> None:
    folder = pathlib.Path(shutil.copytree(MODEL, tmp_path / "model"))
    head = "license: apache-2.0\ndatasets:\n- librispeech_asr\n- common_voice"
    (folder / "README.md").write_text(f"---\n{head}\n---\n# A model\n---\n")
    extractor = make_extractor("pretrained", model=folder)
    made = extractor.provenance()
    assert made["about"]["datasets"] == ["librispeech_asr", "common_voice"]
    # What is told of a model makes no other features of it.
    assert (
        mismatch(make_extractor("pretrained", model=MODEL).provenance(), made) is None
    )
    assert extractor_from(made, folder=folder).provenance() == made
    modality = Modality(extractor.dim, extractor.framewise, made)
    text = model_card(tiny_description({"pretrained": modality})).replace("\\", "")
    text = " ".join(text.split())
    assert "its licence is: apache-2.0; the data it was trained on" in text
    assert "trained on: librispeech_asr, common_voice. Before" in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# no head",
        "---\n: {",
        "---\n: {\n---\n",
        "---\n- a list\n---\n",
        "---\n\n---\n",
    ],
)
def test_a_card_without_a_head_states_nothing(
    tmp_path: pathlib.Path, text: str
) -> None:
    (tmp_path / "README.md").write_text(text)
    assert card_of(epath.Path(tmp_path)) == {}
    assert card_of(epath.Path(tmp_path / "nowhere")) == {}
