"""The figures of a run, one function each: a run to a figure, or to nothing."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dann_jax.report.analysis_tables import probe_name, replica_probes
from dann_jax.report.classes import class_recalls, confusion_counts
from dann_jax.report.colours import PALETTE, dash
from dann_jax.report.curves import Panel, families
from dann_jax.report.neighbours import METHODS
from dann_jax.report.run import Run
from dann_jax.report.tables import TITLES, headline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 60
"""More names than this find no room on paper."""

_MARKERS = "os^DPvX*"
"""Where colours repeat, another shape."""


def _colour(index: int) -> str:
    return PALETTE[index % len(PALETTE)][0]


def _grid(
    count: int, *, columns: int, size: tuple[float, float]
) -> tuple["Figure", list["Axes"]]:
    """A figure with so many axes, and none too many."""
    from matplotlib.figure import Figure

    across = min(columns, count)
    down = math.ceil(count / across)
    figure = Figure(figsize=(size[0] * across, size[1] * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, list(axes[:count])


def _legend(figure: "Figure", axis: "Axes") -> None:
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 6))


def draw_curves(run: Run) -> "Figure | None":
    """Every learning curve."""
    panels = [panel for family in families(run) for panel in family.panels]
    if not panels:
        return None
    figure, axes = _grid(len(panels), columns=3, size=(3.1, 2.0))
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, panel, run.arms)
    # Not every arm has every curve.
    fullest = max(range(len(panels)), key=lambda place: len(panels[place].series))
    _legend(figure, axes[fullest])
    return figure


def _draw_panel(axis: "Axes", panel: Panel, arms: Sequence[str]) -> None:
    for own in panel.series:
        index = arms.index(own.arm)
        lengths = tuple(map(float, dash(index).split()))
        style = (0, lengths) if lengths else "-"
        colour, name = _colour(index), plain(own.arm)
        axis.plot(own.epochs, own.mean, color=colour, linestyle=style, label=name)
        if own.std:
            mean, std = np.array(own.mean), np.array(own.std)
            axis.fill_between(
                own.epochs,
                mean - std,
                mean + std,
                color=colour,
                alpha=0.15,
                linewidth=0,
            )
    if panel.reference:
        word, value = panel.reference
        axis.axhline(value, color="0.4", linestyle=":", linewidth=1.2)
        axis.annotate(word, (1, value), xycoords=("axes fraction", "data"), ha="right")
    axis.set_title(panel.title)


def draw_classes(run: Run) -> "Figure | None":
    """Recall of every class, a bar an arm."""
    recalls = class_recalls(run)
    if not recalls:
        return None
    values = {arm: 100 * own for arm, own in recalls.items()}
    return _draw_bars("Recall (%)", run.results["labels"], values, run.arms)


def draw_speakers(run: Run) -> "Figure | None":
    """The main score of every speaker, a bar an arm."""
    metric = headline(run.results)[-1]
    entries = [
        entry
        for entry in run.analysis.get("speakers", [])
        if any(metric in own for own in entry.get("scores", {}).values())
    ]
    if not entries:
        return None
    values = {
        arm: np.array(
            [100 * e["scores"].get(arm, {}).get(metric, math.nan) for e in entries]
        )
        for arm in run.arms
    }
    order = np.argsort(values[run.arms[0]])[:_MOST]
    names = [str(entries[place]["speaker"]) for place in order]
    label = f"{TITLES[metric]} (%)"
    if len(entries) > _MOST:
        label += f", the lowest {_MOST} of {len(entries)} speakers"
    return _draw_bars(
        label, names, {arm: own[order] for arm, own in values.items()}, run.arms
    )


def _draw_bars(
    label: str,
    names: Sequence[str],
    values: Mapping[str, np.ndarray],
    arms: Sequence[str],
) -> "Figure":
    thickness = 0.8 / len(values)
    height = 0.9 + len(names) * (0.14 + 0.09 * len(values))
    figure, (axis,) = _grid(1, columns=1, size=(6.5, height))
    for place, (arm, own) in enumerate(values.items()):
        axis.barh(
            np.arange(len(names)) - 0.4 + thickness * (place + 0.5),
            own,
            0.9 * thickness,
            color=_colour(arms.index(arm)),
            label=plain(arm),
        )
    axis.set_yticks(range(len(names)), map(plain, names))
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel(label)
    axis.grid(axis="y", visible=False)
    _legend(figure, axis)
    return figure


def plain(name: object) -> str:
    """Matplotlib takes what is between two dollars for mathematics."""
    return str(name).replace("$", r"\$")


def draw_confusions(run: Run) -> "Figure | None":
    """Confusion matrices of all arms, in per cent of each class."""
    counts = confusion_counts(run)
    if not counts:
        return None
    labels = list(map(plain, run.results["labels"]))
    side = 1.4 + 0.42 * len(labels)
    figure, axes = _grid(len(counts), columns=3, size=(side, side))
    for axis, (arm, own) in zip(axes, counts.items(), strict=True):
        share = 100 * own / np.maximum(own.sum(1, keepdims=True), 1e-9)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(share):
            colour = "white" if value > 60 else "black"
            axis.text(
                column, row, f"{value:.0f}", ha="center", va="center", color=colour
            )
        axis.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        axis.set_yticks(range(len(labels)), labels)
        axis.set_title(plain(arm))
        axis.grid(visible=False)
    return figure


def draw_probes(run: Run) -> "Figure | None":
    """Accuracy of every probe beside chance, a panel for what it looks for."""
    probes = run.analysis.get("probes") or replica_probes(run)
    if not probes:
        return None
    columns = list(dict.fromkeys(probe["column"] for probe in probes))
    places = list(
        dict.fromkeys((probe["place"], probe_name(probe)) for probe in probes)
    )
    size = (3.1, 1.2 + len(places) * (0.16 + 0.09 * len(run.arms)))
    figure, axes = _grid(len(columns), columns=3, size=size)
    for axis, column in zip(axes, columns, strict=True):
        own = [probe for probe in probes if probe["column"] == column]
        _draw_probe(axis, own, places, run.arms)
        axis.set_title(plain(column))
    _legend(figure, axes[0])
    return figure


def _draw_probe(
    axis: "Axes",
    probes: Sequence[Mapping[str, Any]],
    places: Sequence[tuple[str, str]],
    arms: Sequence[str],
) -> None:
    thickness = 0.8 / len(arms)
    for index, arm in enumerate(arms):
        own = [probe for probe in probes if probe["arm"] == arm]
        rows = [places.index((probe["place"], probe_name(probe))) for probe in own]
        axis.barh(
            np.array(rows) - 0.4 + thickness * (index + 0.5),
            [100 * probe["accuracy"] for probe in own],
            0.9 * thickness,
            xerr=[100 * (probe.get("std") or 0.0) for probe in own],
            color=_colour(index),
            label=plain(arm),
        )
    for row, place in enumerate(places):
        chances = [p["chance"] for p in probes if (p["place"], probe_name(p)) == place]
        axis.plot([100 * np.mean(chances)] * 2, [row - 0.45, row + 0.45], "k:")
    axis.set_yticks(range(len(places)), [", ".join(place) for place in places])
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.grid(axis="y", visible=False)


def draw_maps(run: Run, column: str) -> "Figure | None":
    """The same rows before and after, for each arm and the last method there is."""
    maps = run.analysis["maps"]
    names, ids = np.unique(np.asarray(maps["rows"][column], str), return_inverse=True)
    drawn: list[tuple[str, np.ndarray]] = []
    for arm, by_place in maps.get("points", {}).items():
        for place, by_method in by_place.items():
            known = [word for word in METHODS if word in by_method]
            # The input is the same for all arms.
            if known and not (place == "input" and drawn):
                owner = "" if place == "input" else f"{arm}, "
                name = f"{owner}{place} ({METHODS[known[-1]]})"
                drawn.append((name, np.asarray(by_method[known[-1]], float)))
    if not drawn:
        return None
    figure, axes = _grid(len(drawn), columns=3, size=(3.1, 3.0))
    for axis, (name, points) in zip(axes, drawn, strict=True):
        for index, word in enumerate(names):
            own = points[ids == index]
            axis.scatter(
                *own.T,
                s=9,
                color=_colour(1 + index % 7),
                marker=_MARKERS[index // 7 % len(_MARKERS)],
                linewidths=0,
                label=plain(word),
            )
        axis.set_title(plain(name))
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_aspect("equal", "datalim")
    if len(names) <= _MOST:
        _legend(figure, axes[0])
    return figure
