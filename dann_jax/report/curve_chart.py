"""Charts of learning curves."""

from collections.abc import Callable, Sequence

from dann_jax.report.axes import ticks
from dann_jax.report.colours import arm_class, dash
from dann_jax.report.curves import Panel, Series
from dann_jax.report.markup import Markup, join, tag

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 42, 10, 10, 24
"""Of a chart and the margins around what is drawn, in its own units."""

Place = Callable[[float, float], str]
"""Epoch and value -> `x,y` in the chart's units."""


def curves(panel: Panel, arms: Sequence[str], identifier: str) -> Markup:
    """A chart of one metric over epochs, every arm with a band of its spread."""
    xs = [x for own in panel.series for x in own.epochs]
    low_x, high_x = min(xs), max(xs)
    low, high = _range(panel)

    def point(x: float, y: float) -> str:
        across = (x - low_x) / (high_x - low_x) if high_x > low_x else 0.5
        up = (min(max(y, low), high) - low) / (high - low)
        right = LEFT + across * (WIDTH - LEFT - RIGHT)
        return f"{right:.1f},{HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM):.1f}"

    marks = [_grid(low_x, high_x, low, high, point)]
    if panel.reference:
        word, value = panel.reference
        left, right = point(low_x, value), point(high_x, value)
        marks.append(tag("polyline", points=f"{left} {right}", class_="chance"))
        x, y = right.split(",")
        above = float(y) - 4 if float(y) > 24 else float(y) + 12
        marks.append(tag("text", word, x=x, y=f"{above:.1f}", text_anchor="end"))
    for own in panel.series:
        marks.append(_curve(own, arms.index(own.arm), point))
    marks.append(tag("line", class_="cursor", y1=TOP, y2=HEIGHT - BOTTOM, hidden=True))
    svg = tag(
        "svg",
        tag("desc", _described(panel)),
        marks,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{panel.title}, over epochs",
        data_first=low_x,
        data_last=high_x,
    )
    return tag(
        "figure",
        tag("figcaption", panel.title),
        svg,
        tag("p", _readout(panel, arms), class_="readout"),
        class_="curves",
        data_panel=identifier,
    )


def _range(panel: Panel) -> tuple[float, float]:
    values = []
    for own in panel.series:
        spread = own.std or [0.0] * len(own.mean)
        pairs = list(zip(own.mean, spread, strict=True))
        values += [m - s for m, s in pairs] + [m + s for m, s in pairs]
    if panel.reference:
        values.append(panel.reference[1])
    if panel.metric.partition("/")[0] in ("accuracy", "validation", "strength"):
        values.append(0.0)
    room = 0.05 * (max(values) - min(values)) or 0.05
    floor = min(values)
    return (floor if floor == 0.0 else floor - room), max(values) + room


def _grid(low_x: float, high_x: float, low: float, high: float, point: Place) -> Markup:
    marks = []
    for tick in ticks(low, high):
        x, y = point(low_x, tick).split(",")
        marks.append(tag("line", x1=x, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        marks.append(
            tag("text", f"{tick:g}", x=LEFT - 6, y=float(y) + 4, text_anchor="end")
        )
    for tick in ticks(low_x, high_x, 5):
        if tick == int(tick):
            x, _ = point(tick, low).split(",")
            y = HEIGHT - BOTTOM + 15
            marks.append(tag("text", f"{tick:g}", x=x, y=y, text_anchor="middle"))
    return join(marks)


def _curve(own: Series, index: int, point: Place) -> Markup:
    word = arm_class(index)
    line = " ".join(point(x, y) for x, y in zip(own.epochs, own.mean, strict=True))
    marks = []
    if own.std:
        pairs = list(zip(own.epochs, own.mean, own.std, strict=True))
        upper = [point(x, y + s) for x, y, s in pairs]
        lower = [point(x, y - s) for x, y, s in pairs]
        band = " ".join([*upper, *reversed(lower)])
        marks.append(tag("polygon", points=band, class_=f"band mark {word}"))
    marks.append(
        tag(
            "polyline",
            points=line,
            class_=f"curve mark {word}",
            stroke_dasharray=dash(index) or None,
        )
    )
    return join(marks)


def _readout(panel: Panel, arms: Sequence[str]) -> list[Markup]:
    """The values at the last epoch, which the script replaces by those at another."""
    return [
        tag(
            "span",
            tag("span", class_=f"swatch {arm_class(arms.index(own.arm))}"),
            f"{own.arm} ",
            tag("b", f"{own.mean[-1]:.3g}"),
            class_=f"mark {arm_class(arms.index(own.arm))}",
        )
        for own in panel.series
    ]


def _described(panel: Panel) -> str:
    """What somebody who does not see the chart should know of it."""
    said = [
        f"{own.arm} from {own.mean[0]:.3g} at epoch {own.epochs[0]:g} to "
        f"{own.mean[-1]:.3g} at epoch {own.epochs[-1]:g}"
        for own in panel.series
    ]
    if panel.reference:
        said.append(f"{panel.reference[0]} is {panel.reference[1]:.3g}")
    return f"{'; '.join(said)}."
