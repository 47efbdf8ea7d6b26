"""What the scores of trials are worth: EER and minDCF, plain and weighted."""

import numpy as np


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
