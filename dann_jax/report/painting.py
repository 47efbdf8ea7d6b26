"""The drawings of the page, painted by matplotlib."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dann_jax.report.colours import PALETTE, dash
from dann_jax.report.drawing import Drawing, Mark
from dann_jax.report.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "lines.scale_dashes": False,
    # The same run gives the same file.
    "svg.hashsalt": "dann_jax",
    "savefig.dpi": 160,
}
"""Of every figure."""

_PIXEL = 1 / 96
"""In inches, as CSS has it."""

_POINT = 72 / 96
"""A pixel in points, the unit of matplotlib's widths."""

# As in assets/style.css, on white.
_LOOKS: Mapping[str, Mapping[str, Any]] = {
    "grid": {"color": "#e2dfd9", "linewidth": _POINT},
    "chance": {"color": "#595f69", "linewidth": 1.5 * _POINT, "linestyle": (0, (3, 3))},
    "whisker": {"color": "#1b1d21", "linewidth": _POINT},
    "interval": {"linewidth": 3 * _POINT, "solid_capstyle": "round"},
    "curve": {"linewidth": 2 * _POINT},
    "band": {"alpha": 0.16},
    "dot": {"color": "#595f69", "alpha": 0.4},
}
_GAP = 6
"""Pixels between the rows of a chart."""

_ALIGNED = {"start": "left", "middle": "center", "end": "right"}


def colour_of(index: int) -> str:
    """The colour of an arm, or of a name, on paper."""
    return PALETTE[index % len(PALETTE)][0]


def plain(name: object) -> str:
    """A name as it is: two dollars begin mathematics, and an underscore hides it."""
    shown = str(name).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def grid(
    heights: Sequence[float], *, width: float, columns: int = 1
) -> tuple["Figure", list["Axes"]]:
    """A figure with an axis for each height, in pixels, and no frames."""
    from matplotlib.figure import Figure

    across = min(columns, len(heights))
    down = math.ceil(len(heights) / across)
    tallest = [max(heights[row * across : (row + 1) * across]) for row in range(down)]
    size = (_PIXEL * width * across, _PIXEL * (40 + sum(tallest)))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, height_ratios=tallest).ravel()
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    return figure, list(axes[: len(heights)])


def add_legend(figure: "Figure", arms: Sequence[str], *, dashed: bool = False) -> None:
    """Which colour is whose, and whose dashes, below all axes."""
    from matplotlib.lines import Line2D

    width = (2 if dashed else 6) * _POINT
    handles = [
        Line2D(
            *([], []), color=colour_of(i), linestyle=_dashes(i, dashed), linewidth=width
        )
        for i in range(len(arms))
    ]
    figure.legend(
        handles, map(plain, arms), loc="outside lower center", ncols=min(len(arms), 6)
    )


def paint_chart(axis: "Axes", chart: Table) -> None:
    """The drawings of a chart one below the other, with the words left of them."""
    index = next(i for i, w in enumerate(chart.header) if isinstance(w, Drawing))
    top, middles = 0.0, []
    for drawing in (chart.header[index], *(row[index] for row in chart.rows)):
        assert isinstance(drawing, Drawing)
        paint(axis, drawing, top)
        middles.append(top + drawing.height / 2)
        top += drawing.height + _GAP
    words = [", ".join(filter(None, map(str, row[:index]))) for row in chart.rows]
    axis.set_yticks(middles[1:], map(plain, words))
    axis.tick_params(left=False)
    axis.set(xlim=(0, 100), ylim=(top, 0))
    axis.set_title(plain(chart.title))


def chart_height(chart: Table) -> float:
    """Of a chart with its title, in pixels."""
    drawings = [cell for row in chart.rows for cell in row if isinstance(cell, Drawing)]
    return 50 + sum(drawing.height + _GAP for drawing in drawings)


def paint(axis: "Axes", drawing: Drawing, top: float = 0.0) -> None:
    """Every mark of a drawing whose upper edge is at `top`."""
    for layer, mark in enumerate(drawing.marks):
        _paint_mark(axis, mark, np.asarray(mark.x), top + np.asarray(mark.y), layer)


def _paint_mark(
    axis: "Axes", mark: Mark, x: np.ndarray, y: np.ndarray, layer: int
) -> None:
    look: dict[str, Any] = {"zorder": layer, **_LOOKS.get(mark.style, {})}
    if mark.arm is not None:
        look = {"color": colour_of(mark.arm), **look}
    if mark.shape == "text":
        look = {"color": "#595f69", "fontsize": 8, "va": "baseline"}
        at = x.item(), y.item()
        axis.text(*at, plain(mark.text), ha=_ALIGNED[mark.anchor], **look)
    elif mark.shape == "circle":
        size = 2 * mark.radius * _POINT
        axis.plot(x, y, "o", markersize=size, markeredgewidth=0, clip_on=False, **look)
    elif mark.shape == "rect":
        axis.fill(x[[0, 1, 1, 0]], y[[0, 0, 1, 1]], linewidth=0, **look)
    elif mark.shape == "polygon":
        axis.fill(x, y, linewidth=0, **look)
    else:
        if mark.style == "curve" and mark.arm is not None:
            look = {"linestyle": _dashes(mark.arm, True), **look}
        axis.plot(x, y, **look)


def _dashes(arm: int, dashed: bool) -> Any:
    lengths = [_POINT * float(length) for length in dash(arm).split()]
    return (0, lengths) if dashed and lengths else "-"
