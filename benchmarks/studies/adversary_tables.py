"""The tables of docs/study.md, from the numbers that the study keeps."""

from collections.abc import Mapping
from typing import Any

from benchmarks.studies.adversary_contrasts import QUESTIONS
from benchmarks.studies.numbers import gain_in_points, in_percent
from benchmarks.timing import table

ARMS = {
    "dann_0_1": "adversary .1",
    "dann": "adversary .3",
    "dann_1": "adversary 1",
    "cdan_e": "CDAN+E",
    "class_wise": "class-wise",
    "mmd": "MMD",
    "coral_1": "CORAL 1",
    "coral_10": "CORAL 10",
    "mcc": "MCC",
    "dann_mcc": "adversary .3 + MCC",
}
KINDS = {
    "none": "as they are",
    "speaker": "z by domain",
    "shrunk": "shrunk by domain",
    "label_aware": "label-aware by domain",
}


def table_of_gains(found: Mapping[str, Any]) -> str:
    """A table for each kind of cell: rows are corpora, columns are arms; in points."""
    kinds = dict.fromkeys(_kind(record) for record in found["cells"])
    return "\n\n".join(_table_of_kind(found, kind) for kind in kinds)


def _kind(record: Mapping[str, Any]) -> tuple[str, str, str]:
    return record["features"], record["standardised"], record["mode"]


def _table_of_kind(found: Mapping[str, Any], kind: tuple[str, str, str]) -> str:
    cells = [record for record in found["cells"] if _kind(record) == kind]
    over = {each["arm"]: each for each in found["over_corpora"] if _kind(each) == kind}
    arms = [arm for arm in ARMS if any(arm in record["gain"] for record in cells)]
    features, standardised, mode = kind
    head = [f"{features}, {KINDS[standardised]}, {mode}", "seeds", "source-only UA"]
    lines = []
    for record in cells:
        ua = record["ua"]["source_only"]
        gains = [gain_in_points(record["gain"].get(arm)) for arm in arms]
        first = [record["corpus"], str(record["seeds"]), in_percent(ua)]
        lines.append([*first, *gains])
    if over:
        means = [_mean_in_points(over.get(arm)) for arm in arms]
        lines.append(["**over corpora**", "", "", *means])
    return table([*head, *(ARMS[arm] for arm in arms)], lines)


def table_of_contrasts(found: Mapping[str, Any]) -> str:
    """Rows are questions, columns corpora; paired differences of UA in points."""
    tables = []
    for features, own in found["contrasts"].items():
        answers, over = own["corpora"].values(), own["over_corpora"]
        lines = [
            [
                question,
                *(gain_in_points(each.get(question)) for each in answers),
                _mean_in_points(over.get(question)),
            ]
            for question in QUESTIONS
            if any(question in each for each in answers)
        ]
        head = [f"{features}, transductive", *own["corpora"], "over corpora"]
        tables.append(table(head, lines))
    return "\n\n".join(tables)


def _mean_in_points(combined: Mapping[str, Any] | None) -> str:
    return gain_in_points(combined and [combined["mean"], *combined["ci95"]])


def table_of_probes(found: Mapping[str, Any]) -> str:
    """How often a fresh network finds the domain in the encoder's features, in %."""
    head = ["cell", "chance", "source-only", *ARMS.values()]
    lines = []
    for record in found["cells"]:
        probe = record["probe"]["network"]
        shares = [
            f"{100 * probe[arm]:.0f}" if arm in probe else ""
            for arm in ("source_only", *ARMS)
        ]
        features, standardised, mode = _kind(record)
        name = ", ".join((record["corpus"], features, KINDS[standardised], mode))
        lines.append([name, f"{100 * record['chance']:.0f}", *shares])
    return table(head, lines)


RELATIONS = {
    "label_shift": "how differently domains are labelled",
    "probe": "how well the domain is found without an adversary",
    "probe_drop": "how much less it is found with the adversary",
    "standardising": "what z by domain gains without an adversary",
}


def table_of_relations(found: Mapping[str, Any]) -> str:
    """Rank correlations of the gain of `dann` over cells."""
    lines = []
    for name, words in RELATIONS.items():
        if name in found["relations"]:
            relation = found["relations"][name]
            rank = relation["spearman"]
            text = "too few cells" if rank is None else f"{rank:+.2f}"
            lines.append([words, relation["cells"], text])
    return table(["gain of adversary .3 with", "cells", "Spearman"], lines)
