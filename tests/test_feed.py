"""Batches made on the mesh are those that the host would make, and no less erased."""

import dataclasses
import gc
import weakref

import jax
import numpy as np
import pytest
from corpora_and_batches import LABELS, assert_trees_equal, toy_corpus

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.tasks.batches import Assembler
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.splits import leave_one_out
from dann_jax.tasks.task import Task, make_task
from dann_jax.training import batch_loader
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.types import UNKNOWN, Batch


def mixed_corpus() -> Corpus:
    """Vectors, half precision, and frames; a text that is missing is NaN."""
    corpus = toy_corpus()
    lengths = np.arange(len(corpus)) % 4 + 1
    values = np.random.default_rng(1).normal(2.0, 3.0, (lengths.sum(), 2))
    features = {
        "audio": Frames(values.astype(np.float32), lengths),
        "text": corpus.features["text"].astype(np.float16),
    }
    return dataclasses.replace(corpus, features=features)


def task_of(corpus: Corpus) -> Task:
    """Speakers are left out of dialogues that they share."""
    protocol = assign_roles(
        corpus,
        leave_one_out(corpus, "speaker"),
        name="toy",
        labels=LABELS,
        validation_folds=0,
    )
    return make_task(corpus, protocol, {}, batch_size=3, num_buckets=2, max_frames=3)


def layout_of(task: Task, devices: int = 2) -> ReplicaLayout:
    folds = task.protocol.folds[:4]
    return ReplicaLayout(folds, range(2), {"one": {}}, make_mesh(devices))


TASK = task_of(mixed_corpus())
LAYOUT = layout_of(TASK)
PLAN = TASK.plan(TASK.protocol.visible())


def loader_of(view: Assembler, **options: int) -> BatchLoader:
    return BatchLoader(view, PLAN, LAYOUT, shuffle=True, **options)


def made_on_the_host(view: Assembler, step: int) -> Batch:
    """The batches of all groups, by NumPy alone."""
    pairs = zip(LAYOUT.fold_of, LAYOUT.seed_of, strict=True)
    chosen = [PLAN.batch(step, *pair) for pair in pairs]
    dialogues = np.stack([dialogue for dialogue, _ in chosen])
    return view(dialogues, chosen[0][1], LAYOUT.fold_of)


@pytest.mark.parametrize("most_bytes", [2**30, 0], ids=["on the mesh", "by the host"])
@pytest.mark.parametrize("view", ["training", "evaluation"])
def test_a_batch_is_what_the_host_would_have_made(view: str, most_bytes: int) -> None:
    assemble = getattr(TASK, view)
    loader = loader_of(assemble, most_bytes=most_bytes)
    for step in range(2):
        loaded = loader.batch(step)
        for leaf in jax.tree.leaves(loaded):
            # Half of the eight groups on each of the two devices.
            assert leaf.sharding.mesh == LAYOUT.mesh
            assert leaf.sharding.shard_shape(leaf.shape) == (4, *leaf.shape[1:])
        host = made_on_the_host(assemble, step)
        assert_trees_equal(loaded._replace(inputs={}), host._replace(inputs={}))
        for name, values in host.inputs.items():
            found = np.asarray(loaded.inputs[name])
            # XLA and NumPy do not divide alike: the last bit may differ.
            np.testing.assert_allclose(found, values, rtol=3e-7)
            assert (found[values == 0] == 0).all()


@pytest.mark.parametrize("most_bytes", [2**30, 0], ids=["on the mesh", "by the host"])
def test_what_is_hidden_is_neither_named_nor_sent(most_bytes: int) -> None:
    loader = loader_of(TASK.training, most_bytes=most_bytes)
    hidden = 0
    for step in range(PLAN.steps_per_epoch):
        index = loader.index_batch(step)
        for name, shown in index.present.items():
            blank = UNKNOWN if most_bytes else 0
            assert (index.inputs[name][~shown] == blank).all()
            assert (index.inputs[name][shown] != blank).any()
        hidden += ((index.row != UNKNOWN) & ~index.visible).sum()
    assert hidden > 0


def test_gathering_features_moves_nothing_between_devices() -> None:
    loader = loader_of(TASK.training)
    index = LAYOUT.put(loader.index_batch(0))
    arguments = index, loader._tables, loader._standardiser
    text = batch_loader._gather.lower(*arguments).compile().as_text()
    assert "gather(" in text
    for word in ("all-gather", "all-reduce", "all-to-all", "collective", "infeed"):
        assert word not in text


def test_views_of_a_corpus_share_one_copy_and_it_goes_with_the_corpus() -> None:
    task = task_of(mixed_corpus())
    loaders = [loader_of(view) for view in (task.training, task.evaluation)]
    copies = [jax.tree.leaves(loader._tables) for loader in loaders]
    assert all(one is other for one, other in zip(*copies, strict=True))
    gone = [weakref.ref(leaf) for leaf in copies[0]]
    del task, loaders, copies
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
