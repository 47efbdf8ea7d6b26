"""Figures of curves and maps, and what all figures share.

One function each: a run to a figure, or to nothing.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dann_jax.report.colours import PALETTE, dash
from dann_jax.report.curves import Panel, families
from dann_jax.report.neighbours import METHODS
from dann_jax.report.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 60
"""More names than this find no room on paper."""

_MARKERS = "os^DPvX*"
"""Where colours repeat, another shape."""


def colour_of(index: int) -> str:
    """The colour of an arm, or of a name, on paper."""
    return PALETTE[index % len(PALETTE)][0]


def grid(
    count: int, *, columns: int, size: tuple[float, float]
) -> tuple["Figure", list["Axes"]]:
    """A figure with so many axes, and none too many."""
    from matplotlib.figure import Figure

    across = min(columns, count)
    down = math.ceil(count / across)
    figure = Figure(figsize=(size[0] * across, size[1] * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, list(axes[:count])


def add_legend(figure: "Figure", axis: "Axes") -> None:
    """One legend for all axes, below them."""
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 6))


def plain(name: object) -> str:
    """A name as it is: two dollars begin mathematics, and an underscore hides it."""
    shown = str(name).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def draw_curves(run: Run) -> "Figure | None":
    """Every learning curve."""
    panels = [panel for family in families(run) for panel in family.panels]
    if not panels:
        return None
    figure, axes = grid(len(panels), columns=3, size=(3.1, 2.0))
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, panel, run.arms)
    # Not every arm has every curve.
    fullest = max(range(len(panels)), key=lambda place: len(panels[place].series))
    add_legend(figure, axes[fullest])
    return figure


def _draw_panel(axis: "Axes", panel: Panel, arms: Sequence[str]) -> None:
    for own in panel.series:
        index = arms.index(own.arm)
        lengths = tuple(map(float, dash(index).split()))
        style = (0, lengths) if lengths else "-"
        colour, name = colour_of(index), plain(own.arm)
        axis.plot(own.epochs, own.mean, color=colour, linestyle=style, label=name)
        if own.std:
            mean, std = np.array(own.mean), np.array(own.std)
            axis.fill_between(
                own.epochs,
                mean - std,
                mean + std,
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
    if panel.reference:
        word, value = panel.reference
        axis.axhline(value, color="0.4", linestyle=":", linewidth=1.2)
        axis.annotate(word, (1, value), xycoords=("axes fraction", "data"), ha="right")
    axis.set_title(panel.title)


def draw_maps(run: Run, column: str) -> "Figure | None":
    """The same rows before and after, for each arm and the last method there is."""
    maps = run.analysis["maps"]
    names, ids = np.unique(np.asarray(maps["rows"][column], str), return_inverse=True)
    drawn: list[tuple[str, np.ndarray]] = []
    for arm, by_place in maps.get("points", {}).items():
        for place, by_method in by_place.items():
            known = [word for word in METHODS if word in by_method]
            # The input is the same for all arms.
            if known and not (place == "input" and drawn):
                owner = "" if place == "input" else f"{arm}, "
                name = f"{owner}{place} ({METHODS[known[-1]]})"
                drawn.append((name, np.asarray(by_method[known[-1]], float)))
    if not drawn:
        return None
    figure, axes = grid(len(drawn), columns=3, size=(3.1, 3.0))
    for axis, (name, points) in zip(axes, drawn, strict=True):
        for index, word in enumerate(names):
            own = points[ids == index]
            axis.scatter(
                *own.T,
                s=9,
                color=colour_of(1 + index % 7),
                marker=_MARKERS[index // 7 % len(_MARKERS)],
                linewidths=0,
                label=plain(word),
            )
        axis.set_title(plain(name))
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_aspect("equal", "datalim")
    if len(names) <= MOST:
        add_legend(figure, axes[0])
    return figure
