"""How far exported models are from the package, on real recordings.

    PYTHONPATH=. python -m benchmarks.exported --data=../shared/data/emodb \
        --encoder=../shared/models/whisper-base-encoder runs/one runs/two ...

Of each model (a bundle, or the work directory that holds it), the features of the same
recordings, spread over all in the folder, go through `Bundle.predict_corpus`, the
StableHLO file and the ONNX model in onnxruntime; each is a dialogue of one turn. The
table has the largest difference between any two answers for a class. Recordings go
through the files in batches of different sizes, frames padded to the longest of the
batch, so that one file serves them all. `--savedmodel` tries TensorFlow too.
"""

import argparse
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator

import jax
import numpy as np
import onnxruntime
import soundfile

from benchmarks.extraction import recordings
from dann_jax.bundle import Bundle, load_bundle
from dann_jax.bundle.export import export_bundle, flat_prediction
from dann_jax.bundle.export_onnx import onnx_model
from dann_jax.bundle.export_savedmodel import write_saved_model
from dann_jax.bundle.given_sounds import corpus_of_sounds
from dann_jax.data.corpus import Corpus
from dann_jax.data.features.pretrained import PRETRAINED
from dann_jax.data.frames import Frames

Answer = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]

SIZES = (1, 7, 16)
"""Recordings in a batch, in turn."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="bundles, or work directories")
    parser.add_argument("--data", required=True, help="folder of recordings")
    parser.add_argument("--encoder", help="folder of the pretrained encoder")
    parser.add_argument("--recordings", type=int, default=100)
    parser.add_argument("--savedmodel", action="store_true")
    chosen = parser.parse_args()
    files = recordings(chosen.data, chosen.recordings)
    print(f"{len(files)} recordings of {chosen.data}; largest difference:\n")
    print("| model | features | format | from the package | from StableHLO | seconds |")
    print("|---|---|---|---|---|---|")
    for model in chosen.models:
        bundle = load_bundle(model)
        if PRETRAINED in bundle.description.modalities:
            bundle = load_bundle(model, encoder=chosen.encoder)
        corpus = sound_of(bundle, files)
        expected = bundle.predict_corpus(corpus)
        kinds = ["stablehlo", "onnx", *(["savedmodel"] if chosen.savedmodel else [])]
        found = {}
        for kind in kinds:
            call = FORMATS[kind](bundle)
            started = time.perf_counter()
            found[kind] = answers(bundle, corpus, call)
            seconds = time.perf_counter() - started
            apart, other = (
                f"{np.abs(found[kind] - against).max():.1e}"
                for against in (expected, found["stablehlo"])
            )
            shapes = ", ".join(
                f"{name} ({one.shape()})"
                for name, one in bundle.description.modalities.items()
            )
            print(
                f"| {pathlib.Path(model).name}, {len(bundle.description.members)} "
                f"members | {shapes} | {kind} | {apart} | {other} | {seconds:.1f} |"
            )


def sound_of(bundle: Bundle, files: list[pathlib.Path]) -> Corpus:
    """The features of recordings, all of one sample rate, frames not cut."""
    read = [soundfile.read(path, dtype="float32") for path in files]
    (rate,) = {rate for _, rate in read}
    return corpus_of_sounds(bundle.extractors(), [wave for wave, _ in read], rate)


def batches(corpus: Corpus) -> Iterator[dict[str, np.ndarray]]:
    """Inputs as `flat_prediction` names them."""
    start, turn = 0, 0
    while start < len(corpus):
        rows = range(start, min(start + SIZES[turn % len(SIZES)], len(corpus)))
        start, turn = rows.stop, turn + 1
        one = np.ones((len(rows), 1), bool)
        arrays = {"visible": one, "party": np.zeros(one.shape, np.int32)}
        for name, features in corpus.features.items():
            arrays[f"present_{name}"] = one
            if isinstance(features, Frames):
                lengths = features.lengths[rows].astype(np.int32)
                values = [
                    np.pad(features.row(n), ((0, lengths.max() - length), (0, 0)))
                    for n, length in zip(rows, lengths, strict=True)
                ]
                arrays[f"num_frames_{name}"] = lengths[:, None]
                arrays[f"inputs_{name}"] = np.stack(values)[:, None]
            else:
                arrays[f"inputs_{name}"] = features[rows, None]
        yield arrays


def answers(bundle: Bundle, corpus: Corpus, call: Answer) -> np.ndarray:
    """What a file answers for all recordings, `[N, labels]`."""
    found = [call(arrays) for arrays in batches(corpus)]
    return np.concatenate(
        [
            np.stack([np.asarray(one[name])[:, 0] for name in bundle.labels], 1)
            for one in found
        ]
    )


def stablehlo(bundle: Bundle) -> Answer:
    """The artifact, written and read again; its nesting made of flat names."""
    content = bytearray(export_bundle(bundle).serialize())
    model = jax.jit(jax.export.deserialize(content).call)
    names = list(flat_prediction(bundle)[1])
    tree = jax.export.deserialize(content).in_tree

    def call(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        (inputs,), _ = jax.tree.unflatten(tree, [arrays[name] for name in names])
        return model(inputs)

    return call


def onnx(bundle: Bundle) -> Answer:
    """The ONNX model in onnxruntime."""
    model = onnxruntime.InferenceSession(onnx_model(bundle))
    labels = list(bundle.labels)
    return lambda arrays: dict(zip(labels, model.run(labels, arrays), strict=True))


def savedmodel(bundle: Bundle) -> Answer:
    """The SavedModel in TensorFlow."""
    import tensorflow as tf
    from etils import epath

    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(bundle, epath.Path(folder) / "model")
        loaded = tf.saved_model.load(f"{folder}/model")
    signature = loaded.signatures["serving_default"]
    # What was loaded has to live as long as its signature.
    return lambda arrays, _kept=loaded: signature(
        **{name: tf.constant(array) for name, array in arrays.items()}
    )


FORMATS = {"stablehlo": stablehlo, "onnx": onnx, "savedmodel": savedmodel}

if __name__ == "__main__":
    main()
