"""A bundle as one function that runs without this package: StableHLO by `jax.export`.

The artifact takes raw features, which it standardises itself, of any number of
dialogues of any length, and returns the mean probability of the members under the name
of each class (or their mean value under the name of each target). With nothing but JAX
installed, on CPU, GPU or TPU:

```
import numpy as np
from jax import export

with open("model.stablehlo", "rb") as file:
    model = export.deserialize(bytearray(file.read()))
visible = np.ones((2, 5), bool)  # 2 dialogues of 5 turns; False is padding
probabilities = model.call(
    {
        "inputs": {"acoustic": np.zeros((2, 5, 24), np.float32)},
        "present": {"acoustic": visible},  # False where a turn lacks the modality
        "visible": visible,
        "party": np.zeros((2, 5), np.int32),  # speaker of each turn: 0, 1, ...
    }
)
probabilities["anger"]  # [2, 5]
```
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from dann_jax.bundle.description import BundleError
from dann_jax.bundle.model import Bundle
from dann_jax.models.network import as_apply
from dann_jax.tasks.batches import without_directions
from dann_jax.types import Array, Batch, PyTree

PLATFORMS = ("cpu", "cuda", "tpu")

PredictInputs = Mapping[str, Any]
"""The fields of a `Batch` that a prediction needs, with raw inputs."""


def export_bundle(bundle: Bundle) -> export.Exported:
    """The bundle as a function `PredictInputs -> name -> float32 [B, T]`.

    `B` and `T` are symbolic: one artifact serves all shapes. `.serialize()` gives its
    bytes, parameters included.

    Raises:
      BundleError: the model takes frames, which is not supported, or has no
        outputs for predictions.
    """
    bundle.require_answers()
    if bundle.people:
        raise BundleError(
            f"{len(bundle.people)} people are enrolled, and an artifact has the "
            f"statistics of one: export Bundle.enrol of each"
        )
    predicted = jax.jit(prediction_function(bundle))
    return export.export(predicted, platforms=PLATFORMS)(_shapes(bundle))


def how_to_call(bundle: Bundle, file: str) -> str:
    """A program that calls the artifact in `file` with two turns of zeros."""
    modalities = bundle.description.modalities.items()
    dims = {name: modality.dim for name, modality in modalities}
    inputs = [
        f"{name!r}: np.zeros((1, 2, {dim}), np.float32)" for name, dim in dims.items()
    ]
    present = [f"{name!r}: visible" for name in dims]
    return f"""\
import numpy as np
from jax import export

with open({file!r}, "rb") as file:
    model = export.deserialize(bytearray(file.read()))
visible = np.ones((1, 2), bool)  # a dialogue of 2 turns; False is padding
answer = model.call(
    {{
        "inputs": {{{", ".join(inputs)}}},
        "present": {{{", ".join(present)}}},
        "visible": visible,
        "party": np.zeros((1, 2), np.int32),  # speaker of each turn: 0, 1, ...
    }}
)
print(answer[{bundle.labels[0]!r}])  # [1, 2]"""


def prediction_function(bundle: Bundle) -> Any:
    """`PredictInputs -> name of an output -> float32 [B, T]`, traceable."""
    apply = as_apply(bundle.network)
    # A `custom_vjp` function takes no NumPy constants.
    fixed = jax.tree.map(jnp.asarray, (bundle.params, dict(bundle.standardiser)))

    def member(params: PyTree, standardizer: PyTree, inputs: PredictInputs) -> Array:
        outputs = apply(params, _batch(inputs, standardizer), {}, None)
        scaled = outputs.label_logits / bundle.description.temperature
        return bundle.scorer.traced_activation(scaled)

    def predicted(inputs: PredictInputs) -> dict[str, Array]:
        each = jax.vmap(member, in_axes=(0, 0, None))(*fixed, inputs)
        mean = each.mean(0)
        return {name: mean[..., index] for index, name in enumerate(bundle.labels)}

    return predicted


def _batch(
    inputs: PredictInputs, standardizer: Mapping[str, tuple[Array, ...]]
) -> Batch:
    """The inputs of the network, standardised as `Assembler` does it."""
    present = {
        name: flags & inputs["visible"] for name, flags in inputs["present"].items()
    }
    standardised = {}
    for name, values in inputs["inputs"].items():
        mean, scale, *directions = standardizer[name]
        values = (values - mean) / scale
        if directions:
            values = without_directions(values, *directions)
        standardised[name] = jnp.where(present[name][..., None], values, 0.0)
    zeros = jnp.zeros_like(inputs["party"])
    return Batch(
        inputs=standardised,
        present=present,
        visible=inputs["visible"],
        party=inputs["party"],
        label=zeros,
        domain={},
        row=zeros,
        num_frames={},
    )


def _shapes(bundle: Bundle) -> PredictInputs:
    modalities = bundle.description.modalities.items()
    dims = {name: modality.dim for name, modality in modalities}
    framewise = [name for name, modality in modalities if modality.framewise]
    if framewise:
        raise BundleError(
            f"{', '.join(framewise)}: a model of frames cannot be exported yet"
        )
    turns = export.symbolic_shape("b, t")

    def array(dtype: Any, *more: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((*turns, *more), dtype)

    return {
        "inputs": {name: array(jnp.float32, dim) for name, dim in dims.items()},
        "present": {name: array(jnp.bool_) for name in dims},
        "visible": array(jnp.bool_),
        "party": array(jnp.int32),
    }
