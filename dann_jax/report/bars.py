"""Bars in a table: the table is the chart and the chart is the table."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dann_jax.report.axes import horizontal, place, vertical
from dann_jax.report.colours import arm_class
from dann_jax.report.elements import number, scrolling
from dann_jax.report.markup import Child, Markup, tag
from dann_jax.report.table import Number


class Bars(NamedTuple):
    """One row of a chart of bars.

    Attributes:
      label: what is measured.
      note: such as how many rows it is measured on.
      values: arm -> fraction, with its spread.
      chance: what guessing gives; None where there is no such thing.
    """

    label: str
    note: str
    values: Mapping[str, Number]
    chance: float | None = None


def bars(
    caption: str, rows: Sequence[Bars], arms: Sequence[str], *, label: str, note: str
) -> Markup:
    """A table whose second column draws its numbers, 0 to 100 %.

    Args:
      caption: of the table.
      rows: what is drawn.
      arms: in the order of their colours.
      label: title of the first column.
      note: title of the column of notes; empty leaves it out.
    """
    chance = any(row.chance is not None for row in rows)
    numeric = all(row.note.isdigit() for row in rows)
    header = tag(
        "tr",
        tag("th", label, scope="col"),
        tag("th", note, scope="col", class_="number" if numeric else None)
        if note
        else None,
        tag("th", _percent_axis(), scope="col", class_="drawing"),
        (tag("th", arm, scope="col", class_="number") for arm in arms),
        tag("th", "chance", scope="col", class_="number") if chance else None,
    )
    body = (
        tag(
            "tr",
            tag("th", row.label, scope="row"),
            tag("td", row.note, class_="number" if numeric else None) if note else None,
            tag("td", _bar_drawing(row, arms), class_="drawing"),
            (tag("td", _value(row, arm), class_="number") for arm in arms),
            tag("td", _chance(row), class_="number") if chance else None,
        )
        for row in rows
    )
    return scrolling(
        caption,
        tag(
            "table",
            tag("caption", caption),
            tag("thead", header),
            tag("tbody", body),
            class_="bars",
        ),
    )


def _value(row: Bars, arm: str) -> Child:
    found = row.values.get(arm)
    return None if found is None else number(found._replace(digits=1, chance=None))


def _chance(row: Bars) -> Child:
    return None if row.chance is None else Number(row.chance, digits=1).main()


def _percent_axis() -> Markup:
    marks = (
        tag("text", f"{x} %" if x else "0", x=f"{x}%", y=11, text_anchor=anchor)
        for x, anchor in ((0, "start"), (50, "middle"), (100, "end"))
    )
    return tag("svg", marks, class_="axis", height=14, aria_hidden="true")


def _bar_drawing(row: Bars, arms: Sequence[str]) -> Markup:
    """Bars from 0, a whisker of the standard deviation, a dashed line at chance."""
    step, marks = 9, []
    height = step * len(arms) + 3
    for x in (0, 25, 50, 75, 100):
        marks.append(vertical(x, height, "grid"))
    for index, arm in enumerate(arms):
        found = row.values.get(arm)
        if found is None or math.isnan(found.value):
            continue
        y, word = step * index + 3, arm_class(index)
        marks.append(
            tag(
                "rect",
                x=0,
                y=y,
                height=6,
                width=place(found.value),
                class_=f"mark {word}",
            )
        )
        if found.std:
            low, high = found.value - found.std, found.value + found.std
            marks.append(horizontal(low, high, y + 3, f"whisker mark {word}"))
    if row.chance is not None and not math.isnan(row.chance):
        marks.append(vertical(100 * row.chance, height, "chance"))
    return tag("svg", marks, height=height, aria_hidden="true")
