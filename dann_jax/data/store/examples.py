"""A corpus as examples of a TensorFlow dataset, divided into the shards of a store."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.data.store.arrays import shape_of, vectors
from dann_jax.data.store.layout import tensorflow_datasets

Example = dict[str, Any]


def spec_of(corpus: Corpus, metadata: dict[str, Any]) -> dict[str, Any]:
    """The TFDS features of an example."""
    tensor = tensorflow_datasets().features.Tensor
    text, flags, whole = (
        tensor(shape=(None,), dtype=dtype) for dtype in (np.str_, np.bool_, np.int64)
    )
    return {
        "dialogue": tensorflow_datasets().features.Text(),
        "row": whole,
        "columns": dict.fromkeys(corpus.columns, text),
        "features": {
            # As bytes: a list of floats takes twenty times as long to encode.
            name: tensor(
                shape=(None, dim),
                dtype=np.dtype(metadata["dtypes"][name]),
                encoding="bytes",
            )
            for name, dim in metadata["dims"].items()
        },
        # TFDS does not store an empty dictionary.
        **(
            {"lengths": dict.fromkeys(metadata["framewise"], whole)}
            if metadata["framewise"]
            else {}
        ),
        "present": dict.fromkeys(corpus.present, flags),
    }


def shard_boundaries(corpus: Corpus) -> list[tuple[int, int]]:
    """First dialogue and the one after the last of each shard, as many as TFDS makes.

    There are equally many dialogues in each.
    """
    shapes = map(shape_of, corpus.features.values())
    size = sum(4 * shape.dim * int(shape.lengths.sum()) for shape in shapes)
    dialogues = len(corpus.dialogues())
    sharding = tensorflow_datasets().core.utils.shard_utils
    count = sharding.ShardConfig.calculate_number_shards(size, dialogues)
    stops = sharding.get_shard_boundaries(dialogues, count)
    return list(itertools.pairwise([0, *stops]))


def examples(
    source: Callable[[], Corpus], start: int, stop: int
) -> Iterator[tuple[int, Example]]:
    """The dialogues of a shard with their numbers; one is in memory."""
    corpus = source()
    for key, rows in enumerate(corpus.dialogues()[start:stop], start):
        example = _example(corpus, rows)
        yield key, example
        # TFDS holds on to a shard's examples to count them; this one is written.
        example.clear()


def _example(corpus: Corpus, rows: np.ndarray) -> Example:
    titles = corpus.columns.get("dialogue", corpus.columns["utt_id"])
    features = corpus.features.items()
    lengths = {name: a.lengths[rows] for name, a in features if isinstance(a, Frames)}
    return {
        "dialogue": str(titles[rows[0]]),
        "row": rows,
        "columns": {
            # TFDS takes text as Python strings only.
            name: column[rows].astype(object)
            for name, column in corpus.columns.items()
        },
        "features": {name: vectors(array, rows) for name, array in features},
        **({"lengths": lengths} if lengths else {}),
        "present": {name: flags[rows] for name, flags in corpus.present.items()},
    }
