"""A bundle as a SavedModel of TensorFlow, for TF Serving and what else reads them."""

import jax
from etils import epath

from dann_jax.bundle.export import PLATFORMS, flat_prediction, require_exportable
from dann_jax.bundle.model import Bundle


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
    from jax.experimental import jax2tf

    require_exportable(bundle)
    function, shapes = flat_prediction(bundle)
    converted = jax2tf.convert(
        function,
        polymorphic_shapes=[jax.tree.map(_polymorphic, shapes)],
        with_gradient=False,
        native_serialization_platforms=PLATFORMS,
    )
    specs = {
        name: tf.TensorSpec(
            [size if isinstance(size, int) else None for size in shape.shape],
            shape.dtype,
            name=name,
        )
        for name, shape in shapes.items()
    }

    signature = tf.function(converted, autograph=False).get_concrete_function(specs)
    tf.saved_model.save(tf.Module(), str(folder), {"serving_default": signature})


def _polymorphic(shape: jax.ShapeDtypeStruct) -> str:
    return f"({', '.join(map(str, shape.shape))})"
