"""Notes below the tables of a run: how true its probabilities are, and cautions."""

from collections.abc import Mapping
from typing import Any


def notes_below(results: Mapping[str, Any]) -> list[str]:
    """Calibration and whose scores they are in a sentence each, and cautions.

    Older runs have neither.

    Args:
      results: as in `results.json`.
    """
    lines = [
        f"- {line}" for kind in ("size", "people") for line in caution(results, kind)
    ]
    parts = [calibration_sentence(results), unenrolled_sentence(results)]
    parts += ["\n".join(["Before these numbers are believed:", *lines])] * bool(lines)
    return [part for part in parts if part]


def caution(results: Mapping[str, Any], kind: str) -> list[str]:
    """The sentences of `people` or of `size`; none of an older run."""
    return list(results.get("cautions", {}).get(kind, ()))


def calibration_sentence(results: Mapping[str, Any]) -> str:
    """The ECE of every arm before and after temperature; empty where there is none.

    Example:
      >>> of_dann = {"before": {"ece": 0.12}, "after": {"ece": 0.031}}
      >>> measured = {"fitted_on": "validation rows", "arms": {"dann": of_dann}}
      >>> print(calibration_sentence({"calibration": measured}))
      ECE in %, and after temperature (fitted on validation rows): dann 12.0, 3.1.
    """
    calibration = results.get("calibration", {})
    fitted_on, found = calibration.get("fitted_on"), []
    for arm, record in calibration.get("arms", {}).items():
        errors = [
            f"{100.0 * record[when]['ece']:.1f}"
            for when in ("before", "after")
            if record.get(when)
        ]
        if errors:
            found.append(f"{arm} {', '.join(errors)}")
    after = f", and after temperature (fitted on {fitted_on})" if fitted_on else ""
    return f"ECE in %{after}: {'; '.join(found)}." if found else ""


def unenrolled_sentence(results: Mapping[str, Any]) -> str:
    """UA of people who are not enrolled, of a run that standardises by person.

    Example:
      >>> unenrolled = {"dann": {"ua": {"pooled": 0.412}}}
      >>> print(unenrolled_sentence({"unenrolled": unenrolled}))
      The scores above are of people whose own recordings standardise their features. \
UA in % of the same people when nobody is enrolled: dann 41.2.
    """
    scores = [
        f"{arm} {100.0 * score['ua']['pooled']:.1f}"
        for arm, score in results.get("unenrolled", {}).items()
    ]
    if not scores:
        return ""
    some = "" if "choice" not in results else ", where a candidate does that,"
    return (
        f"The scores above are{some} of people whose own recordings standardise their "
        f"features. UA in % of the same people when nobody is enrolled: "
        f"{', '.join(scores)}."
    )
