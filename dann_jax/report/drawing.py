"""Drawings as marks, which the page shows as SVG and matplotlib paints for files."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from dann_jax.report.colours import arm_class, dash
from dann_jax.report.markup import Markup, tag


class Mark(NamedTuple):
    """One mark of a drawing.

    Attributes:
      shape: `line`, `rect`, `circle`, `polyline`, `polygon` or `text`.
      x: of its points: two ends or corners, a centre, or all of them.
      y: of the same points, downwards, in pixels.
      style: its class in `assets/style.css`.
      arm: the index of the arm whose colour it has; None for no arm's.
      text: of a `text`.
      anchor: which part of a `text` is at its point: `start`, `middle` or `end`.
      radius: of a `circle`, in pixels.
    """

    shape: str
    x: Sequence[float]
    y: Sequence[float]
    style: str = ""
    arm: int | None = None
    text: str = ""
    anchor: str = "middle"
    radius: float = 0.0


class Drawing(NamedTuple):
    """Marks on a ground.

    Attributes:
      height: in pixels.
      marks: from back to front.
      width: in pixels; None where `x` is in per cent of whatever width there is, so
        that a phone scales nothing.
    """

    height: float
    marks: Sequence[Mark]
    width: float | None = None


def svg_marks(drawing: Drawing) -> list[Markup]:
    """The marks as elements of SVG."""
    return [_element(mark, drawing.width is None) for mark in drawing.marks]


def table_svg(drawing: Drawing, style: str | None = None) -> Markup:
    """A drawing whose numbers stand beside it, so that no reader needs another text."""
    marks = svg_marks(drawing)
    return tag("svg", marks, class_=style, height=drawing.height, aria_hidden="true")


def _element(mark: Mark, relative: bool) -> Markup:
    def across(x: float) -> str:
        return f"{min(max(x, 0.0), 100.0):.2f}%" if relative else f"{x:.1f}"

    words = mark.style
    if mark.arm is not None:
        words = f"{words} mark {arm_class(mark.arm)}"
    style = {"class_": words or None}
    x, right = mark.x[0], mark.x[-1]
    y, low = round(mark.y[0], 1), round(mark.y[-1], 1)
    if mark.shape == "line":
        ends = {"x1": across(x), "x2": across(right), "y1": y, "y2": low}
        return tag("line", **ends, **style)
    if mark.shape == "rect":
        size = {"width": across(right - x), "height": low - y}
        return tag("rect", x=across(x), y=y, **size, **style)
    if mark.shape == "circle":
        return tag("circle", cx=across(x), cy=y, r=mark.radius, **style)
    if mark.shape == "text":
        return tag("text", mark.text, x=across(x), y=y, text_anchor=mark.anchor)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(mark.x, mark.y, strict=True))
    dashed = dash(mark.arm) if mark.style == "curve" and mark.arm is not None else ""
    return tag(mark.shape, points=points, **style, stroke_dasharray=dashed or None)


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers inside an interval, about `count` of them.

    Example:
      >>> ticks(0.0, 1.0)
      [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / count
    if not (rough > 0.0 and math.isfinite(rough)):
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1.0, 2.0, 5.0, 10.0) if power * m >= 0.6 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * index, 12) for index in range(first, last + 1)]
