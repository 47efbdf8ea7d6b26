"""The comparisons of a run as sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from dann_jax.evaluation.verdicts import CHOSEN, NOT_SHOWN, sentence, verdict_of
from dann_jax.report.headings import headline, scored_folds, title_of
from dann_jax.utils.words import and_listed

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
    if "choice" in results:
        # All other candidates were there to be chosen from.
        entries = [entry for entry in entries if entry["arm"] == CHOSEN]
    main = [name for name in headline(results) if name in metrics] or metrics
    if len({entry["arm"] for entry in entries}) == 1:
        return _of_one_arm([entry for entry in entries if entry["metric"] in main])
    # The last is UA (or the stronger back end), which a skewed corpus cannot flatter.
    return _of_several_arms([e for e in entries if e["metric"] == main[-1]])


def _by_verdict(entries: _Entries, key: str) -> dict[str, list[str]]:
    """Verdict -> the values of a key of the entries with that verdict, in an order."""
    by_verdict: dict[str, list[str]] = {}
    for entry in entries:
        by_verdict.setdefault(verdict_of(entry), []).append(entry[key])
    return dict(sorted(by_verdict.items()))


def _of_one_arm(entries: _Entries) -> str:
    """Such as: dann is better than source_only in WA; no difference shown in UA."""
    arm, baseline = entries[0]["arm"], entries[0]["against"]
    metrics = {
        word: list(map(title_of, names))
        for word, names in _by_verdict(entries, "metric").items()
    }
    unclear = f"{NOT_SHOWN} in {' or '.join(metrics.pop(NOT_SHOWN, []))}"
    parts = []
    for word, names in metrics.items():
        kind, _, hint = word.partition(" ")
        where = f"than {baseline} in {' and '.join(names)}"
        parts.append(" ".join([kind, where, *[hint] * bool(hint)]))
    if not parts:
        return f"Of {arm} and {baseline}: {unclear}."
    opposed = len({word.partition(" ")[0] for word in metrics}) > 1
    text = f"{arm} is {(', but ' if opposed else '; ').join(parts)}"
    told = text if unclear.endswith(" in ") else f"{text}; {unclear}"
    return f"{told}.{_what_a_hint_is(entries)}"


def _of_several_arms(entries: _Entries) -> str:
    """The verdicts in one metric, the arms without a difference counted."""
    baseline, arms = entries[0]["against"], _by_verdict(entries, "arm")
    unclear, parts = arms.pop(NOT_SHOWN, []), []
    for word, names in arms.items():
        kind, _, hint = word.partition(" ")
        verb = "is" if len(names) == 1 else "are"
        words = [and_listed(names), verb, kind, "than", baseline, *[hint] * bool(hint)]
        parts.append(" ".join(words))
    if unclear:
        others = "the other" if parts else "the"
        several = f"any of {others} {len(unclear)} arms"
        whom = several if len(unclear) > 1 else unclear[0]
        parts.append(f"{NOT_SHOWN} between {baseline} and {whom}")
    text = f"{title_of(entries[0]['metric'])}: {'; '.join(parts)}."
    return text + _what_a_hint_is(entries)


def _what_a_hint_is(entries: _Entries) -> str:
    """Why some verdicts are hints; empty where none is."""
    if not any(verdict_of(entry).endswith("(hint only)") for entry in entries):
        return ""
    arms = len({entry["arm"] for entry in entries if "p_corrected" in entry})
    corrected = f" after correction for {arms} arms" if arms > 1 else ""
    return f" A hint: its interval excludes 0, but its p is above .05{corrected}."


def sentences(results: Mapping[str, Any]) -> list[str]:
    """A sentence for every comparison, with its numbers."""
    return [
        entry.get("sentence") or sentence(entry) for entry in results["comparisons"]
    ]
