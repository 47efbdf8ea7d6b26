"""The tables of docs/selection.md, from the numbers that `selection` keeps."""

from collections.abc import Mapping
from typing import Any

from benchmarks.studies.numbers import in_percent
from benchmarks.timing import table

COLUMNS = {"regret": "regret", "beyond_last": "beyond the last epoch's", "rank": "rank"}


def table_of_criteria(kept: Mapping[str, Any]) -> str:
    """A table for each corpus: rows are criteria, each arm has three columns."""
    return "\n\n".join(_of_corpus(name, found) for name, found in kept.items())


def _of_corpus(name: str, found: Mapping[str, Any]) -> str:
    arms = found["arms"]
    counts = ", ".join(f"{key}: {found[key]}" for key in ("folds", "seeds", "epochs"))
    head = [f"{arm}: {words}" for arm in arms for words in COLUMNS.values()]
    rows = [
        [
            criterion,
            *(_cell(own[criterion], key) for own in arms.values() for key in COLUMNS),
        ]
        for criterion in next(iter(arms.values()))
    ]
    return table([f"{name} ({counts})", *head], rows)


def _cell(found: Mapping[str, Any], key: str) -> str:
    """Points with their interval, or a rank correlation; empty where there is none."""
    value = found[key]
    if value is None:
        return ""
    if key == "rank":
        return f"{value:.2f}"
    return in_percent(value, "+" if key == "beyond_last" else "")
