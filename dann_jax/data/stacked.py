"""Tables one below the other."""

from collections.abc import Mapping, Sequence

import numpy as np


def stack_columns(tables: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The rows of all tables; empty where a table lacks a column.

    Args:
      tables: each column -> string array `[n]`, with `utt_id`.

    Returns:
      Column -> string array `[N]`.

    Example:
      >>> one, two = {"utt_id": np.array(["a"])}, {"utt_id": np.array(["b"])}
      >>> stacked = stack_columns([one, two | {"split": np.array(["test"])}])
      >>> {name: values.tolist() for name, values in stacked.items()}
      {'utt_id': ['a', 'b'], 'split': ['', 'test']}
    """
    names = dict.fromkeys(name for table in tables for name in table)
    return {
        name: np.concatenate(
            [t.get(name, np.full(len(t["utt_id"]), "")) for t in tables]
        )
        for name in names
    }
