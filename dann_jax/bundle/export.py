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
heard = np.ones((2, 5), bool)  # 2 dialogues of 5 turns; False is padding
probabilities = model.call(
    {
        "inputs": {"acoustic": np.zeros((2, 5, 24), np.float32)},
        "present": {"acoustic": heard},  # False where a turn lacks the modality
        "visible": heard,
        "party": np.zeros((2, 5), np.int32),  # which speaker talks: 0, 1, ...
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
from dann_jax.types import Array, Batch, PyTree

PLATFORMS = ("cpu", "cuda", "tpu")

Heard = Mapping[str, Any]
"""The fields of a `Batch` that a prediction needs, with raw inputs."""


def export_bundle(bundle: Bundle) -> export.Exported:
    """The bundle as a function of `Heard` that returns name -> float32 `[B, T]`.

    `B` and `T` are symbolic: one artifact serves all shapes. `.serialize()` makes the
    bytes of it, parameters included.

    Raises:
      BundleError: the model hears frames, which is not supported, or names no class.
    """
    bundle.require_answers()
    predicted = jax.jit(prediction_function(bundle))
    return export.export(predicted, platforms=PLATFORMS)(_shapes(bundle))


def how_to_call(bundle: Bundle, file: str) -> str:
    """A program that calls the artifact in `file` with two turns of zeros."""
    dims = {name: own.dim for name, own in bundle.description.modalities.items()}
    inputs = [
        f"{name!r}: np.zeros((1, 2, {dim}), np.float32)" for name, dim in dims.items()
    ]
    present = [f"{name!r}: heard" for name in dims]
    return f"""\
import numpy as np
from jax import export

with open({file!r}, "rb") as file:
    model = export.deserialize(bytearray(file.read()))
heard = np.ones((1, 2), bool)  # a dialogue of 2 turns; False is padding
answer = model.call(
    {{
        "inputs": {{{", ".join(inputs)}}},
        "present": {{{", ".join(present)}}},
        "visible": heard,
        "party": np.zeros((1, 2), np.int32),  # which speaker talks: 0, 1, ...
    }}
)
print(answer[{bundle.labels[0]!r}])  # [1, 2]"""


def prediction_function(bundle: Bundle) -> Any:
    """`Heard -> name of an output -> float32 [B, T]`, traceable."""
    apply = as_apply(bundle.network)
    # A function with a gradient of its own takes no constants of NumPy.
    fixed = jax.tree.map(jnp.asarray, (bundle.params, dict(bundle.standardiser)))

    def member(params: PyTree, moments: PyTree, heard: Heard) -> Array:
        batch = _batch(heard, moments)
        return bundle.scorer.traced_activation(
            apply(params, batch, {}, None).label_logits
        )

    def predicted(heard: Heard) -> dict[str, Array]:
        each = jax.vmap(member, in_axes=(0, 0, None))(*fixed, heard)
        mean = each.mean(0)
        return {name: mean[..., place] for place, name in enumerate(bundle.labels)}

    return predicted


def _batch(heard: Heard, moments: Mapping[str, tuple[Array, Array]]) -> Batch:
    """What the network sees: as `Assembler` makes it, inside the artifact."""
    present = {name: own & heard["visible"] for name, own in heard["present"].items()}
    inputs = {
        name: jnp.where(
            present[name][..., None],
            (values - moments[name][0]) / moments[name][1],
            0.0,
        )
        for name, values in heard["inputs"].items()
    }
    nothing = jnp.zeros_like(heard["party"])
    return Batch(
        inputs=inputs,
        present=present,
        visible=heard["visible"],
        party=heard["party"],
        label=nothing,
        domain={},
        row=nothing,
        num_frames={},
    )


def _shapes(bundle: Bundle) -> Heard:
    dims = {name: own.dim for name, own in bundle.description.modalities.items()}
    framewise = [
        name for name, own in bundle.description.modalities.items() if own.framewise
    ]
    if framewise:
        raise BundleError(
            f"{', '.join(framewise)}: a model that hears frames cannot be exported yet"
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
