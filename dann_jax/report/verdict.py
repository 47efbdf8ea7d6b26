"""What a run shows, in words."""

from collections.abc import Mapping
from typing import Any

from dann_jax.evaluation.verdicts import sentence, verdict
from dann_jax.report.headings import headline, title_of

NOT_SHOWN = "no difference shown"


def run_verdict(results: Mapping[str, Any]) -> str:
    """One sentence for a whole run: which arms beat the baseline, in what.

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
    if not entries:
        arms = list(results["summary"])
        return f"There is one arm, {arms[0]}, and nothing to compare it with."
    metrics = list(dict.fromkeys(entry["metric"] for entry in entries))
    main = [name for name in headline(results) if name in metrics] or metrics
    baseline = entries[0]["against"]
    arms = list(dict.fromkeys(entry["arm"] for entry in entries))
    say = _of_one if len(arms) == 1 else _of_many
    return say(entries, main, baseline, arms)


def _found(
    entries: list[Mapping[str, Any]], metric: str, arms: list[str]
) -> dict[str, list[str]]:
    """Verdict -> the arms that it is passed on."""
    by_verdict: dict[str, list[str]] = {"better": [], "worse": [], NOT_SHOWN: []}
    for entry in entries:
        if entry["metric"] == metric and entry["arm"] in arms:
            by_verdict[judged(entry)].append(entry["arm"])
    return by_verdict


def _of_one(
    entries: list[Mapping[str, Any]], metrics: list[str], baseline: str, arms: list[str]
) -> str:
    """Dann is better than source_only in WA; no difference shown in UA."""
    by_verdict: dict[str, list[str]] = {}
    for metric in metrics:
        for word, own in _found(entries, metric, arms).items():
            if own:
                by_verdict.setdefault(word, []).append(title_of(metric))
    (arm,) = arms
    parts = [
        f"{word} than {baseline} in {' and '.join(by_verdict[word])}"
        for word in ("better", "worse")
        if word in by_verdict
    ]
    unclear = f"{NOT_SHOWN} in {' or '.join(by_verdict.get(NOT_SHOWN, []))}"
    if not parts:
        return f"Of {arm} and {baseline}: {unclear}."
    said = f"{arm} is {', but '.join(parts)}"
    return f"{said}; {unclear}." if NOT_SHOWN in by_verdict else f"{said}."


def _of_many(
    entries: list[Mapping[str, Any]], metrics: list[str], baseline: str, arms: list[str]
) -> str:
    """The verdicts on UA (or its like), those without a difference counted."""
    # The last is UA (or the stronger back end), which a skewed corpus cannot flatter.
    metric = metrics[-1]
    found = _found(entries, metric, arms)
    parts = [
        f"{_listed(found[word])} {'is' if len(found[word]) == 1 else 'are'} "
        f"{word} than {baseline}"
        for word in ("better", "worse")
        if found[word]
    ]
    unclear = found[NOT_SHOWN]
    if unclear:
        others = "the other" if parts else "the"
        several = f"any of {others} {len(unclear)} arms"
        whom = several if len(unclear) > 1 else unclear[0]
        parts.append(f"{NOT_SHOWN} between {baseline} and {whom}")
    said = f"{title_of(metric)}: {'; '.join(parts)}."
    return said + _after_correction(entries, metric, found["better"] + found["worse"])


def _after_correction(
    entries: list[Mapping[str, Any]], metric: str, shown: list[str]
) -> str:
    """Which of the arms that differ still do, p being corrected for their number."""
    p_values = {
        entry["arm"]: entry["p_corrected"]
        for entry in entries
        if entry["metric"] == metric and "p_corrected" in entry
    }
    if not shown or not p_values:
        return ""
    kept = [arm for arm in shown if p_values.get(arm, 1.0) <= 0.05]
    which = "all of them" if kept == shown else _listed(kept) if kept else "none"
    return f" After correction for {len(p_values)} arms: {which}."


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def judged(entry: Mapping[str, Any]) -> str:
    """`better`, `worse` or `no difference shown`."""
    return verdict(entry["ci95"], entry["metric"])


def sentences(results: Mapping[str, Any]) -> list[str]:
    """A sentence for every comparison, with its numbers."""
    return [
        entry.get("sentence") or sentence(entry) for entry in results["comparisons"]
    ]
