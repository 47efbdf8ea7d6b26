"""Layout of a store: one TFDS example a dialogue, its turns in time order.

```
{"dialogue": text, "row": int64 [turns], "columns": {column: text [turns]},
 "features": {modality: float [turns, dim], or [frames of all turns, dim]},
 "lengths": {framewise modality: int64 [turns]}, "present": {modality: bool [turns]}}
```

Everything is in the one split `dialogues`. A store does not say who trains and who
tests (a protocol does, later), so a split named `train` would promise too much.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any

from etils import epath

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.store.arrays import DTYPES, shape_of
from dann_jax.data.store.damage import DamageError, read_object, verify
from dann_jax.utils.checksums import CHECKSUMS

SPLIT = "dialogues"
LAYOUT_VERSION = "2.0.0"
"""Of the layout above. A store of another major version is not read."""

_LAYOUT = "dann_jax.store"


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _sizes(value: Any) -> bool:
    return isinstance(value, dict) and all(type(size) is int for size in value.values())


def _dtypes(value: Any) -> bool:
    return isinstance(value, dict) and all(name in DTYPES for name in value.values())


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "version": lambda value: isinstance(value, str),
    "name": lambda value: isinstance(value, str),
    "rows": lambda value: type(value) is int,
    "columns": _texts,
    "modalities": _texts,
    "dims": _sizes,
    "framewise": _texts,
    # Stores of earlier versions of this package have none.
    "dtypes": lambda value: value is None or _dtypes(value),
    "provenance": lambda value: isinstance(value, dict),
}
"""Key of metadata.json -> whether a value is of the right kind."""


def store_folder(name: str, data_dir: epath.PathLike) -> epath.Path:
    """The folder of the store of this corpus.

    Example:
      >>> store_folder("emo-db", "data").as_posix()
      'data/emo_db/2.0.0'
    """
    return epath.Path(data_dir) / dataset_name(name) / LAYOUT_VERSION


def dataset_name(name: str) -> str:
    """The nearest name that TFDS accepts: letters, digits and underscores.

    Example:
      >>> dataset_name("emo-db"), dataset_name("8 bit")
      ('emo_db', 'corpus_8_bit')
    """
    words = re.sub(r"\W+", "_", name, flags=re.ASCII)
    return words if words[:1].isalpha() else f"corpus_{words}"


def metadata_of(corpus: Corpus) -> dict[str, Any]:
    """Metadata of a store that its examples do not hold."""
    shapes = {name: shape_of(array) for name, array in corpus.features.items()}
    metadata = {
        "layout": _LAYOUT,
        "version": LAYOUT_VERSION,
        "name": corpus.name,
        "rows": len(corpus),
        "columns": list(corpus.columns),
        "modalities": list(shapes),
        "dims": {name: shape.dim for name, shape in shapes.items()},
        "framewise": [name for name, shape in shapes.items() if shape.framewise],
        "dtypes": {name: shape.dtype for name, shape in shapes.items()},
        "provenance": dict(corpus.provenance),
        # Stores of earlier versions of this package have none.
        "checksums": True,
    }
    try:
        json.dumps(metadata)
    except (TypeError, ValueError) as error:
        raise CorpusError(
            f"corpus {corpus.name!r}: the provenance cannot be stored as JSON: {error}"
        ) from None
    return metadata


def read_metadata(directory: epath.PathLike) -> dict[str, Any]:
    """The metadata of a store: `name`, `rows`, `modalities`, `provenance`, ...

    Raises:
      CorpusError: the folder is not a complete store of this layout.
    """
    folder = epath.Path(directory)
    expected = (
        f"expected the folder that write_store returned, such as "
        f"DATA_DIR/iemocap/{LAYOUT_VERSION}, whose metadata.json has layout {_LAYOUT!r}"
    )
    # TFDS writes dataset_info.json last.
    needed, ours = ("dataset_info.json", "metadata.json"), folder / CHECKSUMS
    for name in needed:
        if not (folder / name).exists():
            kind = DamageError if ours.exists() else CorpusError
            raise kind(f"{folder} has no {name}; {expected}")
    if ours.exists():
        _verify(folder, needed)
    metadata = read_object(folder / "metadata.json")
    if metadata.get("layout") != _LAYOUT:
        raise CorpusError(f"{folder} is another TensorFlow dataset; {expected}")
    wrong = [name for name, fits in _FITS.items() if not fits(metadata.get(name))]
    if wrong:
        raise DamageError(
            f"{folder} is damaged: metadata.json has no {', '.join(wrong)} of the kind "
            f"that write_store writes"
        )
    version = metadata["version"]
    if version.split(".")[0] != LAYOUT_VERSION.split(".")[0]:
        raise CorpusError(
            f"{folder} has layout version {version}, this package reads "
            f"{LAYOUT_VERSION}; write the store again"
        )
    return metadata


def verify_store(folder: epath.Path, metadata: Mapping[str, Any]) -> None:
    """Compare the files of a store with their digests, if it has any.

    Raises:
      DamageError: one has changed; the message names it and says what to do.
    """
    if metadata.get("checksums") or (folder / CHECKSUMS).exists():
        _verify(folder)


def _verify(folder: epath.Path, names: Collection[str] = ()) -> None:
    try:
        verify(folder, names)
    except DamageError as error:
        raise DamageError(
            f"{error}; copy the store again from where it is whole, or make it again "
            f"(dann-prepare --renew)"
        ) from None


def tensorflow_datasets() -> ModuleType:
    """The module, imported late and kept off the accelerator that JAX computes on."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    tf.config.set_visible_devices([], "GPU")
    return tfds
