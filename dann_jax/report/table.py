"""A table of a report, and the plain formats that it is written in."""

import csv
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

from dann_jax.report.drawing import Drawing

ABSENT = "–"
"""Shown for a number that was not measured."""


class Interval(NamedTuple):
    """Ends of an interval, with the factor by which they are shown."""

    low: float
    high: float
    scale: float = 100.0

    def __str__(self) -> str:
        """The text of a table cell, in per cent.

        Example:
          >>> str(Interval(0.1, 0.25))
          '[10.00, 25.00]'
        """
        ends = (self.low, self.high)
        return Number(self.low, interval=ends, scale=self.scale).bounds()


class Number(NamedTuple):
    """A measured number with its spread, interval and chance level.

    Attributes:
      value: NaN where it was not measured.
      std: over seeds (or replicas).
      interval: low and high end.
      chance: what guessing gives.
      scale: what it is multiplied by to be read: 100 for per cent.
      digits: after the point.
      signed: whether a plus is shown.
    """

    value: float
    std: float | None = None
    interval: tuple[float, float] | None = None
    chance: float | None = None
    scale: float = 100.0
    digits: int = 2
    signed: bool = False

    def __str__(self) -> str:
        """The text of a table cell.

        Example:
          >>> str(Number(0.5, std=0.01)), str(Number(float("nan")))
          ('50.00 ± 1.00', '–')
          >>> str(Number(-1e-9, signed=True))
          '+0.00'
        """
        if math.isnan(self.value):
            return ABSENT
        text = self.main()
        if self.std is not None:
            text += f" ± {self._shown(self.std)}"
        if self.interval is not None:
            text += f" {self.bounds()}"
        if self.chance is not None:
            text += f" ({self._shown(self.chance)})"
        return text

    def main(self) -> str:
        """The value alone."""
        return self._shown(self.value, "+" if self.signed else "")

    def bounds(self) -> str:
        """The interval alone."""
        low, high = self.interval or (math.nan, math.nan)
        return f"[{self._shown(low)}, {self._shown(high)}]"

    def _shown(self, value: float, sign: str = "") -> str:
        if math.isnan(value):
            return ABSENT
        return f"{self.scale * value:{sign}z.{self.digits}f}"


Cell = str | int | Number | Interval | Drawing


class Table(NamedTuple):
    """A table of a report.

    Attributes:
      name: of its files.
      title: what it shows, a sentence without a full stop.
      header: a word for each column; over a column of drawings their axis.
      rows: of cells, as many as the header has.
    """

    name: str
    title: str
    header: Sequence[str | Drawing]
    rows: Sequence[Sequence[Cell]]


def markdown(table: Table) -> str:
    """The table in Markdown, its columns aligned."""
    cells = [[_bar(str(cell)) for cell in row] for row in table.rows]
    header = [_bar(str(title)) for title in table.header]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]

    def line(row: list[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width) for width in widths]
    return "\n".join(map(line, [header, rule, *cells]))


def _bar(text: str) -> str:
    """Escape what would end a cell of Markdown: bars and line breaks."""
    return " ".join(text.replace("|", "\\|").split())


def comma_separated(table: Table) -> str:
    """The table as CSV, each part of a number in a column of its own.

    Numbers are as in `results.json`, not in per cent and not rounded.
    """
    columns = []
    for title, cells in zip(
        table.header, zip(*table.rows, strict=True) if table.rows else (), strict=False
    ):
        columns += _columns(str(title), cells)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([title for title, _ in columns] or table.header)
    for row in zip(*(cells for _, cells in columns), strict=True):
        writer.writerow(["" if _absent(value) else value for value in row])
    return file.getvalue()


def _columns(title: str, cells: Sequence[Cell]) -> list[tuple[str, list[object]]]:
    """The CSV columns of one column of a table."""
    numbers = [cell for cell in cells if isinstance(cell, Number)]
    if cells and all(isinstance(cell, Interval) for cell in cells):
        return [
            (f"{title} {end}", [getattr(cell, end) for cell in cells])
            for end in ("low", "high")
        ]
    if not numbers:
        return [(title, list(cells))]
    parts: dict[str, list[object]] = {
        "": [c.value if isinstance(c, Number) else c for c in cells]
    }
    for part in ("std", "chance"):
        if any(getattr(number, part) is not None for number in numbers):
            parts[f" {part}"] = [getattr(cell, part, None) for cell in cells]
    if any(number.interval is not None for number in numbers):
        ends = [getattr(cell, "interval", None) or (None, None) for cell in cells]
        for index, end in enumerate((" low", " high")):
            parts[end] = [pair[index] for pair in ends]
    return [(title + part, values) for part, values in parts.items()]


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    ABSENT: "--",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def latex(table: Table) -> str:
    r"""The table as a `tabular` of the package booktabs."""

    def line(row: Sequence[Cell]) -> str:
        return " & ".join(_escaped(str(cell)) for cell in row) + r" \\"

    kinds = "".join(
        "r" if any(isinstance(row[index], Number) for row in table.rows) else "l"
        for index in range(len(table.header))
    )
    return "\n".join(
        [
            f"% {' '.join(table.title.split())}",
            rf"\begin{{tabular}}{{{kinds}}}",
            r"\toprule",
            line(table.header),
            r"\midrule",
            *map(line, table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _escaped(text: str) -> str:
    shown = text.replace(" -> ", " to ")
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(shown.split()))
