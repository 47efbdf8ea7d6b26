"""The formats that a bundle can be exported to."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from etils import epath

from dann_jax.bundle.description import BundleError
from dann_jax.bundle.export import export_bundle
from dann_jax.bundle.export_onnx import onnx_difference, onnx_model
from dann_jax.bundle.export_savedmodel import write_saved_model
from dann_jax.bundle.hub_folder import write_hub_folder
from dann_jax.bundle.model import Bundle
from dann_jax.utils.files import partial_folder, replace_folder, write_whole


class Format(NamedTuple):
    """One of `FORMATS`.

    Attributes:
      write: writes a bundle to a path, and returns what more there is to say.
      runs_with: what is needed to use it.
      folder: whether the path is of a folder.
    """

    write: Callable[[Bundle, epath.Path], str]
    runs_with: str
    folder: bool = False


def _write_stablehlo(bundle: Bundle, path: epath.Path) -> str:
    write_whole(path, bytes(export_bundle(bundle).serialize()))
    return ""


def _write_onnx(bundle: Bundle, path: epath.Path) -> str:
    content = onnx_model(bundle)
    apart = onnx_difference(bundle, content)
    write_whole(path, content)
    if apart is None:
        return (
            "It was not tried: onnxruntime is not installed (pip install onnxruntime)."
        )
    return f"onnxruntime and this package differ by {apart:.0e} at most."


def _write_saved_model(bundle: Bundle, path: epath.Path) -> str:
    write_saved_model(bundle, path)
    return ""


def _write_hub_folder(bundle: Bundle, path: epath.Path) -> str:
    write_hub_folder(bundle, path)
    return "`hf upload OWNER/NAME` publishes it."


FORMATS: Mapping[str, Format] = {
    "stablehlo": Format(_write_stablehlo, "nothing but JAX"),
    "onnx": Format(_write_onnx, "onnxruntime"),
    "savedmodel": Format(_write_saved_model, "nothing but TensorFlow", folder=True),
    "huggingface": Format(_write_hub_folder, "this package", folder=True),
}
"""The word of `dann-export --format` -> the format."""

_ENDINGS = {".onnx": "onnx", ".stablehlo": "stablehlo"}


def format_of(path: epath.PathLike, word: str | None = None) -> str:
    """The format that is meant: the given one, or by the path's ending.

    Args:
      path: to be written.
      word: one of `FORMATS`; None for that of the ending, or StableHLO.

    Raises:
      BundleError: the ending is that of another format.

    Example:
      >>> format_of("mine.onnx"), format_of("mine.bin"), format_of("mine", "savedmodel")
      ('onnx', 'stablehlo', 'savedmodel')
    """
    ending = epath.Path(path).suffix.lower()
    meant = _ENDINGS.get(ending, word or "stablehlo")
    if word and word != meant:
        raise BundleError(
            f"--output ends in {ending}, which is {meant}, and --format is {word}"
        )
    return meant


def write_export(bundle: Bundle, path: epath.PathLike, form: str) -> str:
    """Write a bundle in one of `FORMATS`, whole or not at all.

    Args:
      bundle: to be exported.
      path: of the file, which is replaced; or of the folder, which is new or empty.
      form: one of `FORMATS`.

    Returns:
      What more there is to say of what was written; may be empty.

    Raises:
      BundleError: the model cannot be written in this format.
      OSError: the path cannot be written to.
    """
    path = epath.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")
    if not FORMATS[form].folder:
        return FORMATS[form].write(bundle, path)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} is a file; {form} is written to a folder")
    if path.exists() and any(path.iterdir()):
        raise FileExistsError(
            f"{path} holds something already; name a new folder, or remove it"
        )
    with partial_folder(path) as partial:
        remark = FORMATS[form].write(bundle, partial)
        replace_folder(partial, path)
    return remark
