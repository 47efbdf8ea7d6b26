"""Error rates of scored trials: EER and minDCF, for many weightings at once."""

import numpy as np


def weighted_errors(
    scores: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    """Equal error rate and least detection cost, for every weighting of the trials.

    Args:
      scores: float `[n]`, higher for the same speaker.
      target: bool `[n]`, whether both sides are of the same speaker.
      weight: float `[..., n]`, >= 0, how often each trial counts; a bootstrap has many
        such weightings.

    Returns:
      Each `[...]` and in [0, 1]; NaN where the targets or the nontargets weigh nothing.
      `eer`: the share at which as many targets are missed as nontargets accepted; a
      straight line joins the shares at two neighbouring thresholds. `min_dcf`: the
      least of `C_miss P_miss p + C_fa P_fa (1 - p)` over all thresholds, with `p = .01`
      and costs of 1, over that of rejecting every trial.

    Raises:
      ValueError: the trials are all of one kind, or a score is not finite.

    Example:
      >>> scores, target = np.array([3.0, 1.0, 2.0, 0.0]), np.array([1, 1, 0, 0]) > 0
      >>> weight = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 1.0]])
      >>> weighted_errors(scores, target, weight)["eer"].tolist()
      [0.5, 0.0]

    Reference: for `min_dcf` the NIST 2016 Speaker Recognition Evaluation Plan, section
    3.1.
    """
    rates = _error_rates(scores, target, weight)
    known = np.isfinite(rates[0][..., -1] + rates[1][..., -1])
    false_alarm, miss = rates
    errors = {
        "eer": _crossing(*rates),
        "min_dcf": (0.01 * miss + 0.99 * false_alarm).min(-1) / 0.01,
    }
    return {name: np.where(known, values, np.nan) for name, values in errors.items()}


def _crossing(false_alarm: np.ndarray, miss: np.ndarray) -> np.ndarray:
    """Where the curves `[..., thresholds]` meet."""
    # `miss` falls and `false_alarm` rises along the thresholds.
    after = np.argmax(miss <= false_alarm, -1)[..., None]
    before = np.maximum(after - 1, 0)

    def at(curve: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(curve, index, -1)[..., 0]

    gap_before = at(miss, before) - at(false_alarm, before)
    gap = gap_before - (at(miss, after) - at(false_alarm, after))
    share = np.where(gap > 0, gap_before / np.where(gap > 0, gap, 1.0), 0.0)
    return at(miss, before) + share * (at(miss, after) - at(miss, before))


def _error_rates(
    scores: np.ndarray, target: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of false alarms and misses at every threshold, from strict to lax."""
    target = np.asarray(target, bool)
    if target.all() or not target.any():
        raise ValueError("error rates need trials of one speaker and trials of two")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    order = np.argsort(-scores, kind="stable")
    # Trials with the same score are accepted together.
    steps = np.append(np.diff(scores[order]) != 0, True)

    def accepted(kind: np.ndarray) -> np.ndarray:
        total = np.cumsum(np.where(kind, weight, 0.0)[..., order], -1)[..., steps]
        total = np.concatenate([np.zeros_like(total[..., :1]), total], -1)
        with np.errstate(invalid="ignore"):
            return total / total[..., -1:]

    return accepted(~target), 1.0 - accepted(target)
