"""Whole runs small enough for a test: a corpus on disk and a config for it."""

import importlib.util
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
from ml_collections import ConfigDict

from dann_jax.data.corpus import Corpus
from dann_jax.data.manifest import write_manifest
from dann_jax.data.synthetic.conversations import synthetic_conversations
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.types import Batch

CONFIG = pathlib.Path(__file__).parents[1] / "configs" / "synthetic.py"


def tiny_corpus() -> Corpus:
    """Four sessions of two speakers; about one utterance in eight is of no emotion."""
    corpus = synthetic_conversations(sessions=4, dialogues=5, turns=10)
    emotion = corpus.columns["emotion"].astype("<U16")
    emotion[np.random.default_rng(0).random(len(corpus)) < 1 / 8] = "surprise"
    corpus.columns["emotion"] = emotion
    return corpus


def write_table(folder: pathlib.Path, corpus: Corpus) -> pathlib.Path:
    """Write a corpus as the feature table `toy` in the folder."""
    table = folder / "toy"
    table.mkdir(parents=True)
    write_manifest(table / "manifest.csv", corpus.columns)
    np.savez(table / "features.npz", **corpus.features)
    return table


def default_config() -> ConfigDict:
    """The embedded default."""
    spec = importlib.util.spec_from_file_location("synthetic_config", CONFIG)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def tiny_config(source: object, changes: Mapping[str, object] = {}) -> ConfigDict:
    """The embedded default made tiny, on `tiny_corpus`; `changes` by dotted key."""
    config = default_config()
    tiny = {
        "data.source": str(source),
        "protocol.split_args.test": ("3", "4"),
        "protocol.validation_folds": 3,
        "selection": "source-validation",
        "seeds": 1,
        "batches.batch_size": 2,
        "batches.num_buckets": 2,
        "encoder.width": 8,
        "heads.domain_hidden": (8,),
        # Most tests are of something else, and these take seconds.
        "analysis.rows": 0,
        "timetable.gradients_every": 0,
        "timetable.epochs": 2,
    }
    config.update_from_flattened_dict({**tiny, **changes})
    return config


def loader_that_stops(at: int) -> type[BatchLoader]:
    """A `BatchLoader` until a step; then the user's Ctrl-C, which arrives as it is."""

    class Stopping(BatchLoader):
        def index_batch(self, step: int) -> Batch:
            if step == at:
                raise KeyboardInterrupt
            return super().index_batch(step)

        def batches(self, start: int, stop: int) -> Iterator[Batch]:
            return map(self.batch, range(start, stop))

    return Stopping
