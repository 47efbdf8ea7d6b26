"""A forest plot in a table: a score and its interval a row, all on one axis."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from dann_jax.report.axes import horizontal, place, ticks, vertical
from dann_jax.report.colours import arm_class
from dann_jax.report.elements import scrolling
from dann_jax.report.markup import Markup, tag
from dann_jax.report.table import Number


class Strip(NamedTuple):
    """One row of a forest plot.

    Attributes:
      label: what it is of.
      index: of the arm, for its colour.
      score: with its interval.
      dots: of every fold and seed.
      cells: what stands beside it.
    """

    label: Sequence[str]
    index: int
    score: Number
    dots: Sequence[float]
    cells: Sequence[str]


def forest(
    caption: str,
    strips: Sequence[Strip],
    *,
    header: tuple[Sequence[str], Sequence[str]],
    line: float | None,
) -> Markup:
    """A forest plot: a score and its interval a row, on one axis.

    Args:
      caption: of the table.
      strips: the rows.
      header: titles of the columns before and after the drawing.
      line: where a dashed line is drawn through all rows, such as no difference.
    """
    low, high = _extent(strips, line)
    before, after = header
    head = tag(
        "tr",
        (tag("th", word, scope="col") for word in before),
        tag("th", _axis(low, high, strips), scope="col", class_="drawing"),
        (tag("th", word, scope="col", class_="number") for word in after),
    )
    body = (
        tag(
            "tr",
            (tag("th", word, scope="row") for word in strip.label),
            tag("td", _strip_drawing(strip, low, high, line), class_="drawing"),
            (tag("td", cell, class_="number") for cell in strip.cells),
        )
        for strip in strips
    )
    return scrolling(
        caption,
        tag(
            "table",
            tag("caption", caption),
            tag("thead", head),
            tag("tbody", body),
            class_="forest",
        ),
    )


def _extent(strips: Sequence[Strip], line: float | None) -> tuple[float, float]:
    """Low and high end of the axis, with some room."""
    values = [value for strip in strips for value in strip.dots]
    values += [strip.score.value for strip in strips]
    values += [end for strip in strips for end in strip.score.interval or ()]
    values += [] if line is None else [line]
    values = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    room = 0.04 * (max(values) - min(values)) or 0.01
    return min(values) - room, max(values) + room


def _axis(low: float, high: float, strips: Sequence[Strip]) -> Markup:
    scale = strips[0].score.scale
    marks = []
    for tick in ticks(low, high, 3):
        x = (tick - low) / (high - low)
        anchor = "start" if x < 0.06 else "end" if x > 0.94 else "middle"
        text = f"{scale * tick:g}"
        marks.append(tag("text", text, x=place(x), y=11, text_anchor=anchor))
    return tag("svg", marks, class_="axis", height=14, aria_hidden="true")


def _strip_drawing(strip: Strip, low: float, high: float, line: float | None) -> Markup:
    def at(value: float) -> float:
        return (value - low) / (high - low)

    word, height = arm_class(strip.index), 30
    marks = [vertical(100 * at(tick), height, "grid") for tick in ticks(low, high, 3)]
    if line is not None and math.isfinite(line):
        marks.append(vertical(100 * at(line), height, "chance"))
    for index, value in enumerate(strip.dots):
        if math.isfinite(value):
            # Spread out by the golden ratio: the same at every run of the report.
            y = 7 + 16 * ((index * 0.618034) % 1.0)
            marks.append(
                tag("circle", cx=place(at(value)), cy=f"{y:.1f}", r=2, class_="dot")
            )
    ends = strip.score.interval
    if ends and all(map(math.isfinite, ends)):
        own = f"interval mark {word}"
        marks.append(horizontal(at(ends[0]), at(ends[1]), 15, own))
    if math.isfinite(strip.score.value):
        x = place(at(strip.score.value))
        marks.append(tag("circle", cx=x, cy=15, r=5, class_=f"point mark {word}"))
    return tag("svg", marks, height=height, aria_hidden="true")
