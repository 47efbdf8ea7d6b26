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

A modality of frames has one axis more, `[2, 5, frames, 40]`, and their number for each
turn, int32 `[2, 5]`, under its name in `"num_frames"`. What frames follow is padding.
Formats without nesting have the same arrays under names such as `inputs_acoustic`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from dann_jax.bundle.description import BundleError
from dann_jax.bundle.model import Bundle
from dann_jax.models.network import as_apply
from dann_jax.tasks.batches import gather_features
from dann_jax.tasks.plan import padded_frames
from dann_jax.types import Array, Batch, PyTree

PLATFORMS = ("cpu", "cuda", "tpu")

PredictInputs = Mapping[str, Any]
"""The fields of a `Batch` that a prediction needs, with raw inputs."""


def export_bundle(bundle: Bundle) -> export.Exported:
    """The bundle as a function `PredictInputs -> name -> float32 [B, T]`.

    `B`, `T` and the number of frames are symbolic: one artifact serves all shapes.
    `.serialize()` gives its bytes, parameters included.

    Raises:
      BundleError: as `require_exportable`.
    """
    require_exportable(bundle)
    predicted = jax.jit(prediction_function(bundle))
    return export.export(predicted, platforms=PLATFORMS)(input_shapes(bundle))


def require_exportable(bundle: Bundle) -> None:
    """Raise `BundleError` if it names no class, or people are enrolled."""
    bundle.require_answers()
    require_nobody_enrolled(bundle)


def require_nobody_enrolled(bundle: Bundle) -> None:
    """Raise `BundleError` if it knows several people."""
    if bundle.people:
        raise BundleError(
            f"{len(bundle.people)} people are enrolled, and an artifact has the "
            f"statistics of one: export Bundle.enrol of each"
        )


def prediction_function(
    bundle: Bundle,
) -> Callable[[PredictInputs], dict[str, Array]]:
    """`PredictInputs -> name of an output -> float32 [B, T]`, traceable."""
    apply = as_apply(bundle.network)
    # A `custom_vjp` function takes no NumPy constants.
    fixed = jax.tree.map(jnp.asarray, (bundle.params, dict(bundle.standardiser)))

    def member(params: PyTree, standardizer: PyTree, index: Batch) -> Array:
        index, standardizer = jax.tree.map(
            lambda leaf: leaf[None], (index, standardizer)
        )
        batch = gather_features(index, {}, standardizer)
        outputs = apply(params, jax.tree.map(lambda leaf: leaf[0], batch), {}, None)
        scaled = outputs.label_logits / bundle.description.temperature
        return bundle.scorer.traced_activation(scaled)

    def predicted(inputs: PredictInputs) -> dict[str, Array]:
        index = _index(inputs, bundle.description.max_frames)
        mean = jax.vmap(member, in_axes=(0, 0, None))(*fixed, index).mean(0)
        return {name: mean[..., index] for index, name in enumerate(bundle.labels)}

    return predicted


def _index(inputs: PredictInputs, max_frames: int) -> Batch:
    """What `Assembler.index_batch` makes, with raw features for inputs."""
    inputs = jax.tree.map(jnp.asarray, inputs)
    visible, values = inputs["visible"], dict(inputs["inputs"])
    present = {name: flags & visible for name, flags in inputs["present"].items()}
    num_frames = {}
    for name, count in inputs.get("num_frames", {}).items():
        num_frames[name] = jnp.where(present[name], count, 0)
        if max_frames:
            values[name], num_frames[name] = _middle(
                values[name], num_frames[name], padded_frames(max_frames)
            )
    zeros = jnp.zeros_like(inputs["party"])
    return Batch(
        inputs=values,
        present=present,
        visible=visible,
        party=inputs["party"],
        label=zeros,
        domain={},
        row=zeros,
        num_frames=num_frames,
    )


def _middle(values: Array, count: Array, most: int) -> tuple[Array, Array]:
    """The middle frames of what has more than `most`, and their number.

    Args:
      values: `[..., F, dim]`.
      count: int32 `[...]`.
      most: frames that are kept.
    """
    length = values.shape[-2]
    first = jnp.maximum(count - most, 0) // 2
    places = jnp.minimum(first[..., None] + jnp.arange(length), length - 1)
    cut = jnp.take_along_axis(values, places[..., None], axis=-2, mode="clip")
    return cut, jnp.minimum(count, most)


def input_shapes(bundle: Bundle) -> PredictInputs:
    """Shapes and types of what the function takes, with symbolic sizes."""
    modalities = bundle.description.modalities.items()
    dialogues, turns, frames = export.symbolic_shape("dialogues, turns, frames")

    def array(dtype: Any, *more: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((dialogues, turns, *more), dtype)

    shapes = {
        "inputs": {
            name: array(
                jnp.float32, *([frames] if modality.framewise else []), modality.dim
            )
            for name, modality in modalities
        },
        "present": {name: array(jnp.bool_) for name, _ in modalities},
        "visible": array(jnp.bool_),
        "party": array(jnp.int32),
    }
    framewise = [name for name, modality in modalities if modality.framewise]
    if framewise:
        shapes["num_frames"] = {name: array(jnp.int32) for name in framewise}
    return shapes


def flat_prediction(
    bundle: Bundle,
) -> tuple[Callable[[Mapping[str, Any]], dict[str, Array]], dict[str, Any]]:
    """The function and the shapes of its inputs, these by names without nesting.

    Returns:
      `name -> array` to `name of an output -> float32 [B, T]`, and name, such as
      `inputs_acoustic` or `visible`, -> shape and type.
    """
    predicted = prediction_function(bundle)
    leaves, tree = jax.tree_util.tree_flatten_with_path(input_shapes(bundle))
    shapes = {
        jax.tree_util.keystr(path, simple=True, separator="_"): leaf
        for path, leaf in leaves
    }

    def flat(arrays: Mapping[str, Any]) -> dict[str, Array]:
        return predicted(jax.tree.unflatten(tree, [arrays[name] for name in shapes]))

    return flat, shapes
