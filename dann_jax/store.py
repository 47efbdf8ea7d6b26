"""A corpus as a TensorFlow dataset: one example a dialogue, its turns in time order.

```
{"dialogue": text, "row": int64 [turns], "columns": {column: text [turns]},
 "features": {modality: float32 [turns, dim]}, "present": {modality: bool [turns]}}
```

Everything is in the one split `dialogues`. A store does not say who trains and who
tests (a protocol does, later), so a split named `train` would promise too much.
TensorFlow is imported inside functions only.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
from etils import epath

from dann_jax.corpora.corpus import Corpus, CorpusError, check

SPLIT = "dialogues"
LAYOUT_VERSION = "1.0.0"
"""Of the layout above. A store of another major version is not read."""

_LAYOUT = "dann_jax.store"


def write_store(corpus: Corpus, data_dir: epath.PathLike) -> epath.Path:
    """Write a corpus under `data_dir`, whole or not at all.

    TFDS writes into a folder named `incomplete.*` and renames it at the end, so that
    a run that is killed leaves nothing that looks like a store.

    Args:
      corpus: what to store; features are stored as float32.
      data_dir: where TFDS datasets are kept; local or `gs://`.

    Returns:
      The folder of this store, `DATA_DIR/NAME/LAYOUT_VERSION`, for `read_store`.

    Raises:
      CorpusError: the corpus is not sound, its provenance is not JSON, or there is
        a store of that name already.
    """
    metadata = _metadata(check(corpus))
    builder = _builder(corpus, metadata, data_dir)
    if builder.data_path.exists():
        raise CorpusError(
            f"{builder.data_path} exists; delete it, or choose another data_dir for "
            f"corpus {corpus.name!r}"
        )
    # Nothing is downloaded, but TFDS would make a folder for it among the data.
    with tempfile.TemporaryDirectory() as unused:
        builder.download_and_prepare(download_dir=unused)
    return builder.data_path


def read_store(directory: epath.PathLike) -> Corpus:
    """Read back what `write_store` wrote.

    Args:
      directory: the folder that `write_store` returned.

    Returns:
      The corpus as it was: rows, columns and modalities in their old order, features
      bit for bit. The provenance has been through JSON: its tuples are lists.

    Raises:
      CorpusError: the folder is not a complete store, or it is damaged.
    """
    folder = epath.Path(directory)
    metadata = _read_metadata(folder)
    examples = _read_examples(folder)
    row = np.concatenate([example["row"] for example in examples])
    if not np.array_equal(np.sort(row), np.arange(metadata["rows"])):
        raise CorpusError(
            f"{folder} is damaged: it holds {len(row)} of {metadata['rows']} utterances"
        )
    place = np.argsort(row)

    def joined(group: str, name: str) -> np.ndarray:
        return np.concatenate([example[group][name] for example in examples])[place]

    modalities = metadata["modalities"]
    return check(
        Corpus(
            name=metadata["name"],
            columns={
                name: np.array([text.decode() for text in joined("columns", name)])
                for name in metadata["columns"]
            },
            features={name: joined("features", name) for name in modalities},
            present={name: joined("present", name) for name in modalities},
            provenance=metadata["provenance"],
        )
    )


def _metadata(corpus: Corpus) -> dict[str, Any]:
    """What the examples do not hold. The file of features forgets their order."""
    metadata = {
        "layout": _LAYOUT,
        "version": LAYOUT_VERSION,
        "name": corpus.name,
        "rows": len(corpus),
        "columns": list(corpus.columns),
        "modalities": list(corpus.features),
        "provenance": dict(corpus.provenance),
    }
    try:
        json.dumps(metadata)
    except (TypeError, ValueError) as error:
        raise CorpusError(
            f"corpus {corpus.name!r}: the provenance cannot be stored as JSON: {error}"
        ) from None
    return metadata


def _builder(corpus: Corpus, metadata: dict[str, Any], data_dir: epath.PathLike) -> Any:
    """The TFDS builder of this corpus; a class of its own, as its features are."""
    tfds = _tfds()
    text = tfds.features.Tensor(shape=(None,), dtype=np.str_)
    flags = tfds.features.Tensor(shape=(None,), dtype=np.bool_)
    spec = {
        "dialogue": tfds.features.Text(),
        "row": tfds.features.Tensor(shape=(None,), dtype=np.int64),
        "columns": dict.fromkeys(corpus.columns, text),
        "features": {
            name: tfds.features.Tensor(shape=(None, array.shape[1]), dtype=np.float32)
            for name, array in corpus.features.items()
        },
        "present": dict.fromkeys(corpus.present, flags),
    }

    class StoreBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = _dataset_name(corpus.name)
        VERSION = tfds.core.Version(LAYOUT_VERSION)

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                description=f"Features of {corpus.name}, one example a dialogue.",
                features=tfds.features.FeaturesDict(spec),
                metadata=tfds.core.MetadataDict(metadata),
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            del dl_manager
            return {SPLIT: self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
            return enumerate(_examples(corpus))

    return StoreBuilder(data_dir=data_dir)


def _examples(corpus: Corpus) -> Iterator[dict[str, Any]]:
    titles = corpus.columns.get("dialogue", corpus.columns["utt_id"])
    for rows in corpus.dialogues():
        yield {
            "dialogue": str(titles[rows[0]]),
            "row": rows,
            "columns": {
                # TFDS takes text as Python strings only.
                name: column[rows].astype(object)
                for name, column in corpus.columns.items()
            },
            "features": {
                name: np.asarray(array[rows], np.float32)
                for name, array in corpus.features.items()
            },
            "present": {name: flags[rows] for name, flags in corpus.present.items()},
        }


def _dataset_name(name: str) -> str:
    """The nearest name that TFDS accepts: letters, digits and underscores."""
    words = re.sub(r"\W+", "_", name, flags=re.ASCII)
    return words if words[:1].isalpha() else f"corpus_{words}"


def _read_metadata(folder: epath.Path) -> dict[str, Any]:
    expected = (
        f"expected the folder that write_store returned, such as "
        f"DATA_DIR/iemocap/{LAYOUT_VERSION}, whose metadata.json has layout {_LAYOUT!r}"
    )
    # TFDS writes dataset_info.json last.
    for needed in ("dataset_info.json", "metadata.json"):
        if not (folder / needed).exists():
            raise CorpusError(f"{folder} has no {needed}; {expected}")
    try:
        metadata = json.loads((folder / "metadata.json").read_text())
    except ValueError as error:
        raise CorpusError(f"{folder}/metadata.json is not JSON ({error})") from None
    if not isinstance(metadata, dict) or metadata.get("layout") != _LAYOUT:
        raise CorpusError(f"{folder} is another TensorFlow dataset; {expected}")
    found = metadata["version"]
    if found.split(".")[0] != LAYOUT_VERSION.split(".")[0]:
        raise CorpusError(
            f"{folder} has layout version {found}, this package reads "
            f"{LAYOUT_VERSION}; write the store again"
        )
    return metadata


def _read_examples(folder: epath.Path) -> list[dict[str, Any]]:
    tfds = _tfds()
    import tensorflow as tf

    builder = tfds.builder_from_directory(folder)
    try:
        return list(tfds.as_numpy(builder.as_dataset(split=SPLIT)))
    except tf.errors.OpError as error:
        raise CorpusError(f"{folder} is damaged: {error.message}") from None


def _tfds() -> ModuleType:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    # TensorFlow must not reserve the accelerator that JAX computes on.
    tf.config.set_visible_devices([], "GPU")
    return tfds
