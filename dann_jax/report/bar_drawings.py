"""Figures of bars and of confusions: a run to a figure, or to nothing."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dann_jax.report.analysis_tables import probe_name, replica_probes
from dann_jax.report.classes import class_recalls, confusion_counts
from dann_jax.report.drawings import MOST, add_legend, colour_of, grid, plain
from dann_jax.report.headings import TITLES, headline
from dann_jax.report.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    order = np.argsort(values[run.arms[0]])[:MOST]
    names = [str(entries[place]["speaker"]) for place in order]
    label = f"{TITLES[metric]} (%)"
    if len(entries) > MOST:
        label += f", the lowest {MOST} of {len(entries)} speakers"
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
    figure, (axis,) = grid(1, columns=1, size=(6.5, height))
    for place, (arm, own) in enumerate(values.items()):
        axis.barh(
            np.arange(len(names)) - 0.4 + thickness * (place + 0.5),
            own,
            0.9 * thickness,
            color=colour_of(arms.index(arm)),
            label=plain(arm),
        )
    axis.set_yticks(range(len(names)), map(plain, names))
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel(label)
    axis.grid(axis="y", visible=False)
    add_legend(figure, axis)
    return figure


def draw_confusions(run: Run) -> "Figure | None":
    """Confusion matrices of all arms, in per cent of each class."""
    counts = confusion_counts(run)
    if not counts:
        return None
    labels = list(map(plain, run.results["labels"]))
    side = 1.4 + 0.42 * len(labels)
    figure, axes = grid(len(counts), columns=3, size=(side, side))
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
    by_column = [[p for p in probes if p["column"] == column] for column in columns]
    most = max(len({_where(probe) for probe in own}) for own in by_column)
    size = (4.4, 1.2 + most * (0.16 + 0.09 * len(run.arms)))
    figure, axes = grid(len(columns), columns=2, size=size)
    for axis, column, own in zip(axes, columns, by_column, strict=True):
        _draw_probe(axis, own, run.arms)
        axis.set_title(f"{plain(column)}: accuracy (%)")
    add_legend(figure, axes[0])
    return figure


def _where(probe: Mapping[str, Any]) -> str:
    return f"{probe['place']}, {probe_name(probe)}"


def _draw_probe(
    axis: "Axes", probes: Sequence[Mapping[str, Any]], arms: Sequence[str]
) -> None:
    places = list(dict.fromkeys(map(_where, probes)))
    thickness = 0.8 / len(arms)
    for index, arm in enumerate(arms):
        own = [probe for probe in probes if probe["arm"] == arm]
        rows = [places.index(_where(probe)) for probe in own]
        axis.barh(
            np.array(rows) - 0.4 + thickness * (index + 0.5),
            [100 * probe["accuracy"] for probe in own],
            0.9 * thickness,
            xerr=[100 * (probe.get("std") or 0.0) for probe in own],
            color=colour_of(index),
            label=plain(arm),
        )
    for row, place in enumerate(places):
        chances = [p["chance"] for p in probes if _where(p) == place]
        axis.plot([100 * np.mean(chances)] * 2, [row - 0.45, row + 0.45], "k:")
    axis.set_yticks(range(len(places)), map(plain, places))
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.grid(axis="y", visible=False)
