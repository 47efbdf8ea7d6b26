"""A made-up corpus whose features are several layers of an encoder."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

import numpy as np
from runs import write_table

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames

WIDTH = 4
"""Values of a layer."""


def layered(corpus: Corpus, layers: Sequence[int] = (0, 2, 5)) -> Corpus:
    """The corpus with noise for `pretrained`, its only feature."""
    size = WIDTH * len(layers)
    values = np.random.default_rng(0).normal(size=(len(corpus), size))
    made = {
        "extractor": "pretrained",
        "version": 1,
        "parameters": {"layers": list(layers), "pooling": "mean", "digest": "0" * 32},
        "sample_rate": 16000,
        "dim": size,
        "framewise": False,
        "about": {"model": "tiny"},
    }
    return dataclasses.replace(
        corpus,
        features={"pretrained": values.astype(np.float32)},
        present={"pretrained": np.ones(len(corpus), bool)},
        provenance={"features": {"pretrained": made}},
    )


def layered_frames(corpus: Corpus, layers: Sequence[int] = (0, 2, 5)) -> Corpus:
    """The same with two to four frames an utterance."""
    whole = layered(corpus, layers)
    lengths = np.arange(len(corpus)) % 3 + 2
    values = np.random.default_rng(0).normal(size=(lengths.sum(), WIDTH * len(layers)))
    frames = Frames(values.astype(np.float32), lengths)
    made = whole.provenance["features"]["pretrained"] | {"framewise": True}
    return dataclasses.replace(
        whole,
        features={"pretrained": frames},
        provenance={"features": {"pretrained": made}},
    )


def write_layered(folder: pathlib.Path, corpus: Corpus) -> pathlib.Path:
    """A feature table with its provenance."""
    arrays = {}
    for name, array in corpus.features.items():
        framewise = isinstance(array, Frames)
        arrays[name] = array.values if framewise else array
        if framewise:
            arrays[f"{name}_lengths"] = array.lengths
    table = write_table(folder, dataclasses.replace(corpus, features=arrays))
    (table / "provenance.json").write_text(json.dumps(corpus.provenance))
    return table
