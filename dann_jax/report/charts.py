"""Bars and forest plots: tables with a column that draws their numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dann_jax.report.drawing import Drawing, Mark, ticks
from dann_jax.report.table import Number, Table


class Bars(NamedTuple):
    """One row of a chart of bars.

    Attributes:
      label: what is measured.
      note: such as how many rows it is measured on.
      values: arm -> fraction, with its spread.
      chance: what guessing gives; None where there is no such thing.
    """

    label: str
    note: str | int
    values: Mapping[str, Number]
    chance: float | None = None


def bars(
    caption: str, rows: Sequence[Bars], arms: Sequence[str], *, label: str, note: str
) -> Table:
    """A table with a column that draws its numbers, 0 to 100 %.

    Args:
      caption: of the table.
      rows: what is drawn.
      arms: in the order of their colours; those that no row has a value of are left
        out.
      label: title of the first column.
      note: title of the column of notes; empty leaves it out.
    """
    chance = any(row.chance is not None for row in rows)
    # By their places, which are their colours.
    drawn = {
        index: arm
        for index, arm in enumerate(arms)
        if any(arm in row.values for row in rows)
    }
    marks = [
        Mark("text", [x], [11], text=f"{x} %" if x else "0", anchor=anchor)
        for x, anchor in ((0, "start"), (50, "middle"), (100, "end"))
    ]
    header = [label, *[note] * bool(note), Drawing(14, marks), *drawn.values()]
    body = []
    for row in rows:
        cells = [row.label, *[row.note] * bool(note), _bar_drawing(row, drawn)]
        for arm in drawn.values():
            value = row.values.get(arm)
            cells.append("" if value is None else value._replace(digits=1, chance=None))
        if chance:
            cells.append("" if row.chance is None else Number(row.chance, digits=1))
        body.append(cells)
    return Table("bars", caption, header + ["chance"] * chance, body)


def _bar_drawing(row: Bars, arms: Mapping[int, str]) -> Drawing:
    """Bars from 0, a whisker of the standard deviation, a dashed line at chance."""
    step = 9
    height = step * len(arms) + 3
    marks = [_vertical(x, height, "grid") for x in (0, 25, 50, 75, 100)]
    for line, (index, arm) in enumerate(arms.items()):
        value = row.values.get(arm)
        if value is None or math.isnan(value.value):
            continue
        y, x = step * line + 3, 100 * value.value
        marks.append(Mark("rect", [0, x], [y, y + 6], "bar", index))
        if value.std:
            ends = [x - 100 * value.std, x + 100 * value.std]
            marks.append(Mark("line", ends, [y + 3] * 2, "whisker", index))
    if row.chance is not None and not math.isnan(row.chance):
        marks.append(_vertical(100 * row.chance, height, "chance"))
    return Drawing(height, marks)


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
) -> Table:
    """A forest plot: a score and its interval a row, all on one axis.

    Args:
      caption: of the table.
      strips: the rows.
      header: titles of the columns before and after the drawing.
      line: where a dashed line is drawn through all rows, such as no difference.
    """
    low, high = _extent(strips, line)
    before, after = header
    axis = []
    for tick in ticks(low, high, 3):
        x = 100 * (tick - low) / (high - low)
        anchor = "start" if x < 6 else "end" if x > 94 else "middle"
        text = f"{strips[0].score.scale * tick:g}"
        axis.append(Mark("text", [x], [11], text=text, anchor=anchor))
    rows = [
        [*strip.label, _strip_drawing(strip, low, high, line), *strip.cells]
        for strip in strips
    ]
    return Table("forest", caption, [*before, Drawing(14, axis), *after], rows)


def _extent(strips: Sequence[Strip], line: float | None) -> tuple[float, float]:
    """Low and high end of the axis, with some room."""
    values = [value for strip in strips for value in strip.dots]
    values += [strip.score.value for strip in strips]
    values += [end for strip in strips for end in strip.score.interval or ()]
    values += [] if line is None else [line]
    values = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    room = 0.04 * (max(values) - min(values)) or 0.01
    return min(values) - room, max(values) + room


def _strip_drawing(
    strip: Strip, low: float, high: float, line: float | None
) -> Drawing:
    def at(value: float) -> float:
        return 100 * (value - low) / (high - low)

    height = 30
    marks = [_vertical(at(tick), height, "grid") for tick in ticks(low, high, 3)]
    if line is not None and math.isfinite(line):
        marks.append(_vertical(at(line), height, "chance"))
    for index, value in enumerate(strip.dots):
        if math.isfinite(value):
            # Spread out by the golden ratio: the same at every run of the report.
            y = 7 + 16 * ((index * 0.618034) % 1.0)
            marks.append(Mark("circle", [at(value)], [y], "dot", radius=2))
    ends = strip.score.interval
    if ends and all(map(math.isfinite, ends)):
        line_ends = [at(end) for end in ends]
        marks.append(Mark("line", line_ends, [15, 15], "interval", strip.index))
    if math.isfinite(strip.score.value):
        x = [at(strip.score.value)]
        marks.append(Mark("circle", x, [15], "point", strip.index, radius=5))
    return Drawing(height, marks)


def _vertical(x: float, height: float, style: str) -> Mark:
    return Mark("line", [x, x], [0, height], style)
