"""Rows that hold the same samples under different names.

A copy on the other side of a split is a leak that no list of speakers shows.
"""

from collections.abc import Mapping, Sequence

import numpy as np


def find_duplicates(hashes: np.ndarray) -> list[np.ndarray]:
    """Group the rows whose audio is the same.

    Args:
      hashes: strings `[N]`, equal where the samples are; empty where a row has none.

    Returns:
      Row indices of each group of two or more, in order of the first row.

    Example:
      >>> find_duplicates(np.array(["x", "y", "", "x", ""]))
      [array([0, 3])]
    """
    _, first, member, times = np.unique(
        hashes, return_index=True, return_inverse=True, return_counts=True
    )
    repeated = np.flatnonzero((times > 1) & (hashes[first] != ""))
    in_order = repeated[np.argsort(first[repeated])]
    return [np.flatnonzero(member == group) for group in in_order]


def describe_duplicates(
    groups: Sequence[np.ndarray], columns: Mapping[str, np.ndarray], limit: int = 3
) -> str:
    """Say what `find_duplicates` found, in a sentence for a report.

    Args:
      groups: of row indices.
      columns: with `utt_id`, and with `speaker` and `emotion`, in which copies may
        contradict each other.
      limit: groups named at most.

    Example:
      >>> columns = {
      ...     "utt_id": np.array(["a", "b", "c"]),
      ...     "speaker": np.array(["1", "1", "2"]),
      ...     "emotion": np.array(["joy", "joy", "fear"]),
      ... }
      >>> describe_duplicates([np.array([0, 2])], columns)
      '2 utterances are copies in 1 group (a = c); 1 differs in speaker, 1 in emotion.'
      >>> describe_duplicates([], columns)
      'No two utterances hold the same audio.'
    """
    if not groups:
        return "No two utterances hold the same audio."
    rows = sum(map(len, groups))
    named = ["; ".join(" = ".join(columns["utt_id"][g]) for g in groups[:limit])]
    if len(groups) > limit:
        named.append(f"and {len(groups) - limit} more")
    unlike = {
        name: sum(len(np.unique(columns[name][g])) > 1 for g in groups)
        for name in ("speaker", "emotion")
    }
    word = "group" if len(groups) == 1 else "groups"
    text = f"{rows} utterances are copies in {len(groups)} {word} ({'; '.join(named)})"
    verb = "differs" if unlike["speaker"] == 1 else "differ"
    if any(unlike.values()):
        text += (
            f"; {unlike['speaker']} {verb} in speaker, {unlike['emotion']} in emotion"
        )
    return f"{text}."
