"""A bundle as an ONNX model, held against this package before it is handed on."""

import json

import jax
import numpy as np

from dann_jax.bundle.description import BundleError
from dann_jax.bundle.export import flat_prediction, require_exportable
from dann_jax.bundle.model import Bundle
from dann_jax.bundle.onnx import OnnxError, onnx_bytes

TOLERANCE = 1e-4
"""Of an answer of 1; what rounds otherwise is a hundred times closer."""


def onnx_model(bundle: Bundle) -> bytes:
    """The function of `export_bundle` as an ONNX model.

    Its inputs are named as those of `flat_prediction`, of sizes `dialogues`, `turns`
    and `frames`; its outputs as the classes. Properties say what it is and its labels.

    Raises:
      BundleError: as `require_exportable`; or it computes in bfloat16, or by an
        operation that has no translation; or `onnx` is not installed.
    """
    require_exportable(bundle)
    description = bundle.description
    other = "--format=stablehlo and --format=savedmodel take it"
    if description.encoder.get("dtype") == "bfloat16":
        raise BundleError(
            f"the model computes in bfloat16, as ONNX runtimes do not on CPU; {other}"
        )
    notes = {
        "system": description.system,
        "labels": json.dumps(bundle.labels),
        "answer": description.answer,
        "licence_of_data": description.licence or "unknown",
    }
    try:
        return onnx_bytes(*flat_prediction(bundle), notes)
    except OnnxError as error:
        raise BundleError(f"cannot be written as ONNX: {error}; {other}") from None


def onnx_difference(bundle: Bundle, content: bytes) -> float | None:
    """How far onnxruntime's answers are from this package's on inputs that are drawn.

    Args:
      bundle: what was exported.
      content: the ONNX model.

    Returns:
      The largest difference, divided by the answer where that is above 1; None where
      onnxruntime is not installed.

    Raises:
      BundleError: they differ by more than `TOLERANCE`.
    """
    try:
        import onnxruntime
    except ImportError:
        return None
    function, shapes = flat_prediction(bundle)
    arrays = drawn_inputs(bundle, {"dialogues": 2, "turns": 3, "frames": 40})
    model = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    known = {node.name for node in model.get_inputs()}
    fed = {name: array for name, array in arrays.items() if name in known}
    found = dict(zip(bundle.labels, model.run(bundle.labels, fed), strict=True))
    largest = 0.0
    for name, expected in jax.jit(function)(arrays).items():
        apart = np.abs(found[name] - expected) / np.maximum(np.abs(expected), 1.0)
        largest = max(largest, float(apart.max()))
    if not largest <= TOLERANCE:
        raise BundleError(
            f"onnxruntime answers otherwise than this package, by {largest:.1e}: the "
            f"model is not written; please report it with the versions of onnxruntime "
            f"and jax"
        )
    return largest


def drawn_inputs(bundle: Bundle, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Inputs of `flat_prediction` as they might come: features of the usual size.

    Args:
      bundle: which has a mean and a scale for each feature.
      sizes: of `dialogues`, `turns` and `frames`.
    """
    rng = np.random.default_rng(0)
    arrays = {}
    for name, shape in flat_prediction(bundle)[1].items():
        size = [n if isinstance(n, int) else sizes[str(n)] for n in shape.shape]
        if name.startswith("inputs_"):
            mean, scale = bundle.standardiser[name.removeprefix("inputs_")][:2]
            drawn = mean[0] + scale[0] * rng.normal(size=size)
            arrays[name] = drawn.astype(np.float32)
        elif shape.dtype == bool:
            arrays[name] = rng.random(size) < 0.9
        else:
            most = sizes["frames"] if name.startswith("num_frames_") else 1
            arrays[name] = rng.integers(0, most, size, np.int32, endpoint=True)
    return arrays
