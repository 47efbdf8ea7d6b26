"""A bundle as a SavedModel of TensorFlow, for TF Serving and what else reads them."""

from collections.abc import Mapping
from typing import Any

import jax
from etils import epath
from jax import export
from jax.extend.mlir.dialects import stablehlo

from dann_jax.bundle.export import PLATFORMS, flat_prediction, require_exportable
from dann_jax.bundle.model import Bundle

STABLEHLO = "1.13.0"
"""Its version in a SavedModel, which TensorFlow 2.21 and newer read.

JAX writes that of some weeks ago, newer than a TensorFlow of the same day knows, and
`jax2tf` keeps it; the programs of networks need nothing of what came since.
"""


def write_saved_model(bundle: Bundle, folder: epath.Path) -> None:
    """Write the function of `export_bundle` as a SavedModel.

    Its signature `serving_default` takes the arrays of `flat_prediction` by their
    names and returns one for each class; nothing but TensorFlow is needed to run it.

    Args:
      bundle: to be exported.
      folder: new; TensorFlow makes it.

    Raises:
      BundleError: as `require_exportable`.
    """
    import tensorflow as tf

    require_exportable(bundle)
    function, shapes = flat_prediction(bundle)
    exported = export.export(jax.jit(function), platforms=PLATFORMS)(shapes)
    specs = {
        name: tf.TensorSpec(_sizes(shape), shape.dtype, name=name)
        for name, shape in shapes.items()
    }

    def call(arrays: Mapping[str, Any]) -> dict[str, Any]:
        return jax.tree.unflatten(
            exported.out_tree, _call_in_tensorflow(exported, jax.tree.leaves(arrays))
        )

    signature = tf.function(call, autograph=False).get_concrete_function(specs)
    tf.saved_model.save(tf.Module(), str(folder), {"serving_default": signature})


def _call_in_tensorflow(exported: export.Exported, leaves: list[Any]) -> list[Any]:
    """The outputs, as tensors, of the operation that holds a program of StableHLO."""
    import tensorflow as tf

    # Where `jax2tf` has it from: TensorFlow's public operations lack it.
    from tensorflow.compiler.tf2xla.python.xla import call_module

    portable = stablehlo.deserialize_portable_artifact_str(
        exported.mlir_module_serialized
    )
    outputs: Any = call_module(
        [leaves[index] for index in exported.module_kept_var_idx],
        version=exported.calling_convention_version,
        module=stablehlo.serialize_portable_artifact_str(portable, STABLEHLO),
        Sout=[tf.TensorShape(_sizes(each)) for each in exported.out_avals],
        Tout=[tf.as_dtype(each.dtype) for each in exported.out_avals],
        platforms=[platform.upper() for platform in exported.platforms],
    )
    return outputs


def _sizes(shape: Any) -> list[int | None]:
    """Those that are open are None."""
    return [size if isinstance(size, int) else None for size in shape.shape]
