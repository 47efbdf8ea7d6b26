"""Outputs of all replicas for chosen rows, from batches of whole dialogues."""

from collections.abc import Callable

import numpy as np

from dann_jax.pipeline import Assembler, Plan
from dann_jax.training.feed import MOST_BYTES, Feed
from dann_jax.training.replicas import Layout
from dann_jax.types import UNKNOWN, Batch, Outputs, PyTree


def make_batch(
    plan: Plan,
    assemble: Callable[[np.ndarray, int, np.ndarray], Batch],
    layout: Layout,
    step: int,
    *,
    shuffle: bool,
) -> Batch:
    """The batch of every group at one step, with a leading group axis.

    It is complete if `assemble` is an `Assembler`, and an outline if it is the
    `outline` of an assembler or of a `Feed`.
    """
    chosen = [
        plan.batch(step, fold, seed, shuffle=shuffle)
        for fold, seed in zip(layout.fold_of, layout.seed_of, strict=True)
    ]
    dialogues = np.stack([dialogue for dialogue, _ in chosen])
    return assemble(dialogues, chosen[0][1], layout.fold_of)


def predict(
    evaluate: Callable[[PyTree, Batch], Outputs],
    params: PyTree,
    *,
    output: str,
    plan: Plan,
    assemble: Assembler,
    layout: Layout,
    rows: np.ndarray,
    most_bytes: int = MOST_BYTES,
) -> np.ndarray:
    """One of the network's outputs for every row that the plan goes through.

    Args:
      evaluate: mapped over replicas; outputs are `[groups, arms, B, T, dim]`.
      params: of every replica.
      output: the field of `Outputs` to keep, `features` or `label_logits`.
      plan: the dialogues to go through.
      assemble: the view of an evaluation.
      layout: of the replicas.
      rows: int `[n]`, the corpus rows to keep.
      most_bytes: as for `Feed`; 0 for a corpus that is gone through once.

    Returns:
      float32 `[groups, arms, n, dim]` without fillers; NaN for a row that a group's
      plan does not hold.
    """
    place = np.full(len(assemble.corpus), UNKNOWN)
    place[rows] = np.arange(len(rows))
    kept, feed = None, Feed(assemble, layout, most_bytes=most_bytes)
    for step in range(plan.steps_per_epoch):
        batch = make_batch(plan, feed.outline, layout, step, shuffle=False)
        # Only the wanted output leaves the device.
        values = np.asarray(getattr(evaluate(params, feed(batch)), output))
        if kept is None:
            shape = (layout.num_groups, values.shape[1], len(rows), values.shape[-1])
            kept = np.full(shape, np.nan, np.float32)
        for group in range(layout.num_groups):
            wanted = (batch.row[group] != UNKNOWN) & (
                place[batch.row[group]] != UNKNOWN
            )
            kept[group][:, place[batch.row[group][wanted]]] = values[group][:, wanted]
    return kept
