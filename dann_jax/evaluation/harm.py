"""Sentences on what makes an adaptation to an unlabelled target look harmful."""

from collections.abc import Mapping, Sequence
from typing import Any

from dann_jax.evaluation.verdicts import verdict


def harms(
    target: Mapping[str, Any], comparisons: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Sentences, one for each sign of harm; empty where there is none.

    Args:
      target: what `describe_target` has measured.
      comparisons: of the rehearsals, as in `results.json`.
    """
    found = []
    for arm in target["arms"]:
        found += [
            f"{arm}: {text}"
            for text in (_one_class(target["balance"][arm]), _worse(arm, comparisons))
            if text
        ]
    return found


def _one_class(balance: Mapping[str, float]) -> str:
    first = max(balance, key=balance.get)
    if balance[first] < 1.0:
        return ""
    return (
        f"all recordings of the target are predicted as {first}. Either they all are, "
        f"or the model tells nothing apart there: listen to some of them."
    )


def _worse(arm: str, comparisons: Sequence[Mapping[str, Any]]) -> str:
    for entry in comparisons:
        of_arm = (entry["arm"], entry["metric"]) == (arm, "ua")
        if of_arm and verdict(entry["ci95"]) == "worse":
            return "worse"
    return ""
