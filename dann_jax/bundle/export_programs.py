"""Programs that call an exported bundle, to be shown and tried."""

from collections.abc import Mapping
from typing import Any

from dann_jax.bundle.export import flat_prediction, input_shapes
from dann_jax.bundle.model import Bundle

_STABLEHLO = """\
import numpy as np
from jax import export

with open({file!r}, "rb") as file:
    model = export.deserialize(bytearray(file.read()))
visible = np.ones((1, 2), bool)  # a dialogue of 2 turns; False is padding
answer = model.call(
    {inputs}
)
print(answer[{label!r}])  # [1, 2]"""

_ONNX = """\
import numpy as np
import onnxruntime

model = onnxruntime.InferenceSession({file!r})
visible = np.ones((1, 2), bool)  # a dialogue of 2 turns; False is padding
labels = [output.name for output in model.get_outputs()]
answer = model.run(
    labels,
    {inputs},
)
print(dict(zip(labels, answer))[{label!r}])  # [1, 2]"""

_SAVEDMODEL = """\
import numpy as np
import tensorflow as tf

model = tf.saved_model.load({file!r}).signatures["serving_default"]
visible = np.ones((1, 2), bool)  # a dialogue of 2 turns; False is padding
arrays = {inputs}
answer = model(**{{name: tf.constant(array) for name, array in arrays.items()}})
print(answer[{label!r}].numpy())  # [1, 2]"""

_HUGGINGFACE = """\
import dann_jax

model = dann_jax.load_bundle({file!r})
print(model.labels)"""

PROGRAMS = {
    "stablehlo": _STABLEHLO,
    "onnx": _ONNX,
    "savedmodel": _SAVEDMODEL,
    "huggingface": _HUGGINGFACE,
}


def how_to_call(bundle: Bundle, file: str, form: str = "stablehlo") -> str:
    """A program that calls an artifact with two turns of zeros.

    Args:
      bundle: what was exported.
      file: where it is.
      form: one of `PROGRAMS`.
    """
    if form == "stablehlo":
        lines = _written(input_shapes(bundle))
    else:
        lines = _written(flat_prediction(bundle)[1])
    # SavedModel's stand at the margin, the others within a call.
    written = ("\n" if form == "savedmodel" else "\n    ").join(lines)
    return PROGRAMS[form].format(file=file, inputs=written, label=bundle.labels[0])


def _written(shapes: Mapping[str, Any]) -> list[str]:
    """Lines of Python that make a dictionary of arrays."""
    lines = ["{"]
    for name, value in shapes.items():
        if isinstance(value, Mapping):
            parts = ", ".join(f"{key!r}: {_array(x)}" for key, x in value.items())
            lines.append(f"    {name!r}: {{{parts}}},")
        else:
            note = "  # speaker of each turn: 0, 1, ..." if name == "party" else ""
            lines.append(f"    {name!r}: {_array(value)},{note}")
    return [*lines, "}"]


def _array(shape: Any) -> str:
    """Zeros of 1 dialogue of 2 turns, of 50 frames where it has frames."""
    if shape.dtype == bool:
        return "visible"
    sizes = [size if isinstance(size, int) else 50 for size in shape.shape[2:]]
    return f"np.zeros({(1, 2, *sizes)}, np.{shape.dtype.name})"
