"""`dann-export`: ONNX, SavedModel, a folder for the hub, and StableHLO of frames."""

import dataclasses
import pathlib
import re
import subprocess
import sys
from typing import Any

import jax
import jaxtyping
import numpy as np
import pytest
import soundfile
import yaml
from bundles import hearing_bundle, tiny_bundle, write_tones
from commands import Call, assert_refused
from commands import call as call
from corpora_and_batches import toy_corpus
from test_bundle_modes import FRAMEWISE, framed

from dann_jax.bundle import Bundle, BundleError, load_bundle
from dann_jax.bundle.export import export_bundle, flat_prediction, prediction_function
from dann_jax.bundle.export_onnx import drawn_inputs, onnx_difference, onnx_model
from dann_jax.bundle.export_programs import how_to_call
from dann_jax.bundle.formats import write_export
from dann_jax.bundle.onnx import OnnxError, onnx_bytes
from dann_jax.cli import export
from dann_jax.data.corpus import Corpus


@pytest.fixture(autouse=True)
def _symbolic_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What checks the shapes of arrays in tests takes a symbolic size for no number."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


CONTEXT = {"width": 4, "heads": 2, "own_heads": 1, "own_turns": True}


def frames_by(**arguments: Any) -> dict[str, Any]:
    return {**FRAMEWISE, "frames": {"width": 4, **arguments}}


NEEDS = "needs pip install '.[test]'"


NETWORKS = {
    "utterances": (toy_corpus, FRAMEWISE),
    "context": (toy_corpus, CONTEXT),
    "attentive": (framed, frames_by(name="attentive")),
    "tdnn_lstm": (framed, frames_by(name="tdnn_lstm", stride=3)),
    "waveform": (framed, frames_by(name="waveform", steps=3)),
}


def inputs_of(corpus: Corpus, length: int | None = None) -> dict[str, Any]:
    """Every utterance as a dialogue of its own, frames padded to `length`."""
    values, num_frames = {}, {}
    for name, features in corpus.features.items():
        if isinstance(features, np.ndarray):
            values[name] = features[:, None]
            continue
        num_frames[name] = features.lengths[:, None].astype(np.int32)
        size = length or features.lengths.max()
        rows = [features.row(n) for n in range(len(corpus))]
        # What is behind the end must not matter.
        padded = [
            np.pad(row, ((0, size - len(row)), (0, 0)), constant_values=9.0)
            for row in rows
        ]
        values[name] = np.stack(padded)[:, None]
    one = np.ones((len(corpus), 1), bool)
    given = {"inputs": values, "visible": one, "party": one.astype(np.int32) * 0}
    given["present"] = {name: own[:, None] for name, own in corpus.present.items()}
    return given | ({"num_frames": num_frames} if num_frames else {})


def called(bundle: Bundle, corpus: Corpus, length: int | None = None) -> np.ndarray:
    found = jax.jit(prediction_function(bundle))(inputs_of(corpus, length))
    return np.stack([found[name][:, 0] for name in bundle.labels], 1)


@pytest.mark.parametrize("length", [30, 41])
@pytest.mark.parametrize("max_frames", [0, 15])
def test_what_is_exported_of_frames_is_what_the_bundle_predicts(
    max_frames: int, length: int, tmp_path: pathlib.Path
) -> None:
    bundle = tiny_bundle(
        tmp_path / "bundle", framed(), encoder=FRAMEWISE, max_frames=max_frames
    )
    expected = bundle.predict_corpus(framed())
    found = called(bundle, framed(), length)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_stablehlo_takes_frames_of_any_number(tmp_path: pathlib.Path) -> None:
    bundle = tiny_bundle(tmp_path / "bundle", framed(), encoder=FRAMEWISE)
    file = tmp_path / "frames.stablehlo"
    file.write_bytes(export_bundle(bundle).serialize())
    model = jax.export.deserialize(bytearray(file.read_bytes()))
    for length in (30, 37):
        found = model.call(inputs_of(framed(), length))
        found = np.stack([found[name][:, 0] for name in bundle.labels], 1)
        expected = bundle.predict_corpus(framed())
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    exec(how_to_call(bundle, str(file)), {})


@pytest.mark.parametrize("network", NETWORKS)
def test_onnxruntime_answers_as_the_package_for_every_size(
    network: str, tmp_path: pathlib.Path
) -> None:
    pytest.importorskip("onnx", reason=NEEDS)
    onnxruntime = pytest.importorskip("onnxruntime", reason=NEEDS)
    make, encoder = NETWORKS[network]
    corpus = make(1) if make is toy_corpus else make()
    changes = {"max_frames": 15} if make is framed else {}
    bundle = tiny_bundle(tmp_path / "bundle", corpus, encoder=encoder, **changes)
    model = onnxruntime.InferenceSession(onnx_model(bundle))
    function = jax.jit(flat_prediction(bundle)[0])
    for sizes in ((1, 1, 1), (3, 4, 37)):
        names = dict(zip(("dialogues", "turns", "frames"), sizes, strict=True))
        arrays = drawn_inputs(bundle, names)
        found = model.run(bundle.labels, arrays)
        expected = function(arrays)
        for name, answer in zip(bundle.labels, found, strict=True):
            assert answer.shape == sizes[:2]
            np.testing.assert_allclose(answer, expected[name], atol=1e-6)


def test_an_onnx_model_that_answers_otherwise_is_not_written(
    tmp_path: pathlib.Path,
) -> None:
    pytest.importorskip("onnx", reason=NEEDS)
    pytest.importorskip("onnxruntime", reason=NEEDS)
    corpus = toy_corpus(1)
    content = onnx_model(tiny_bundle(tmp_path / "one", corpus))
    other = tiny_bundle(tmp_path / "two", corpus, temperature=3.0)
    with pytest.raises(BundleError, match="onnxruntime answers otherwise"):
        onnx_difference(other, content)


def test_what_has_no_translation_is_refused_by_name() -> None:
    pytest.importorskip("onnx", reason=NEEDS)
    inputs = {"x": jax.ShapeDtypeStruct((4,), "float32")}
    with pytest.raises(OnnxError, match="'cumsum' has no translation"):
        onnx_bytes(lambda arrays: {"y": jax.lax.cumsum(arrays["x"])}, inputs, {})
    with pytest.raises(OnnxError, match="'pad' with padding between elements"):
        onnx_bytes(
            lambda arrays: {"y": jax.lax.pad(arrays["x"], 0.0, [(0, 0, 1)])}, inputs, {}
        )


def test_without_onnx_one_sentence_says_what_to_install(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    tiny_bundle(tmp_path / "bundle", toy_corpus(1))
    output = tmp_path / "model.onnx"
    ended = call(export, f"--model={tmp_path}/bundle", f"--output={output}")
    assert_refused(ended, "pip install 'dann_jax[onnx]'", "stablehlo")
    assert not output.exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--output=m.onnx", "--format=stablehlo"], "ends in .onnx, which is onnx"),
        (["--output=m.onnx", "--format=tflite"], "stablehlo|onnx|savedmodel"),
        (["--output=none/m.stablehlo"], "no such folder: none"),
        (["--output=file", "--format=savedmodel"], "is a file"),
        (["--output=full", "--format=huggingface"], "holds something already"),
        (["--output=full"], "full is a folder; a file is needed"),
    ],
)
def test_where_it_cannot_be_written_it_says_so(
    words: list[str],
    reason: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Call,
) -> None:
    tiny_bundle(tmp_path / "bundle", toy_corpus(1))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").touch()
    assert_refused(call(export, "--model=bundle", *words), reason)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"bundle", "file", "full"}


@pytest.mark.slow
def test_a_saved_model_runs_in_tensorflow_alone(
    tmp_path: pathlib.Path, call: Call
) -> None:
    bundle = tiny_bundle(tmp_path / "bundle", framed(), encoder=FRAMEWISE)
    folder = tmp_path / "saved"
    ended = call(
        export,
        f"--model={tmp_path}/bundle",
        f"--output={folder}",
        "--format=savedmodel",
    )
    assert ended.code == 0, ended.err
    arrays = drawn_inputs(bundle, {"dialogues": 3, "turns": 2, "frames": 21})
    np.savez(tmp_path / "inputs.npz", **arrays)
    program = f"""
import sys
sys.modules.update(dict.fromkeys(("dann_jax", "flax", "jax", "jaxlib")))
import numpy as np
import tensorflow as tf
model = tf.saved_model.load("{folder}").signatures["serving_default"]
arrays = dict(np.load("{tmp_path}/inputs.npz"))
found = model(**{{name: tf.constant(array) for name, array in arrays.items()}})
np.savez("{tmp_path}/found.npz", **{{k: v.numpy() for k, v in found.items()}})
{ended.out.partition(chr(10) * 2)[2]}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, timeout=240, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    # The program that the command printed has run behind it.
    assert done.stdout.startswith(b"[[0.")
    with np.load(tmp_path / "found.npz") as file:
        found = dict(file)
    for name, expected in jax.jit(flat_prediction(bundle)[0])(arrays).items():
        np.testing.assert_allclose(found[name], expected, atol=1e-6)


def test_a_folder_for_the_hub_is_loaded_again(tmp_path: pathlib.Path) -> None:
    corpus = toy_corpus(1)
    bundle = tiny_bundle(tmp_path / "bundle", corpus, encoder=CONTEXT)
    folder = tmp_path / "hub"
    write_export(bundle, folder, "huggingface")
    names = {path.name for path in folder.iterdir()}
    weights = {"model.safetensors", "standardiser.safetensors"}
    assert names == {"README.md", "config.json", "checksums.txt", *weights}
    again = load_bundle(folder)
    assert again.description == bundle.description
    np.testing.assert_array_equal(
        again.predict_corpus(corpus), bundle.predict_corpus(corpus)
    )
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match="model.safetensors is not as it was written"):
        load_bundle(folder)
    (folder / "model.safetensors").write_bytes(content[:-4])
    with pytest.raises(BundleError, match="damaged bundle: .*model.safetensors"):
        load_bundle(folder)


def test_a_model_on_the_hub_is_fetched_by_its_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tiny_bundle(tmp_path / "bundle", toy_corpus(1))
    folder = tmp_path / "cache" / "models--me--mine" / "snapshots" / "abc"
    folder.parent.mkdir(parents=True)
    write_export(bundle, folder, "huggingface")
    (folder.parents[1] / "refs").mkdir()
    (folder.parents[1] / "refs" / "main").write_text("abc\n")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    assert load_bundle("hf://me/mine").description == bundle.description
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match="me/other .*pip install huggingface_hub"):
        load_bundle("hf://me/other")


def front_matter(bundle: Bundle, folder: pathlib.Path) -> dict[str, Any]:
    write_export(bundle, folder, "huggingface")
    before, text, card = (folder / "README.md").read_text().split("---\n", 2)
    assert before == "" and card.startswith("\n# Model card: ")
    return yaml.safe_load(text)


def test_the_card_begins_with_what_the_hub_reads(tmp_path: pathlib.Path) -> None:
    changes = {"licence": "CC BY-NC 4.0", "system": "a: [system] # of\n---\nmine"}
    bundle = tiny_bundle(tmp_path / "bundle", toy_corpus(1), **changes)
    fields = front_matter(bundle, tmp_path / "hub")
    assert fields["license"] == "cc-by-nc-4.0"
    assert fields["pipeline_tag"] == "audio-classification"
    assert "toy" in fields["tags"] and "language" not in fields
    (model,) = fields["model-index"]
    assert model["name"] == r"a: [system] # of\n---\nmine"
    (result,) = model["results"]
    assert result["dataset"]["split"].startswith("leave-one-out; tested rows seen")
    assert result["metrics"] == [{"type": "recall", "name": "UA", "value": 0.5}]


def test_the_card_claims_nothing_that_is_not_known(tmp_path: pathlib.Path) -> None:
    bundle = tiny_bundle(tmp_path / "bundle", toy_corpus(1), licence="ask us")
    protocol = {**bundle.description.protocol, "target": "theirs"}
    groups = {"groups": {"language": {"de": {"rows": 1}, "it": {"rows": 1}}}}
    description = dataclasses.replace(
        bundle.description,
        protocol=protocol,
        measured={**bundle.description.measured, **groups},
    )
    adapted = dataclasses.replace(bundle, description=description)
    fields = front_matter(adapted, tmp_path / "hub")
    assert (fields["license"], fields["license_name"]) == ("other", "ask us")
    assert fields["language"] == ["de", "it"]
    # The scores of an adapted model are of other models.
    assert "model-index" not in fields and "metrics" not in fields


def test_the_programs_in_the_docs_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx", reason=NEEDS)
    pytest.importorskip("onnxruntime", reason=NEEDS)
    page = pathlib.Path(__file__).parents[1] / "docs" / "export.md"
    makes_features, runs = re.findall("```python\n(.*?)```", page.read_text(), re.S)
    monkeypatch.chdir(tmp_path)
    bundle = hearing_bundle(tmp_path / "runs" / "mine")
    write_tones(tmp_path, {"talk.wav": 0.5})
    exec(makes_features, {})
    write_export(bundle, "mine.onnx", "onnx")
    (tmp_path / "run.py").write_text(runs)
    command = [sys.executable, "run.py", "mine.onnx", "features.npy"]
    done = subprocess.run(command, capture_output=True, timeout=120, text=True)
    assert done.returncode == 0, done.stderr
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    expected = bundle.predict(*soundfile.read("talk.wav")).probabilities
    for label, probability in expected.items():
        assert float(found[label].strip("[]")) == pytest.approx(probability, abs=2e-3)
