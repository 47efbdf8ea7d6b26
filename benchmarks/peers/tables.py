"""The tables of docs/peers.md, from the numbers that are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers.grid import METHODS
from benchmarks.peers.ours import ARMS as OURS
from benchmarks.peers.scores import CONTRASTS
from benchmarks.studies.numbers import gain_in_points, in_percent
from benchmarks.timing import table

NOT_RUN = "not run"
ARMS = (
    *("skada SourceOnly, defaults", "skada DANN as it comes, defaults"),
    *(f"skada {method}, defaults" for method in METHODS[1:]),
    *(f"skada {method}, tuned" for method in METHODS),
    *OURS,
)
"""In the order of the table."""


def table_of_arms(found: Mapping[str, Any]) -> str:
    """Rows are arms; of each corpus UA and the gain over source-only, in points."""
    corpora = found["corpora"]
    head = ["arm"]
    for record in corpora:
        head += [f"{record['corpus']}, UA", "gain over its source-only"]
    rows = []
    for name in ARMS:
        row = [name]
        for record in corpora:
            gain = record["gain"].get(name)
            row += [_ua(record["ua"].get(name), record), _gain(gain, record)]
        rows.append(row)
    return table(head, rows)


def table_of_contrasts(found: Mapping[str, Any]) -> str:
    """Rows are questions; of each corpus the paired difference of UA, in points."""
    corpora = found["corpora"]
    rows = []
    for question in CONTRASTS:
        each = [_gain(record["contrasts"].get(question), record) for record in corpora]
        rows.append([question, *(gain or NOT_RUN for gain in each)])
    return table(["difference", *(record["corpus"] for record in corpora)], rows)


def table_of_settings(found: Mapping[str, Any]) -> str:
    """What the training speakers chose for skada's methods, and in how many folds."""
    corpora = found["corpora"]
    rows = []
    for name in (name for name in ARMS if name.endswith("tuned")):
        each = [record["settings"].get(name, {}) for record in corpora]
        rows.append([name, *(_choice(choice) for choice in each)])
    return table(["arm", *(record["corpus"] for record in corpora)], rows)


def _choice(choice: Mapping[str, int]) -> str:
    words = (f"{count} x {words}" for words, count in choice.items())
    return "; ".join(words) or NOT_RUN


def _ua(ua: Sequence[float] | None, record: Mapping[str, Any]) -> str:
    return NOT_RUN if ua is None else in_percent(ua) + _fewer(ua[-1], record)


def _gain(gain: Sequence[float] | None, record: Mapping[str, Any]) -> str:
    return gain_in_points(gain) + _fewer(gain[-1], record) if gain else ""


def _fewer(seeds: float, record: Mapping[str, Any]) -> str:
    """How many seeds there are, if they are not all that there should be."""
    return "" if seeds == record["seeds"] else f", seeds: {seeds}"
