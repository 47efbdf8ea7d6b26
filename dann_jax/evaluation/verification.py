"""Speaker verification: trials of unheard speakers, cosine scores, EER, minDCF.

A trial asks whether two utterances are of one speaker; the higher its score the more
likely. `plda` has the other way to score.
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
      trained: speakers that training has heard; their rows are in no trial.
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
            f"trials need two speakers that training has not heard; of "
            f"{len(np.unique(speaker))} there are {len(names)}"
        )
    same: list[np.ndarray] = []
    other: list[np.ndarray] = []
    used: set[tuple[int, int]] = set()
    for name in names:
        own = np.flatnonzero(usable & (speaker == name))
        pairs = _pairs_within(own, per_speaker, rng)
        same.append(pairs)
        rest = np.flatnonzero(usable & (speaker != name) & np.isin(place, place[own]))
        other.append(_pairs_between(own, rest, len(pairs), used, rng))
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
    own: np.ndarray,
    rest: np.ndarray,
    count: int,
    used: set[tuple[int, int]],
    rng: np.random.Generator,
) -> np.ndarray:
    """So many pairs that are not yet in `used`, or all there are, `[n, 2]`."""
    found: list[tuple[int, int]] = []
    for place in rng.permutation(len(own) * len(rest)):
        if len(found) == count:
            break
        pair = int(own[place // len(rest)]), int(rest[place % len(rest)])
        if tuple(sorted(pair)) not in used:
            used.add(tuple(sorted(pair)))
            found.append(pair)
    return np.array(found, np.int64).reshape(-1, 2)


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


def equal_error_rate(scores: np.ndarray, target: np.ndarray) -> float:
    """Where as large a share of targets is missed as of nontargets accepted.

    Between two thresholds both shares are taken as straight lines.

    Args:
      scores: float `[n]`, higher for the same speaker.
      target: bool `[n]`.

    Returns:
      A share in [0, 1].

    Raises:
      ValueError: the trials are all of one kind, or a score is not finite.

    Example:
      >>> equal_error_rate(np.array([3.0, 1.0, 2.0, 0.0]), np.array([1, 1, 0, 0]) > 0)
      0.5
    """
    return float(_crossing(*_error_rates(scores, target)))


def min_dcf(
    scores: np.ndarray,
    target: np.ndarray,
    *,
    p_target: float = 0.01,
    cost_miss: float = 1.0,
    cost_false_alarm: float = 1.0,
) -> float:
    """Least detection cost over all thresholds, normalised.

    `C_miss P_miss p + C_fa P_fa (1 - p)`, over the cost of the better of accepting all
    trials and rejecting all, so that 1 is worth nothing.

    Args:
      scores: float `[n]`, higher for the same speaker.
      target: bool `[n]`.
      p_target: prior of a target trial, in (0, 1).
      cost_miss: of rejecting a target, > 0.
      cost_false_alarm: of accepting a nontarget, > 0.

    Returns:
      A cost in [0, 1].

    Raises:
      ValueError: as `equal_error_rate`; or the prior is not within (0, 1).

    Example:
      >>> min_dcf(np.array([3.0, 1.0, 2.0, 0.0]), np.array([1, 1, 0, 0]) > 0)
      0.5

    Reference:
      NIST 2016 Speaker Recognition Evaluation Plan, section 3.1.
    """
    if not 0.0 < p_target < 1.0:
        raise ValueError(f"p_target must lie between 0 and 1, got {p_target}")
    rates = _error_rates(scores, target)
    costs = (cost_miss * p_target, cost_false_alarm * (1.0 - p_target))
    return float(_least_cost(*rates, *costs))


def weighted_errors(
    scores: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    """Both error rates for many weightings of the trials at once, as a bootstrap has.

    Args:
      scores: float `[n]`.
      target: bool `[n]`.
      weight: float `[..., n]`, >= 0, how often each trial counts.

    Returns:
      `eer` and `min_dcf` (at its default prior and costs), each `[...]`; NaN where the
      targets or the nontargets weigh nothing.

    Raises:
      ValueError: as `equal_error_rate`.

    Example:
      >>> scores, target = np.array([3.0, 1.0, 2.0, 0.0]), np.array([1, 1, 0, 0]) > 0
      >>> weight = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 1.0]])
      >>> weighted_errors(scores, target, weight)["eer"].tolist()
      [0.5, 0.0]
    """
    rates = _error_rates(scores, target, weight)
    some = np.isfinite(rates[0][..., -1] + rates[1][..., -1])
    found = {"eer": _crossing(*rates), "min_dcf": _least_cost(*rates, 0.01, 0.99)}
    return {name: np.where(some, values, np.nan) for name, values in found.items()}


def _crossing(false_alarm: np.ndarray, miss: np.ndarray) -> np.ndarray:
    """Where the curves `[..., thresholds]` meet."""
    # `miss` falls and `false_alarm` rises along the thresholds.
    after = np.argmax(miss <= false_alarm, -1)[..., None]
    before = np.maximum(after - 1, 0)

    def at(curve: np.ndarray, place: np.ndarray) -> np.ndarray:
        return np.take_along_axis(curve, place, -1)[..., 0]

    gap_before = at(miss, before) - at(false_alarm, before)
    gap = gap_before - (at(miss, after) - at(false_alarm, after))
    share = np.where(gap > 0, gap_before / np.where(gap > 0, gap, 1.0), 0.0)
    return at(miss, before) + share * (at(miss, after) - at(miss, before))


def _least_cost(
    false_alarm: np.ndarray, miss: np.ndarray, on_miss: float, on_alarm: float
) -> np.ndarray:
    costs = on_miss * miss + on_alarm * false_alarm
    return costs.min(-1) / min(on_miss, on_alarm)


def _error_rates(
    scores: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of false alarms and misses at every threshold, from strict to lax."""
    target = np.asarray(target, bool)
    if target.all() or not target.any():
        raise ValueError("error rates need trials of one speaker and trials of two")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    weight = np.ones(len(target)) if weight is None else weight
    order = np.argsort(-scores, kind="stable")
    # Trials with the same score are accepted together.
    steps = np.append(np.diff(scores[order]) != 0, True)

    def accepted(kind: np.ndarray) -> np.ndarray:
        total = np.cumsum(np.where(kind, weight, 0.0)[..., order], -1)[..., steps]
        total = np.concatenate([np.zeros_like(total[..., :1]), total], -1)
        with np.errstate(invalid="ignore"):
            return total / total[..., -1:]

    return accepted(~target), 1.0 - accepted(target)
