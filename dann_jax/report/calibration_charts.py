"""Reliability diagrams and curves of coverage."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dann_jax.report.axes import HEIGHT, WIDTH, Axes
from dann_jax.report.drawing import Drawing, Mark, svg_marks
from dann_jax.report.markup import Markup, tag

_PER_CENT = 100.0


class Plot(NamedTuple):
    """A drawing with its words.

    Attributes:
      title: what it shows, with its axes.
      drawing: its marks.
    """

    title: str
    drawing: Drawing


def calibration_plots(
    calibration: Mapping[str, Any], arms: Sequence[str]
) -> list[Plot]:
    """Reliability before and after, and UA against coverage, as far as measured.

    Args:
      calibration: as in `results.json`.
      arms: in the order of their colours.
    """
    records = [calibration["arms"].get(arm, {}) for arm in arms]
    plots = []
    for when, title in (
        ("before", "Reliability as trained"),
        ("after", "Reliability after temperature"),
    ):
        if any(record.get(when) for record in records):
            drawing = reliability_drawing([record.get(when) for record in records])
            words = f"{title}: right in % (up) by probability in % (across)"
            plots.append(Plot(words, drawing))
    curves = [record.get("coverage", []) for record in records]
    if any(curves):
        words = "Rejection: UA in % (up) by rows kept in % (across)"
        plots.append(Plot(words, coverage_drawing(curves)))
    return plots


def reliability_drawing(scores: Sequence[Mapping[str, Any] | None]) -> Drawing:
    """The share of right rows against their probability; on the diagonal is true.

    Args:
      scores: of every arm `bins`; the more rows a bin has, the larger its point.
    """
    axes = Axes((0.0, _PER_CENT), (0.0, _PER_CENT))
    marks = axes.marks()
    marks.append(Mark("polyline", *axes.through(axes.x, axes.y), "chance"))
    for arm, score in enumerate(scores):
        bins = score["bins"] if score else []
        if not bins:
            continue
        points = axes.through(
            [_PER_CENT * one["confidence"] for one in bins],
            [_PER_CENT * one["right"] for one in bins],
        )
        marks.append(Mark("polyline", *points, "curve", arm))
        rows = sum(one["rows"] for one in bins)
        for x, y, one in zip(*points, bins, strict=True):
            radius = 1.5 + 6.0 * math.sqrt(one["rows"] / rows)
            marks.append(Mark("circle", [x], [y], "point", arm, radius=radius))
    return Drawing(HEIGHT, marks, WIDTH)


def coverage_drawing(curves: Sequence[Sequence[Mapping[str, float]]]) -> Drawing:
    """UA of the rows whose probability is at least a threshold, against their share.

    Args:
      curves: of every arm; points without a UA are left out.
    """
    known = [[point for point in curve if _known(point)] for curve in curves]
    values = [_PER_CENT * point["ua"] for curve in known for point in curve]
    room = 0.05 * (max(values) - min(values)) or 1.0
    axes = Axes((0.0, _PER_CENT), (min(values) - room, max(values) + room))
    marks = axes.marks()
    for arm, curve in enumerate(known):
        if curve:
            points = axes.through(
                [_PER_CENT * point["coverage"] for point in curve],
                [_PER_CENT * point["ua"] for point in curve],
            )
            marks.append(Mark("polyline", *points, "curve", arm))
    return Drawing(HEIGHT, marks, WIDTH)


def _known(point: Mapping[str, float]) -> bool:
    return not math.isnan(point["ua"])


def plot_figure(plot: Plot) -> Markup:
    """The drawing on the page; its numbers stand in a table beside it."""
    svg = tag(
        "svg",
        svg_marks(plot.drawing),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=plot.title,
    )
    return tag("figure", tag("figcaption", plot.title), svg)
