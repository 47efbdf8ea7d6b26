"""Figures of a run as files; matplotlib draws."""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from etils import epath

from dann_jax.report.bar_drawings import (
    draw_classes,
    draw_confusions,
    draw_probes,
    draw_speakers,
)
from dann_jax.report.colours import PALETTE
from dann_jax.report.drawings import draw_curves, draw_maps, plain
from dann_jax.report.headings import TITLES, headline, title
from dann_jax.report.run import Run
from dann_jax.utils.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png")

_FIGURES: Mapping[str, Callable[[Run], "Figure | None"]] = {
    "forest": lambda run: _forest(run.results),
    "curves": draw_curves,
    "classes": draw_classes,
    "speakers": draw_speakers,
    "confusions": draw_confusions,
    "probes": draw_probes,
}

_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    # The same run gives the same file.
    "svg.hashsalt": "dann_jax",
    "savefig.dpi": 160,
}


def write_figures(run: Run, folder: epath.Path) -> list[epath.Path]:
    """Draw everything that a run has what is needed for, as SVG and PNG.

    Args:
      run: see `read_run`.
      folder: made if there is none.

    Returns:
      The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in _drawn(run):
        for kind in FORMATS:
            written.append(folder / f"{name}.{kind}")
            write_whole(written[-1], _saved(figure, kind))
    return written


def _drawn(run: Run) -> Iterator[tuple[str, "Figure"]]:
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        for name, draw in _FIGURES.items():
            if (figure := draw(run)) is not None:
                yield name, figure
        for column in run.analysis.get("maps", {}).get("rows", {}):
            if column != "utt_id" and (figure := draw_maps(run, column)) is not None:
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
    with matplotlib.rc_context(_STYLE):
        write_whole(epath.Path(path), _saved(_forest(results), kind))


def _forest(results: Mapping[str, Any]) -> "Figure":
    # Imported here, and above: drawing is no part of training.
    from matplotlib.figure import Figure

    arms = list(results["summary"])
    figure = Figure(figsize=(8, 1.1 + 0.5 * len(arms)), layout="constrained")
    for axis, metric in zip(
        figure.subplots(1, 2, sharey=True), headline(results), strict=True
    ):
        for place, arm in enumerate(arms):
            score = results["summary"][arm][metric]
            own = [100 * r[metric] for r in results["replicas"] if r["arm"] == arm]
            scatter = np.random.default_rng(0).uniform(-0.15, 0.15, len(own))
            colour = PALETTE[place % len(PALETTE)][0]
            axis.plot(own, place + scatter, ".", color="0.75", markersize=4)
            ends = [100 * x for x in score["ci95"]]
            axis.plot(ends, [place, place], color=colour, linewidth=2)
            axis.plot(100 * score["pooled"], place, "o", color=colour)
        axis.set_xlabel(f"{TITLES[metric]} (%)")
        axis.set_yticks(range(len(arms)), map(plain, arms))
        axis.grid(axis="y", visible=False)
    figure.axes[0].invert_yaxis()
    figure.suptitle(
        f"{plain(title(results))}: pooled score, 95 % interval, and each fold and seed",
        fontsize=9,
    )
    return figure
