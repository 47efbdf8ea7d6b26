"""The temperature of a bundle, and what is known of how true its probabilities are."""

from collections.abc import Mapping
from typing import Any

from dann_jax.bundle.description import Description


def temperature_of(results: Mapping[str, Any], arm: str, members: str) -> float:
    """By which the logits of a bundle are divided; 1 where none was fitted.

    Of the first seed, as its members are: fitted on what the models of all folds were
    tested on, or for the first fold alone without the labels of its tested rows.

    Args:
      results: as in `results.json`.
      arm: one of the run's.
      members: one of `MEMBERS`.
    """
    record = results.get("calibration", {}).get("arms", {}).get(arm, {})
    if "temperature" not in record:
        return 1.0
    by_fold, of_all = record["temperature"][0], record["temperature_of_all"][0]
    return by_fold[0] if members == "first" else of_all


def calibration_errors(results: Mapping[str, Any], arm: str) -> dict[str, Any]:
    """`calibration` of what a description says was measured; empty where nothing was.

    Args:
      results: as in `results.json`.
      arm: one of the run's.

    Returns:
      `fitted_on`, in words, and the ECE `before` and `after`.
    """
    calibration = results.get("calibration", {})
    record = calibration.get("arms", {}).get(arm, {})
    if "after" not in record:
        return {}
    errors = {when: record[when].get("ece") for when in ("before", "after")}
    return {"fitted_on": calibration["fitted_on"], **errors}


def is_calibrated(description: Description) -> bool:
    """Whether a temperature was fitted on people whom its models did not learn from."""
    return bool(description.measured.get("calibration"))


def calibration_words(description: Description) -> str:
    """A sentence without its full stop on how true the probabilities are.

    Args:
      description: of a bundle that names classes.
    """
    if not is_calibrated(description):
        return "Its probabilities are not calibrated"
    fit = description.measured["calibration"]
    several = len(description.members) > 1
    text = (
        f"Its logits are divided by the temperature {description.temperature:.2f}, as "
        f"fitted on {fit['fitted_on']}{', for every fold at once' if several else ''}"
    )
    if None in (fit["before"], fit["after"]):
        return text
    before, after = (100.0 * fit[when] for when in ("before", "after"))
    return (
        f"{text}. In models of one fold that took the expected\n  calibration error "
        f"from {before:.1f} to {after:.1f} points, by temperatures that the\n  tested "
        f"rows had no part in; the mean over members has not been measured"
    )
