"""What a run needs, reckoned from shapes before anything large is made.

It is a lower bound: what XLA adds while it computes a step is known only once the step
is compiled (docs/scaling.md has measurements). What does not even fit this is refused.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.batches import gather_features
from dann_jax.tasks.task import Task
from dann_jax.training.program import Program
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.timetable import Timetable
from dann_jax.types import UNKNOWN, PyTree
from dann_jax.utils.resources import available_memory, size

_CELL = 19
"""Bytes of an utterance in a fold: its side and role, whether it is visible, its label
and what the sides of a split are made from."""

_DOMAIN = 4
"""Bytes of it for each adversary."""


def require_memory_for_roles(
    corpus: Corpus,
    split: str,
    split_args: Mapping[str, Any],
    *,
    adversaries: int,
    replicas: int,
    available: int | None = None,
) -> None:
    """Refuse more folds than there is memory for tables of roles.

    Args:
      corpus: all utterances.
      split: a word of `SPLITS`.
      split_args: arguments of it.
      adversaries: how many.
      replicas: seeds times arms: models of each fold.
      available: bytes; by default what is free now.

    Raises:
      ValueError: the message says what is needed, and what would fit.
    """
    folds, rows = count_folds(corpus, split, split_args), len(corpus)
    needed = folds * rows * (_CELL + _DOMAIN * adversaries)
    free = available_memory() if available is None else available
    if needed > free:
        column = split_args.get("column", "speaker")
        raise ValueError(
            f"{folds:,} folds of {rows:,} utterances need {size(needed)} for their "
            f"roles, before any of {folds * replicas:,} models is made, and "
            f"{size(free)} of memory are free; test several values of {column!r} "
            f"in each fold: config.protocol.split='group_k_fold' with "
            f"config.protocol.split_args={{'column': {column!r}, 'k': 10}}"
        )


def count_folds(corpus: Corpus, split: str, split_args: Mapping[str, Any]) -> int:
    """How many folds a split makes, without making them; 1 where that is not known.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> count_folds(corpus, "ordered_pairs", {"column": "session"})
      6
    """
    if split not in ("leave_one_out", "ordered_pairs", "group_k_fold"):
        return 1
    column = corpus.columns.get(split_args.get("column", ""), np.zeros(0, str))
    values = len(split_args.get("values", ())) or len(np.unique(column))
    if split == "group_k_fold":
        k = split_args.get("k", 1)
        return min(k, values) if split_args.get("at_most") else k
    return values if split == "leave_one_out" else values * (values - 1)


class Needs(NamedTuple):
    """What a run needs at least.

    Attributes:
      models: how many are trained, fillers included.
      model: bytes of the state of one: its parameters, their averages, the optimiser.
      batches: bytes of the batches that are on the devices at once.
      steps: optimiser steps of each model.
    """

    models: int
    model: int
    batches: int
    steps: int

    @property
    def total(self) -> int:
        """Bytes; a checkpoint is written from a copy of all states."""
        return 2 * self.models * self.model + self.batches

    def __str__(self) -> str:
        return (
            f"{self.models:,} models of {size(self.model)}, {self.steps:,} steps; at "
            f"least {size(self.total)} of memory"
        )


def needs_of(
    task: Task, layout: ReplicaLayout, program: Program, timetable: Timetable
) -> Needs:
    """From the shapes of a state and a batch; nothing of their size is made."""
    assemble, folds = task.training, [0]
    bucket = task.buckets[-1]
    index = assemble.index_batch(np.full((1, 1), UNKNOWN), bucket, folds)
    tables, standardiser = _shapes(assemble.tables()), assemble.standardiser_of(folds)
    batch = jax.eval_shape(gather_features, index, tables, standardiser)
    groups = len(layout.reported_group_of)
    return Needs(
        models=groups * len(layout.arms),
        model=_bytes(program.state_shapes(batch)),
        # The one that is trained on, and the next.
        batches=2 * groups * task.batch_size * _bytes(batch),
        steps=timetable.steps_per_epoch * timetable.epochs,
    )


def require_room(
    needs: Needs, layout: ReplicaLayout, available: int | None = None
) -> None:
    """Refuse a run that cannot fit.

    Args:
      needs: of the run.
      layout: of its replicas; devices of several processes share what is needed.
      available: bytes; by default what is free now where the models are kept.

    Raises:
      ValueError: the message says what is needed, and what would fit.
    """
    if needs.steps >= 2**31:
        raise ValueError(
            f"{needs.steps:,} steps are more than can be counted; "
            f"config.timetable.epochs must be smaller"
        )
    free = free_on(layout) if available is None else available
    if needs.total > free:
        fit = max(free - needs.batches, 0) // (2 * needs.model)
        raise ValueError(
            f"the run needs {size(needs.total)} and {size(free)} of memory are free: "
            f"{len(layout.folds):,} folds x {len(layout.seeds):,} seeds x "
            f"{len(layout.arms)} arms = {needs.models:,} models of "
            f"{size(needs.model)}, each twice when a checkpoint is written, and "
            f"{size(needs.batches)} of batches. {fit:,} such models would fit: fewer "
            f"config.seeds, arms or folds (config.protocol.split='group_k_fold'), or a "
            f"smaller config.encoder.width or config.batches.batch_size"
        )


def free_on(layout: ReplicaLayout) -> int:
    """Bytes that are free where the models of a run are kept, in all processes."""
    devices = layout.mesh.devices.flat
    stats = [device.memory_stats() for device in devices if device.platform != "cpu"]
    if any(stats):
        return sum(one["bytes_limit"] - one["bytes_in_use"] for one in stats if one)
    return available_memory() * jax.process_count()


def _shapes(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, np.float32), tree)


def _bytes(tree: PyTree) -> int:
    """Bytes of arrays, or of what is known of their shapes."""
    return sum(
        int(np.prod(leaf.shape, dtype=np.float64)) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
    )
