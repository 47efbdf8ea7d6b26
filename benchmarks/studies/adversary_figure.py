"""The forest plot of the study: a panel an arm, a line a corpus, all in a diamond."""

import pathlib
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.studies.adversary_cells import CORPORA
from benchmarks.studies.adversary_tables import ARMS

SHOWN = ("dann", "cdan_e", "class_wise", "mmd", "mcc", "dann_mcc")
KIND = {"features": "pretrained", "standardised": "none", "mode": "transductive"}


def draw(found: Mapping[str, Any], path: pathlib.Path) -> None:
    """Gains of UA of `KIND`, with 95 % intervals, to `path` (.svg, .png or .pdf)."""
    cells = {record["corpus"]: record for record in _of_kind(found["cells"])}
    corpora = [corpus for corpus in CORPORA if corpus in cells]
    over = {each["arm"]: each for each in _of_kind(found["over_corpora"])}
    figure = Figure(figsize=(11, 1.2 + 0.35 * (len(corpora) + 1)), layout="constrained")
    panels = figure.subplots(1, len(SHOWN), sharey=True)
    for axis, arm in zip(panels, SHOWN, strict=True):
        for height, corpus in enumerate(reversed(corpora), start=1):
            if arm in cells[corpus]["gain"]:
                _bar(axis, height, cells[corpus]["gain"][arm], "o", "C0")
        if arm in over:
            _bar(axis, 0, [over[arm]["mean"], *over[arm]["ci95"]], "D", "black")
        axis.axvline(0, color="0.6", linewidth=0.8)
        axis.set_title(ARMS[arm], fontsize=9)
        axis.set_yticks(range(len(corpora) + 1), ["all", *reversed(corpora)])
        axis.grid(axis="x", alpha=0.3)
    figure.supxlabel("UA above source-only, points", fontsize=9)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _of_kind(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in records if KIND.items() <= each.items()]


def _bar(axis: Axes, height: int, gain: list[float], marker: str, colour: str) -> None:
    middle, low, high = (100 * value for value in gain[:3])
    ends = [[middle - low], [high - middle]]
    axis.errorbar(
        middle, height, xerr=ends, fmt=marker, color=colour, markersize=4, linewidth=1
    )
