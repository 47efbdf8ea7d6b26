"""Outputs of all replicas for chosen rows, from batches of whole dialogues."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dann_jax.tasks.batches import Assembler
from dann_jax.tasks.plan import Plan
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
    """The batches of this process's groups at one step, with a leading group axis.

    It is complete if `assemble` is an `Assembler`, and an outline if it is the
    `outline` of an assembler or of a `Feed`.
    """
    own = layout.own_groups
    folds, seeds = layout.fold_of[own], layout.seed_of[own]
    chosen = [
        plan.batch(step, fold, seed, shuffle=shuffle)
        for fold, seed in zip(folds, seeds, strict=True)
    ]
    dialogues = np.stack([dialogue for dialogue, _ in chosen])
    # Every part has as many places.
    empty = -dialogues.shape[1] % layout.parts
    dialogues = np.pad(dialogues, ((0, 0), (0, empty)), constant_values=UNKNOWN)
    return assemble(dialogues, chosen[0][1], folds)


def predict(
    evaluate: Callable[[PyTree, Batch], Outputs],
    params: PyTree,
    *,
    output: str,
    **options: Any,
) -> np.ndarray:
    """One of the network's outputs; arguments as in `predict_several`."""
    return predict_several(evaluate, params, outputs=(output,), **options)[output]


def predict_several(
    evaluate: Callable[[PyTree, Batch], Outputs],
    params: PyTree,
    *,
    outputs: Sequence[str],
    plan: Plan,
    assemble: Assembler,
    layout: Layout,
    rows: np.ndarray,
    most_bytes: int = MOST_BYTES,
) -> dict[str, np.ndarray]:
    """Some of the network's outputs for every row that the plan goes through.

    Args:
      evaluate: mapped over replicas; outputs are `[groups, arms, B, T, dim]`.
      params: of every replica.
      outputs: the fields of `Outputs` to keep, `features` and `label_logits`.
      plan: the dialogues to go through.
      assemble: the view of an evaluation.
      layout: of the replicas.
      rows: int `[n]`, the corpus rows to keep.
      most_bytes: as for `Feed`; 0 for a corpus that is gone through once.

    Returns:
      Field -> float32 `[groups, arms, n, dim]` without fillers; NaN for a row that a
      group's plan does not hold.
    """
    place = np.full(len(assemble.corpus), UNKNOWN)
    place[rows] = np.arange(len(rows))
    kept: dict[str, np.ndarray] = {}
    feed = Feed(assemble, layout, most_bytes=most_bytes)
    for step in range(plan.steps_per_epoch):
        batch = feed(make_batch(plan, feed.outline, layout, step, shuffle=False))
        # Only what is wanted leaves the device.
        made = evaluate(params, batch)
        found = {name: getattr(made, name) for name in outputs}
        found = layout.get({"row": batch.row, **found})
        for output in outputs:
            values = found[output]
            if output not in kept:
                shape = (layout.num_groups, values.shape[1], len(rows))
                kept[output] = np.full((*shape, values.shape[-1]), np.nan, np.float32)
            for group in range(layout.num_groups):
                row = found["row"][group]
                wanted = (row != UNKNOWN) & (place[row] != UNKNOWN)
                kept[output][group][:, place[row[wanted]]] = values[group][:, wanted]
    return kept
