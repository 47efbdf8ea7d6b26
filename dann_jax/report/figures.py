"""Figures of a run as files."""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from etils import epath

from dann_jax.report.analysis_tables import confusion_counts
from dann_jax.report.axes import HEIGHT, WIDTH
from dann_jax.report.calibration_charts import Plot
from dann_jax.report.curve_chart import curve_drawing
from dann_jax.report.curves import families
from dann_jax.report.headings import title
from dann_jax.report.neighbours import METHODS
from dann_jax.report.painting import (
    STYLE,
    add_legend,
    chart_height,
    colour_of,
    grid,
    paint,
    paint_chart,
    plain,
)
from dann_jax.report.run import RunFiles
from dann_jax.report.sections.calibration import plots as calibration_plots
from dann_jax.report.sections.hiding import probe_charts
from dann_jax.report.sections.layers import layer_charts
from dann_jax.report.sections.outcome import forest_charts
from dann_jax.report.sections.people import class_chart, speaker_chart
from dann_jax.report.table import Table
from dann_jax.utils.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png")

MOST = 60
"""More names than this do not fit on paper."""

_MARKERS = "os^DPvX*"
"""Where colours repeat, another shape."""


def write_figures(run: RunFiles, folder: epath.Path) -> list[epath.Path]:
    """Draw all figures that a run has the data for, as SVG and PNG.

    Args:
      run: see `read_run`.
      folder: made if there is none.

    Returns:
      The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in _figures(run):
        for kind in FORMATS:
            written.append(folder / f"{name}.{kind}")
            write_whole(written[-1], _saved(figure, kind))
    return written


def forest_plot(results: Mapping[str, Any], path: epath.PathLike) -> None:
    """Draw both main scores of every arm with their intervals, and of every replica.

    Args:
      results: as in `results.json`.
      path: `.svg`, `.png` or `.pdf`.

    Raises:
      ValueError: it is another kind of file.
    """
    import matplotlib

    kind = epath.Path(path).suffix.removeprefix(".")
    if kind not in (*FORMATS, "pdf"):
        raise ValueError(f"{path}: a figure is .svg, .png or .pdf")
    with matplotlib.rc_context(STYLE):
        write_whole(
            epath.Path(path), _saved(_FIGURES["forest"](RunFiles("", results)), kind)
        )


def _figures(run: RunFiles) -> Iterator[tuple[str, "Figure"]]:
    # Imported here, and above: drawing is no part of training.
    import matplotlib

    with matplotlib.rc_context(STYLE):
        for name, draw in _FIGURES.items():
            if (figure := draw(run)) is not None:
                yield name, figure
        for column in run.analysis.get("maps", {}).get("rows", {}):
            if column != "utt_id" and (figure := _maps(run, column)) is not None:
                yield f"maps_{column}", figure


def _saved(figure: "Figure", kind: str) -> bytes:
    file = io.BytesIO()
    # No date: the same run gives the same file.
    metadata = {"Date": None} if kind == "svg" else {}
    with warnings.catch_warnings():
        # Names in a script that the font lacks are boxes; the page shows them.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(file, format=kind, metadata=metadata)
    return file.getvalue()


def _forest(run: RunFiles) -> "Figure":
    figure = _charts(forest_charts({run.name: run}), run.arms)
    words = "pooled score, 95 % interval, and each fold and seed"
    figure.suptitle(f"{plain(title(run.results))}: {words}", fontsize=9)
    return figure


def _charts(charts: Sequence[Table | None], arms: Sequence[str]) -> "Figure | None":
    """Charts of the page one below the other."""
    drawn = [chart for chart in charts if chart is not None]
    if not drawn:
        return None
    figure, axes = grid([chart_height(chart) for chart in drawn], width=640)
    for axis, chart in zip(axes, drawn, strict=True):
        paint_chart(axis, chart)
    add_legend(figure, arms)
    return figure


def _curves(run: RunFiles) -> "Figure | None":
    panels = [panel for panels in families(run).values() for panel in panels]
    return _plots([Plot(p.title, curve_drawing(p, run.arms)) for p in panels], run.arms)


def _plots(plots: Sequence[Plot], arms: Sequence[str]) -> "Figure | None":
    """Charts of curves side by side."""
    if not plots:
        return None
    figure, axes = grid([HEIGHT + 20] * len(plots), width=WIDTH, columns=3)
    for axis, plot in zip(axes, plots, strict=True):
        paint(axis, plot.drawing)
        axis.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        axis.set_title(plain(plot.title))
    add_legend(figure, arms, dashed=True)
    return figure


def _confusions(run: RunFiles) -> "Figure | None":
    """Confusion matrices of all arms, in per cent of each class."""
    counts = confusion_counts(run)
    if not counts:
        return None
    labels = list(map(plain, run.results["labels"]))
    side = 130 + 40 * len(labels)
    figure, axes = grid([side] * len(counts), width=side, columns=3)
    for axis, (arm, matrix) in zip(axes, counts.items(), strict=True):
        share = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1e-9)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(share):
            colour = "white" if value > 60 else "black"
            centred: dict[str, Any] = {"ha": "center", "va": "center"}
            axis.text(column, row, f"{value:.0f}", color=colour, **centred)
        axis.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        axis.set_yticks(range(len(labels)), labels)
        axis.set_title(plain(arm))
    return figure


def _maps(run: RunFiles, column: str) -> "Figure | None":
    """The same rows before and after, for each arm and the last method there is."""
    maps = run.analysis["maps"]
    values, ids = np.unique(np.asarray(maps["rows"][column], str), return_inverse=True)
    drawn: dict[str, np.ndarray] = {}
    for arm, by_place in maps.get("points", {}).items():
        for place, by_method in by_place.items():
            known = [method for method in METHODS if method in by_method]
            # The input is the same for all arms.
            if known and not (place == "input" and drawn):
                owner = "" if place == "input" else f"{arm}, "
                name = f"{owner}{place} ({METHODS[known[-1]]})"
                drawn[name] = np.asarray(by_method[known[-1]], float)
    if not drawn:
        return None
    figure, axes = grid([290] * len(drawn), width=300, columns=3)
    for axis, (name, points) in zip(axes, drawn.items(), strict=True):
        for index, value in enumerate(values):
            look = {"color": colour_of(1 + index % 7), "label": plain(value)}
            marker = _MARKERS[index // 7 % len(_MARKERS)]
            axis.scatter(
                *points[ids == index].T, s=9, marker=marker, linewidths=0, **look
            )
        axis.spines[:].set_visible(True)
        axis.set_title(plain(name))
        axis.set_aspect("equal", "datalim")
    if len(values) <= MOST:
        handles, words = axes[0].get_legend_handles_labels()
        position = {"loc": "outside lower center", "ncols": min(len(words), 6)}
        figure.legend(handles, words, **position)
    return figure


_FIGURES: Mapping[str, Callable[[RunFiles], "Figure | None"]] = {
    "forest": _forest,
    "curves": _curves,
    "classes": lambda run: _charts([class_chart(run)], run.arms),
    "speakers": lambda run: _charts([speaker_chart(run, MOST)], run.arms),
    "layers": lambda run: _charts(layer_charts(run), run.arms),
    "confusions": _confusions,
    "probes": lambda run: _charts(probe_charts(run), run.arms),
    "calibration": lambda run: _plots(calibration_plots(run), run.arms),
}
"""Name of a file -> the function that draws it, or returns None without data."""
