"""Charts of learning curves."""

from collections.abc import Sequence

from dann_jax.report.axes import BOTTOM, HEIGHT, TOP, WIDTH, Axes
from dann_jax.report.colours import arm_class
from dann_jax.report.curves import Panel, Series
from dann_jax.report.drawing import Drawing, Mark, svg_marks
from dann_jax.report.markup import Markup, tag


def curve_figure(panel: Panel, arms: Sequence[str], identifier: str) -> Markup:
    """The chart with its title and its values below, which the script can change."""
    epochs = _epochs(panel)
    cursor = tag("line", class_="cursor", y1=TOP, y2=HEIGHT - BOTTOM, hidden=True)
    svg = tag(
        "svg",
        tag("desc", _description(panel)),
        svg_marks(curve_drawing(panel, arms)),
        cursor,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{panel.title}, over epochs",
        data_first=min(epochs),
        data_last=max(epochs),
    )
    return tag(
        "figure",
        tag("figcaption", panel.title),
        svg,
        tag("p", _readout(panel, arms), class_="readout"),
        class_="curves",
        data_panel=identifier,
    )


def curve_drawing(panel: Panel, arms: Sequence[str]) -> Drawing:
    """One metric over epochs, every arm with a band of its spread."""
    epochs = _epochs(panel)
    axes = Axes((min(epochs), max(epochs)), _range(panel))
    marks = axes.marks(whole=True)
    if panel.reference:
        name, value = panel.reference
        x, y = axes.through(axes.x, [value, value])
        marks.append(Mark("polyline", x, y, "chance"))
        above = y[0] - 4 if y[0] > 24 else y[0] + 12
        marks.append(Mark("text", x[-1:], [above], text=name, anchor="end"))
    for series in panel.series:
        marks += _curve(series, arms.index(series.arm), axes)
    return Drawing(HEIGHT, marks, WIDTH)


def _epochs(panel: Panel) -> list[float]:
    return [epoch for series in panel.series for epoch in series.epochs]


def _range(panel: Panel) -> tuple[float, float]:
    """Low and high end of the vertical axis, with some room."""
    values = []
    for series in panel.series:
        spread = series.std or [0.0] * len(series.mean)
        pairs = list(zip(series.mean, spread, strict=True))
        values += [m - s for m, s in pairs] + [m + s for m, s in pairs]
    if panel.reference:
        values.append(panel.reference[1])
    if panel.metric.partition("/")[0] in ("accuracy", "validation", "strength"):
        values.append(0.0)
    room = 0.05 * (max(values) - min(values)) or 0.05
    floor = min(values)
    return (floor if floor == 0.0 else floor - room), max(values) + room


def _curve(series: Series, arm: int, axes: Axes) -> list[Mark]:
    marks = []
    if series.std:
        pairs = list(zip(series.mean, series.std, strict=True))
        there, back = [m + s for m, s in pairs], [m - s for m, s in reversed(pairs)]
        epochs = [*series.epochs, *reversed(series.epochs)]
        marks.append(Mark("polygon", *axes.through(epochs, there + back), "band", arm))
    curve = axes.through(series.epochs, series.mean)
    return [*marks, Mark("polyline", *curve, "curve", arm)]


def _readout(panel: Panel, arms: Sequence[str]) -> list[Markup]:
    """The values at the last epoch, which the script replaces by those at another."""
    return [
        tag(
            "span",
            tag("span", class_=f"swatch {arm_class(arms.index(series.arm))}"),
            f"{series.arm} ",
            tag("b", f"{series.mean[-1]:.3g}"),
            class_=f"mark {arm_class(arms.index(series.arm))}",
        )
        for series in panel.series
    ]


def _description(panel: Panel) -> str:
    """A description of the chart for screen readers."""
    parts = [
        f"{series.arm} from {series.mean[0]:.3g} at epoch {series.epochs[0]:g} to "
        f"{series.mean[-1]:.3g} at epoch {series.epochs[-1]:g}"
        for series in panel.series
    ]
    if panel.reference:
        parts.append(f"{panel.reference[0]} is {panel.reference[1]:.3g}")
    return f"{'; '.join(parts)}."
