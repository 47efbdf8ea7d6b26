"""HTML elements of which the sections of a page consist."""

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dann_jax.report.colours import arm_class
from dann_jax.report.drawing import Drawing, table_svg
from dann_jax.report.markup import Child, Markup, tag
from dann_jax.report.table import Cell, Interval, Number, Table


class Section(NamedTuple):
    """A part of the page.

    Attributes:
      name: its anchor.
      short: a word for it, in the table of contents.
      title: of the section.
      content: below the title.
    """

    name: str
    short: str
    title: str
    content: Markup


def legend(arms: Sequence[str], shown: Container[str] | None = None) -> Markup:
    """The legend: the colour of every arm, or of those that are shown."""
    return tag(
        "ul",
        (
            tag("li", tag("span", class_=f"swatch {arm_class(i)}"), arm)
            for i, arm in enumerate(arms)
            if shown is None or arm in shown
        ),
        class_="legend",
    )


def scrolling(name: str, content: Markup) -> Markup:
    """Content that may be wider than a phone, in a scrollable, focusable box."""
    return tag(
        "div", content, class_="scrolling", role="region", aria_label=name, tabindex=0
    )


def data_table(table: Table) -> Markup:
    """A table with right-aligned numbers, and their spread in a quieter colour.

    One with a column of drawings is a chart: all columns right of it are numbers.
    """
    axes = [index for index, w in enumerate(table.header) if isinstance(w, Drawing)]
    styles = []
    for index in range(len(table.header)):
        cells = [row[index] for row in table.rows]
        numeric = any(isinstance(cell, (int, Number, Interval)) for cell in cells)
        right = any(index > axis for axis in axes)
        style = "number" if numeric or right else None
        styles.append("drawing" if index in axes else style)

    def cell(value: Cell, index: int) -> Markup:
        if index == 0:
            return tag("th", str(value), scope="row")
        return tag("td", cell_content(value), class_=styles[index])

    head = (
        tag("th", cell_content(title, "axis"), scope="col", class_=style)
        for title, style in zip(table.header, styles, strict=True)
    )
    body = (
        tag("tr", (cell(value, index) for index, value in enumerate(row)))
        for row in table.rows
    )
    return scrolling(
        table.title,
        tag(
            "table",
            tag("caption", table.title),
            tag("thead", tag("tr", head)),
            tag("tbody", body),
            class_=table.name if axes else None,
        ),
    )


def cell_content(cell: Cell, style: str | None = None) -> Child:
    """A drawing in a style, or a number with its spread in a quieter colour."""
    if isinstance(cell, Drawing):
        return table_svg(cell, style)
    if not isinstance(cell, Number):
        return str(cell)
    main = cell.main()
    rest = str(cell).removeprefix(main)
    return [main, tag("span", rest, class_="spread")] if rest else main


def details(summary: str, *content: Child) -> Markup:
    """Content that is folded until it is opened."""
    return tag("details", tag("summary", summary), content)


def note(*content: Child) -> Markup:
    """A note on how to read what follows."""
    return tag("p", content, class_="note")


def cautions(title: str, sentences: Sequence[str]) -> Markup | None:
    """What to know before numbers are believed; nothing where there is nothing."""
    if not sentences:
        return None
    items = tag("ul", (tag("li", sentence) for sentence in sentences))
    return tag("div", tag("h3", title), items, class_="cautions")


def facts(pairs: Sequence[tuple[str, Child]]) -> Markup:
    """A list of terms and values."""
    return tag("dl", (tag("div", tag("dt", k), tag("dd", v)) for k, v in pairs))


def flattened(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of a nested mapping, each under its dotted key.

    Example:
      >>> dict(flattened({"a": {"b": 1}, "c": "x"}))
      {'a.b': '1', 'c': 'x'}
    """
    if isinstance(value, Mapping) and (value or not key):
        for name, child in value.items():
            yield from flattened(child, f"{key}.{name}" if key else str(name))
    else:
        yield key, value if isinstance(value, str) else json.dumps(value)
