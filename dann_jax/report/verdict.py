"""The comparisons of a run as sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from dann_jax.evaluation.verdicts import NOT_SHOWN, sentence, verdict
from dann_jax.report.headings import headline, scored_folds, title_of

_Entries = Sequence[Mapping[str, Any]]
"""Comparisons, as in `results.json`."""


def run_verdict(results: Mapping[str, Any]) -> str:
    """One sentence for a run: which arms beat the baseline, and in which metrics.

    Args:
      results: as in `results.json`.

    Example:
      >>> entry = {"arm": "dann", "against": "plain", "metric": "ua"}
      >>> run_verdict(
      ...     {
      ...         "summary": {"plain": {"wa": {}}, "dann": {"wa": {}}},
      ...         "comparisons": [{**entry, "ci95": [-0.003, 0.011]}],
      ...     }
      ... )
      'Of dann and plain: no difference shown in UA.'
    """
    entries = results["comparisons"]
    if not entries and results.get("target") and not scored_folds(results):
        return "No row with a label is tested: nothing was scored."
    if not entries:
        arms = list(results["summary"])
        return f"There is one arm, {arms[0]}, and nothing to compare it with."
    metrics = list(dict.fromkeys(entry["metric"] for entry in entries))
    main = [name for name in headline(results) if name in metrics] or metrics
    if len({entry["arm"] for entry in entries}) == 1:
        return _of_one_arm([entry for entry in entries if entry["metric"] in main])
    # The last is UA (or the stronger back end), which a skewed corpus cannot flatter.
    return _of_several_arms([e for e in entries if e["metric"] == main[-1]])


def _by_verdict(entries: _Entries, key: str) -> dict[str, list[str]]:
    """Verdict -> the values of a key of the entries with that verdict."""
    by_verdict: dict[str, list[str]] = {}
    for entry in entries:
        word = verdict(entry["ci95"], entry["metric"])
        by_verdict.setdefault(word, []).append(entry[key])
    return by_verdict


def _of_one_arm(entries: _Entries) -> str:
    """Such as: dann is better than source_only in WA; no difference shown in UA."""
    arm, baseline = entries[0]["arm"], entries[0]["against"]
    metrics = {
        word: list(map(title_of, names))
        for word, names in _by_verdict(entries, "metric").items()
    }
    parts = [
        f"{word} than {baseline} in {' and '.join(metrics[word])}"
        for word in ("better", "worse")
        if word in metrics
    ]
    unclear = f"{NOT_SHOWN} in {' or '.join(metrics.get(NOT_SHOWN, []))}"
    if not parts:
        return f"Of {arm} and {baseline}: {unclear}."
    text = f"{arm} is {', but '.join(parts)}"
    return f"{text}; {unclear}." if NOT_SHOWN in metrics else f"{text}."


def _of_several_arms(entries: _Entries) -> str:
    """The verdicts in one metric, the arms without a difference counted."""
    baseline, arms = entries[0]["against"], _by_verdict(entries, "arm")
    parts = [
        f"{_listed(arms[word])} {'is' if len(arms[word]) == 1 else 'are'} "
        f"{word} than {baseline}"
        for word in ("better", "worse")
        if word in arms
    ]
    if unclear := arms.pop(NOT_SHOWN, []):
        others = "the other" if parts else "the"
        several = f"any of {others} {len(unclear)} arms"
        whom = several if len(unclear) > 1 else unclear[0]
        parts.append(f"{NOT_SHOWN} between {baseline} and {whom}")
    text = f"{title_of(entries[0]['metric'])}: {'; '.join(parts)}."
    differ = [*arms.get("better", []), *arms.get("worse", [])]
    return text + _after_correction(entries, differ)


def _after_correction(entries: _Entries, differ: list[str]) -> str:
    """Which arms still differ after correction for their number."""
    p_values = {e["arm"]: e["p_corrected"] for e in entries if "p_corrected" in e}
    if not differ or not p_values:
        return ""
    kept = [arm for arm in differ if p_values.get(arm, 1.0) <= 0.05]
    which = "all of them" if kept == differ else _listed(kept) if kept else "none"
    return f" After correction for {len(p_values)} arms: {which}."


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def sentences(results: Mapping[str, Any]) -> list[str]:
    """A sentence for every comparison, with its numbers."""
    return [
        entry.get("sentence") or sentence(entry) for entry in results["comparisons"]
    ]
