"""Tables of a target without labels: what was measured of it, and what was not."""

from collections.abc import Mapping
from typing import Any

from dann_jax.report.headings import TITLES, scored_folds
from dann_jax.report.table import Number, Table

NOT_MEASURED = "not measured"

_UNITS = {
    "confidence": "mean confidence",
    "agreement": "seeds agree",
    "rehearsed_confidence": "mean confidence, source",
    "rehearsed_agreement": "seeds agree, source",
}


def target_tables(results: Mapping[str, Any]) -> list[Table]:
    """The arms on the target, and how often each class is predicted; else none."""
    target = results.get("target")
    return [_arms(target), _balance(target)] if target else []


def _arms(target: Mapping[str, Any]) -> Table:
    """Scores, where the target has labels; what needs none, always."""
    rows = []
    for arm, measured in target["arms"].items():
        scores = target.get("summary", {}).get(arm)
        rows.append(
            [
                arm,
                _pooled(scores["ua"]) if scores else NOT_MEASURED,
                *(Number(measured[name]) for name in _UNITS),
                Number(measured["a_distance"], scale=1.0),
            ]
        )
    before = Number(target["input_a_distance"], scale=1.0)
    header = ["arm", f"{TITLES['ua']} of the target", *_UNITS.values(), "A-distance"]
    title = (
        f"The target, {target['rows']} recordings: scores and shares in %, and how far "
        f"it lies from the source in the encoder (in the features: {before})"
    )
    return Table("target", title, header, rows)


def _pooled(score: Mapping[str, Any]) -> Number:
    return Number(score["pooled"], interval=tuple(score["ci95"]))


def _balance(target: Mapping[str, Any]) -> Table:
    balance = target["balance"]
    rows = [
        [label, Number(share), *(Number(balance[arm][label]) for arm in balance)]
        for label, share in target["source_balance"].items()
    ]
    title = "Share of each class in %: labelled in the source, predicted of the target"
    return Table("balance", title, ["class", "source", *balance], rows)


def target_sentence(results: Mapping[str, Any]) -> str:
    """What is and what is not known of the target."""
    target = results["target"]
    if "summary" in target:
        said = "The labels of the target scored it, and were used for nothing else."
        of_ua = [e["sentence"] for e in target["comparisons"] if e["metric"] == "ua"]
        return " ".join([said, *of_ua])
    unknown = (
        "How many recordings of the target are recognised was not measured: they have "
        "no labels."
    )
    if not scored_folds(results):
        return f"{unknown} Nor was it rehearsed on source speakers."
    return (
        f"{unknown} The scores of the arms are of source speakers who were held out "
        f"and adapted to in the same way, and the target may be harder than they are."
    )
