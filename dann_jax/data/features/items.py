"""Utterances for the worker processes, each with a key."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError

Columns = Mapping[str, np.ndarray]
Root = epath.PathLike | Mapping[str, epath.PathLike]
"""The folder that files are relative to, or one for each value of `corpus`."""

_CHUNK = 32


class Item(NamedTuple):
    """One utterance: its key, and its position in its file.

    Attributes:
      key: digest of its id, its position in its file and, for features of text, its
        words: features belong to it whatever its row or label is.
      path: of its file; empty where there is none.
      start: of the cut, in seconds.
      end: of the cut, in seconds; None for the end of the file.
      text: its words, where features of text are made.
    """

    key: str
    path: str
    start: float
    end: float | None
    text: str


def items_of(columns: Columns, root: Root, settings: Mapping[str, Any]) -> list[Item]:
    """The utterances of a table, row by row.

    Args:
      columns: column -> string array `[N]`.
      root: of the column `file`.
      settings: as `settings_of` returns them.

    Raises:
      CorpusError: a column that the features need is missing.
    """
    rates = {made["sample_rate"] for made in settings["features"].values()}
    needed = {"text"} if None in rates else set()
    needed |= {"file"} if rates - {None} else set()
    for column in needed - set(columns):
        raise CorpusError(f"the features need a column {column!r}")
    roots = root if isinstance(root, Mapping) else None
    empty = np.full(len(columns["utt_id"]), "")
    names = ("utt_id", "corpus", "file", "start", "end")
    values = [columns.get(name, empty).tolist() for name in names]
    values.append((columns["text"] if "text" in needed else empty).tolist())
    items = []
    for row in zip(*values, strict=True):
        _, corpus, file, start, end, text = row
        items.append(
            Item(
                key=hashlib.sha256(json.dumps(row).encode()).hexdigest()[:32],
                path=os.path.join(roots[corpus] if roots else root, file)
                if file
                else "",
                start=float(start or 0),
                end=float(end) if end else None,
                text=text,
            )
        )
    return items


def chunks_of(items: Sequence[Item], workers: int) -> list[list[Item]]:
    """Chunks of items, longest first and small, so that all processes end together."""
    cost = _costs(items)
    share = sum(cost.values()) / (16 * workers)
    chunks: list[list[Item]] = [[]]
    for item in _longest_first(cost):
        full = len(chunks[-1]) == _CHUNK or sum(map(cost.get, chunks[-1])) >= share
        if chunks[-1] and full:
            chunks.append([])
        chunks[-1].append(item)
    return chunks


def deal(items: Sequence[Item], hands: int) -> list[list[int]]:
    """Rows dealt out, longest item first: every row to one hand, which it is for good.

    Args:
      items: row by row.
      hands: how many to deal to; each gets about as much work.
    """
    row_of = {item: row for row, item in enumerate(items)}
    rows = [row_of[item] for item in _longest_first(_costs(items))]
    return [sorted(rows[hand::hands]) for hand in range(hands)]


def _longest_first(cost: Mapping[Item, float]) -> list[Item]:
    return sorted(cost, key=lambda item: (-cost[item], item.key))


def _costs(items: Sequence[Item]) -> dict[Item, float]:
    return {item: _cost(item) for item in items}


def _cost(item: Item) -> float:
    """About proportional to the work: seconds of a cut, else bytes of the file."""
    if item.end is not None:
        return (item.end - item.start) * 32000
    try:
        return float(os.stat(item.path).st_size)
    except (OSError, ValueError):
        return 0.0
