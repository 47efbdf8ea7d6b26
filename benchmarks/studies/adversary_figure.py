"""The forest plot of the study: a column an arm, a line a corpus, all in a diamond."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.studies.adversary_cells import CORPORA
from benchmarks.studies.adversary_tables import ARMS, KINDS

SHOWN = ("dann", "cdan_e", "class_wise", "mmd", "mcc", "dann_mcc")
FEATURES = "pretrained"

Record = Mapping[str, Any]


def draw(found: Mapping[str, Any], path: pathlib.Path) -> None:
    """Gains of UA on `FEATURES`, with 95 % intervals, to `path` (.svg, .png or .pdf).

    A row of panels for each way of standardising, transductive and inductive.
    """
    cells, summaries = (
        [each for each in found[key] if each["features"] == FEATURES]
        for key in ("cells", "over_corpora")
    )
    kinds = list(dict.fromkeys(_kind(cell) for cell in cells))
    corpora = [name for name in CORPORA if name in {cell["corpus"] for cell in cells}]
    height = 1.0 + len(kinds) * (0.5 + 0.25 * (len(corpora) + 1))
    figure = Figure(figsize=(11, height), layout="constrained")
    panels = figure.subplots(len(kinds), len(SHOWN), sharex="col", squeeze=False)
    for kind, row in zip(kinds, panels, strict=True):
        over = [each for each in summaries if _kind(each) == kind]
        of_kind = [cell for cell in cells if _kind(cell) == kind]
        for arm, axis in zip(SHOWN, row, strict=True):
            _panel(axis, arm, corpora, of_kind, [x for x in over if x["arm"] == arm])
        row[0].set_ylabel(f"{KINDS[kind[0]]},\n{kind[1]}", fontsize=8)
    for arm, axis in zip(SHOWN, panels[0], strict=True):
        axis.set_title(ARMS[arm], fontsize=9)
    figure.supxlabel("UA above source-only, points", fontsize=9)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _kind(record: Record) -> tuple[str, str]:
    return record["standardised"], record["mode"]


def _panel(
    axis: Axes,
    arm: str,
    corpora: Sequence[str],
    cells: Sequence[Record],
    over: Sequence[Record],
) -> None:
    for cell in cells:
        if arm in cell["gain"]:
            height = len(corpora) - corpora.index(cell["corpus"])
            _bar(axis, height, cell["gain"][arm], "o", "C0")
    for each in over:
        _bar(axis, 0, [each["mean"], *each["ci95"]], "D", "black")
    axis.axvline(0, color="0.6", linewidth=0.8)
    names = ["all", *reversed(corpora)] if axis.get_subplotspec().is_first_col() else []
    axis.set_yticks(range(len(corpora) + 1), names or [""] * (len(corpora) + 1))
    axis.set_ylim(-0.6, len(corpora) + 0.6)
    axis.tick_params(labelsize=8)
    axis.grid(axis="x", alpha=0.3)


def _bar(axis: Axes, height: int, gain: list[float], marker: str, colour: str) -> None:
    middle, low, high = (100 * value for value in gain[:3])
    ends = [[middle - low], [high - middle]]
    axis.errorbar(
        middle, height, xerr=ends, fmt=marker, color=colour, markersize=4, linewidth=1
    )
