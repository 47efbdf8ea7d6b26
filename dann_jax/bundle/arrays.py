"""Arrays of a bundle: exactly the arrays that are expected, float32 and finite."""

import io
from collections.abc import Mapping

import numpy as np
from etils import epath
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from dann_jax.bundle.description import BundleError
from dann_jax.data.archive import read_archive
from dann_jax.data.corpus import CorpusError

TENSORS = ".safetensors"

LARGEST = 1e18
"""Of a value in a bundle: the square of a greater one is infinite in 32 bits."""


def read_arrays(
    path: epath.Path, expected: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """The arrays of a file, if they are exactly these, float32 and finite.

    Args:
      path: of an .npz archive, or a .safetensors file.
      expected: name -> shape.
    """
    try:
        arrays = load_file(path) if path.suffix == TENSORS else read_archive(path)
    except CorpusError as error:
        raise BundleError(f"damaged bundle: {error}") from None
    except SafetensorError as error:
        raise BundleError(f"damaged bundle: {path}: {error}") from None
    for name in sorted({*expected, *arrays}):
        if name not in arrays or name not in expected:
            state = "is missing" if name in expected else "does not belong there"
            raise BundleError(f"{path}: array {name!r} {state}")
        array = arrays[name]
        if array.shape != expected[name] or array.dtype != np.float32:
            raise BundleError(
                f"{path}: array {name!r} is {array.dtype} {array.shape}, "
                f"expected float32 {expected[name]}"
            )
        if not np.isfinite(array).all():
            raise BundleError(f"{path}: array {name!r} holds NaN or infinite values")
        if (largest := np.abs(array).max(initial=0)) > LARGEST:
            raise BundleError(
                f"{path}: array {name!r} holds values as large as {largest:g}, with "
                f"which nothing can be computed"
            )
    return arrays


def write_arrays(path: epath.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a file without pickles, by its ending as `read_arrays` reads it."""
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    if path.suffix == TENSORS:
        path.write_bytes(save(arrays))
        return
    # A file on a remote store cannot be sought in while it is written.
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
