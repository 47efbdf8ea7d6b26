"""Encoders that transformers computes, in a process of its own."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from processes import has_modules

from dann_jax.data.features import torch_encoder
from dann_jax.data.features.catalogue import extractor_from, make_extractor
from dann_jax.data.features.extractor import Extractor, compute_each, mismatch

WIDTH, LAYERS = 16, 2

MAKE = """
import sys
import numpy as np
import torch
import transformers

folder = sys.argv[1]
torch.manual_seed(0)
config = transformers.Data2VecAudioConfig(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24,
    conv_dim=(8, 8, 8), conv_stride=(5, 2, 2), conv_kernel=(10, 3, 2),
    num_conv_pos_embeddings=2, num_conv_pos_embedding_groups=4,
    conv_pos_kernel_size=5,
)
model = transformers.Data2VecAudioModel(config).eval()
extract = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
model.save_pretrained(folder)
extract.save_pretrained(folder)
generator = np.random.default_rng(0)
sound = generator.normal(0, 0.1, 3200).astype(np.float32)
inputs = extract(sound, sampling_rate=16000, return_tensors="pt")["input_values"]
with torch.no_grad():
    states = model(inputs, output_hidden_states=True).hidden_states
np.savez(folder + "/expected.npz", sound=sound, states=torch.cat(states).numpy())
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A tiny data2vec-audio with random weights, which Flax has no module for."""
    python = os.environ.get("DANN_JAX_TORCH_PYTHON", sys.executable)
    if not has_modules(python, "torch", "transformers"):
        pytest.skip(
            "no torch and transformers; install dann_jax[transformers], or set "
            "DANN_JAX_TORCH_PYTHON to a Python that has them"
        )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    command = [python, "-c", MAKE, str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def extractor(model: pathlib.Path) -> Extractor:
    """Of the middle layer; each extractor has a process that takes seconds to start."""
    return make_extractor("pretrained", model=model)


def expected(model: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Sound, and all hidden states `[layers, frames, width]`."""
    with np.load(model / "expected.npz") as file:
        return file["sound"], file["states"]


def encoder_of(extractor: Extractor) -> torch_encoder.TorchEncoder:
    """What computes its features."""
    cells = [cell.cell_contents for cell in extractor.compute_batch.__closure__]
    (bound,) = [cell.states for cell in cells if hasattr(cell, "states")]
    return bound.__self__


@pytest.mark.slow
def test_features_are_those_of_transformers(
    model: pathlib.Path, extractor: Extractor
) -> None:
    sound, states = expected(model)
    frames = make_extractor("pretrained", model=model, layers="all", pooling="frames")
    found = frames.compute(sound)
    assert found.shape == (states.shape[1], (LAYERS + 1) * WIDTH)
    wanted = states.transpose(1, 0, 2).reshape(len(found), -1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    found = extractor.compute(sound)
    wanted = np.concatenate([states[1].mean(0), states[1].std(0)])
    np.testing.assert_allclose(found.ravel(), wanted, atol=1e-5)
    (found,) = encoder_of(frames).hidden_states([sound], [2, 0], "mean_std")
    wanted = np.concatenate([states.mean(1), states.std(1)], -1)[[2, 0]]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.slow
def test_the_provenance_says_who_computes_and_makes_the_same_again(
    model: pathlib.Path, extractor: Extractor, tmp_path: pathlib.Path
) -> None:
    made = json.loads(json.dumps(extractor.provenance()))
    assert made["parameters"]["implementation"] == "transformers"
    assert made["parameters"]["layers"] == [1]
    moved = shutil.copytree(model, tmp_path / "elsewhere")
    again = extractor_from(made, folder=moved)
    assert mismatch(made, again.provenance()) is None
    with pytest.raises(ValueError, match="another model: its digest is"):
        extractor_from(made | {"parameters": {"digest": "0" * 32}}, folder=moved)
    with pytest.raises(ValueError, match="pad_to_30s is for Whisper alone"):
        make_extractor("pretrained", model=model, pad_to_30s=True)


@pytest.mark.slow
def test_long_sound_is_cut_and_pooled_as_one(
    model: pathlib.Path, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(extractor)
    monkeypatch.setattr(torch_encoder, "_CHUNK_SECONDS", 0.1)
    sound = expected(model)[0]
    (frames,) = encoder.hidden_states([sound], [0, 1], "frames")
    (found,) = encoder.hidden_states([sound], [0, 1], "mean_std")
    half = encoder.hidden_states([sound[:1600], sound[1600:]], [0, 1], "frames")
    np.testing.assert_array_equal(frames, np.concatenate(half))
    statistics = np.concatenate([frames.mean(0), frames.std(0)], -1)
    np.testing.assert_allclose(found, statistics, atol=1e-5)


@pytest.mark.slow
def test_a_process_that_dies_costs_one_recording(
    model: pathlib.Path, extractor: Extractor
) -> None:
    sound = expected(model)[0]
    before = extractor.compute(sound)
    process = encoder_of(extractor)._process._process
    process.kill()
    process.wait()
    np.testing.assert_array_equal(extractor.compute(sound), before)
    short, good = compute_each(extractor, [sound[:20], sound])
    assert "shorter than" in str(short)
    np.testing.assert_array_equal(good, before)


def foreign(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "data2vec-audio"}')
    return folder


def test_without_torch_one_sentence_says_what_to_install(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("DANN_JAX_TORCH_PYTHON", raising=False)
    message = r"computed by PyTorch: pip install 'dann_jax\[transformers\]', or let"
    with pytest.raises(ValueError, match=message) as refused:
        make_extractor("pretrained", model=foreign(tmp_path / "model"))
    assert "\n" not in str(refused.value)


def test_a_process_that_ends_says_its_last_words(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho out of memory >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("DANN_JAX_TORCH_PYTHON", str(program))
    with pytest.raises(ValueError, match="ended with code 3: out of memory"):
        make_extractor("pretrained", model=foreign(tmp_path / "model"))
