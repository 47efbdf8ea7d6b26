"""Speaker verification: trials of speakers not trained on, and cosine scores.

A trial asks whether two utterances are of one speaker; the higher its score the more
likely. `plda` has the other way to score, `detection` what scores are worth.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np


class Trials(NamedTuple):
    """Pairs of rows, and which are of one speaker.

    Attributes:
      first: int64 `[n]`, rows.
      second: int64 `[n]`, rows; never the same as `first`.
      target: bool `[n]`, whether both are of the same speaker.
    """

    first: np.ndarray
    second: np.ndarray
    target: np.ndarray


def make_trials(
    speaker: np.ndarray,
    *,
    trained: Collection[str] = (),
    within: np.ndarray | None = None,
    per_speaker: int = 100,
    seed: int = 0,
) -> Trials:
    """As many trials of one speaker as of two, from speakers never trained on.

    Every speaker has the same number of target trials or all that there are, and as
    many nontarget trials, whose other side is drawn among the rows of the other
    speakers. The same arguments give the same trials.

    Args:
      speaker: str or int `[rows]`; an empty string is no speaker.
      trained: speakers of training rows; their rows are in no trial.
      within: `[rows]`, such as the corpus. Both sides of a nontarget trial have the
        same value of it, or that value alone would tell them apart.
      per_speaker: at most so many target trials a speaker.
      seed: of the choice.

    Returns:
      Trials, no pair twice.

    Raises:
      ValueError: fewer than two speakers are left, or none has two rows.

    Example:
      >>> trials = make_trials(np.array(["a", "a", "b", "b", "c"]), trained={"c"})
      >>> trials.target.tolist()
      [True, True, False, False]
    """
    rng = np.random.default_rng(seed)
    speaker = np.asarray(speaker)
    usable = ~np.isin(speaker, list(trained)) & (speaker.astype(str) != "")
    place = np.zeros(len(speaker)) if within is None else np.asarray(within)
    names = np.unique(speaker[usable])
    if len(names) < 2:
        raise ValueError(
            f"trials need two speakers that are not trained on; of "
            f"{len(np.unique(speaker))} there are {len(names)}"
        )
    same: list[np.ndarray] = []
    other: list[np.ndarray] = []
    used: set[tuple[int, int]] = set()
    for name in names:
        rows = np.flatnonzero(usable & (speaker == name))
        pairs = _pairs_within(rows, per_speaker, rng)
        same.append(pairs)
        rest = np.flatnonzero(usable & (speaker != name) & np.isin(place, place[rows]))
        other.append(_pairs_between(rows, rest, len(pairs), used, rng))
    targets, nontargets = np.concatenate(same), np.concatenate(other)
    if not len(targets):
        raise ValueError("trials need a speaker with two rows or more; there is none")
    if not len(nontargets):
        raise ValueError(f"each of the {len(names)} speakers is alone in its place")
    first, second = np.concatenate([targets, nontargets]).T
    return Trials(first, second, np.arange(len(first)) < len(targets))


def _pairs_within(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most so many different pairs of these rows, `[n, 2]`."""
    places = np.stack(np.triu_indices(len(rows), 1), 1)
    chosen = rng.permutation(len(places))[:most]
    return rows[places[np.sort(chosen)]]


def _pairs_between(
    rows: np.ndarray,
    others: np.ndarray,
    count: int,
    used: set[tuple[int, int]],
    rng: np.random.Generator,
) -> np.ndarray:
    """So many pairs that are not yet in `used`, or all there are, `[n, 2]`."""
    pairs: list[tuple[int, int]] = []
    for place in rng.permutation(len(rows) * len(others)):
        if len(pairs) == count:
            break
        pair = int(rows[place // len(others)]), int(others[place % len(others)])
        if (either_way := (min(pair), max(pair))) not in used:
            used.add(either_way)
            pairs.append(pair)
    return np.array(pairs, np.int64).reshape(-1, 2)


def cosine_scores(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine of the angle between the rows of two arrays.

    Args:
      first: float `[n, width]`.
      second: float `[n, width]`.

    Returns:
      `[n]` in [-1, 1]; 0 where a row is all zero.

    Example:
      >>> cosine_scores(np.array([[1.0, 0.0]]), np.array([[3.0, 3.0]])).round(4)
      array([0.7071])
    """
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    products = np.einsum("nw,nw->n", first, second)
    return products / np.where(lengths > 0, lengths, 1.0)
