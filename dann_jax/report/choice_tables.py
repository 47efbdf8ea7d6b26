"""The tables of a choice of settings: what was chosen where, and every candidate."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dann_jax.report.table import Number, Table, markdown
from dann_jax.report.tables import difference, pooled_number, result_table

CHOICES = (
    "Inner UA: training speakers of the fold held out in turn, its tested speakers "
    "never seen. Ahead by: of the best other candidate; below zero where a plainer "
    "one, as good within one standard error, was taken. In hindsight: by the labels of "
    "the tested speakers, which chose nothing."
)
"""Legend of the first table."""

GAP = (
    "Gap: UA on tested speakers less inner UA; inner models learn from fewer speakers. "
    "Folds: in how many the candidate was chosen. Of a single candidate the best UA is "
    "picked by what it is scored on; of the chosen it is not."
)
"""Legend of the second."""


def run_text(results: Mapping[str, Any]) -> str:
    """All tables of a run in Markdown, and of a choice what was chosen and why.

    Args:
      results: as in `results.json`.
    """
    parts = [result_table(results)]
    for table, note in zip(choice_tables(results), (CHOICES, GAP), strict=False):
        parts += [f"{table.title}:", markdown(table), note]
    if "choice" in results:
        parts.append(" ".join(results["choice"]["recommended"]["why"]))
    return "\n\n".join(parts)


def choice_tables(results: Mapping[str, Any]) -> list[Table]:
    """What every fold chose, and all candidates; none of a run that chose nothing.

    Args:
      results: as in `results.json`.
    """
    if "choice" not in results:
        return []
    return [chosen_table(results), candidate_table(results)]


def chosen_table(results: Mapping[str, Any]) -> Table:
    """The candidate of every fold, by which score, and what it was worth there."""
    rows = []
    for fold in results["choice"]["folds"]:
        inner, outer = fold["inner_ua"], fold["outer_ua"]
        name = fold["candidate"]
        others = [score for other, score in inner.items() if other != name]
        hindsight = max(outer, key=outer.__getitem__)
        rows.append(
            [
                fold["fold"],
                name,
                Number(inner[name]),
                Number(inner[name] - max(others), signed=True),
                Number(outer[name]),
                Number(outer[hindsight]),
                hindsight,
            ]
        )
    header = ["fold", "chosen", "inner UA", "ahead by", "UA of the fold"]
    header += ["best in hindsight", "which"]
    return Table("chosen", "What was chosen in every fold, UA in %", header, rows)


def candidate_table(results: Mapping[str, Any]) -> Table:
    """Every candidate on inner folds and on tested speakers, and how often chosen."""
    choice, summary = results["choice"], results["summary"]
    folds = choice["folds"]
    against = {entry["against"]: difference(entry) for entry in choice["against"]}
    rows = []
    for name in choice["candidates"]:
        inner = float(np.mean([fold["inner_ua"][name] for fold in folds]))
        outer = summary[name]["ua"]
        rows.append(
            [
                name,
                Number(inner),
                pooled_number(outer, "ua"),
                Number(outer["pooled"] - inner, signed=True),
                sum(fold["candidate"] == name for fold in folds),
                against[name],
            ]
        )
    for name, scores in choice["oracle"].items():
        rows.append([name, "", pooled_number(scores["ua"], "ua"), "", "", ""])
    header = ["candidate", "inner UA", "UA pooled [95 %]", "gap", "folds"]
    header.append("chosen - candidate [95 %]")
    return Table("candidates", "Every candidate, UA in %", header, rows)
