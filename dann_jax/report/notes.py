"""Notes below the tables of a run: how true its probabilities are, and cautions."""

from collections.abc import Mapping
from typing import Any


def notes_below(results: Mapping[str, Any]) -> list[str]:
    """Calibration in a sentence, and a paragraph of cautions; of older runs neither.

    Args:
      results: as in `results.json`.
    """
    lines = [
        f"- {line}" for kind in ("size", "people") for line in caution(results, kind)
    ]
    parts = [calibration_sentence(results)]
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
