"""A choice with what one of its settings left: curves, probes, diagnoses and maps.

A choice trains nothing itself. Its page shows those of the setting whose candidate the
bundle has, under the names of the candidates.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_OF_ALL = ("domains", "probed", "data", "raters")
"""Parts of an analysis that are of no arm."""


def candidate_names(choice: Mapping[str, Any]) -> dict[str, str]:
    """Arm -> candidate, of the setting whose candidate is recommended.

    Args:
      choice: as in `results.json`.

    Example:
      >>> candidates = {"wide: dann": {"setting": "wide", "arm": "dann"}}
      >>> recommended = {"setting": "wide"}
      >>> candidate_names({"candidates": candidates, "recommended": recommended})
      {'dann': 'wide: dann'}
    """
    return {
        own["arm"]: name
        for name, own in choice["candidates"].items()
        if own["setting"] == choice["recommended"]["setting"]
    }


def renamed_analysis(
    analysis: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, Any]:
    """The analysis of a setting, its arms under the names of candidates.

    Recalls and confusions are left out: those of a choice are of all its candidates.

    Args:
      analysis: as in `analysis.json`.
      names: as from `candidate_names`.
    """

    def keyed(table: Mapping[str, Any]) -> dict[str, Any]:
        return {names[arm]: value for arm, value in table.items() if arm in names}

    def listed(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{**entry, "arm": names[entry["arm"]]} for entry in entries]

    def scored(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{**entry, "scores": keyed(entry["scores"])} for entry in entries]

    def mapped(maps: Mapping[str, Any]) -> dict[str, Any]:
        return {**maps, "points": keyed(maps.get("points", {}))}

    change = {
        **dict.fromkeys(_OF_ALL, lambda part: part),
        **dict.fromkeys(("probes", "a_distance", "selection"), listed),
        **dict.fromkeys(("speakers", "groups"), scored),
        "diagnoses": keyed,
        "maps": mapped,
    }
    return {
        name: change[name](part) for name, part in analysis.items() if name in change
    }


def renamed_line(
    line: Mapping[str, float], names: Mapping[str, str]
) -> dict[str, float]:
    """A line of `metrics.jsonl`, whose keys begin with an arm or have no slash.

    Args:
      line: of a setting.
      names: as from `candidate_names`.

    Example:
      >>> renamed_line({"epoch": 1, "dann/loss/label": 0.5}, {"dann": "wide: dann"})
      {'epoch': 1, 'wide: dann/loss/label': 0.5}
    """
    renamed = {}
    for key, value in line.items():
        arm, slash, metric = key.partition("/")
        renamed[f"{names.get(arm, arm)}{slash}{metric}" if slash else key] = value
    return renamed
