"""A few recordings of each speaker, to try things out."""

import numpy as np

from dann_jax.data.features.items import Columns


def some_of_each(columns: Columns, count: int) -> Columns:
    """At most `count` rows of each speaker, as equally many of each emotion as can be.

    Those of an emotion are evenly spread over the order of the corpus. Where `count` is
    less than the number of emotions, speakers begin with different ones. Rows without a
    speaker stay: they are not those of one person.

    Args:
      columns: column -> array `[N]`, with `speaker` and `emotion`.
      count: from 1.

    Example:
      >>> rows = {"speaker": np.array(["a"] * 6), "utt_id": np.arange(6)}
      >>> rows["emotion"] = np.array(["joy", "joy", "joy", "joy", "fear", "joy"])
      >>> some_of_each(rows, 3)["utt_id"]
      array([0, 4, 5])
    """
    speakers, emotions = columns["speaker"], columns["emotion"]
    chosen = [np.flatnonzero(speakers == "")]
    for turn, speaker in enumerate(np.unique(speakers[speakers != ""])):
        rows = np.flatnonzero(speakers == speaker)
        of_each = [rows[emotions[rows] == word] for word in np.unique(emotions[rows])]
        counts = _shared_out([len(group) for group in of_each], count, turn)
        for group, number in zip(of_each, counts, strict=True):
            places = np.linspace(0, len(group) - 1, number).round().astype(int)
            chosen.append(group[places])
    rows = np.sort(np.concatenate(chosen))
    return {name: column[rows] for name, column in columns.items()}


def _shared_out(sizes: list[int], count: int, first: int) -> list[int]:
    """How many of each group: one after the other, while it has any left."""
    shares = [0] * len(sizes)
    while sum(shares) < min(count, sum(sizes)):
        group = first % len(sizes)
        shares[group] += shares[group] < sizes[group]
        first += 1
    return shares
