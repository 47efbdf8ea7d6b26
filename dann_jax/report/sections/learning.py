"""Learning curves, and selection criteria without target labels."""

from dann_jax.evaluation.unsupervised import described_choice
from dann_jax.report.analysis_tables import selection_table
from dann_jax.report.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from dann_jax.report.curve_chart import curve_figure
from dann_jax.report.curves import Panel, families
from dann_jax.report.elements import Section, data_table, legend, note
from dann_jax.report.markup import Markup, data_block, join, tag
from dann_jax.report.run import RunFiles


def learning_section(run: RunFiles) -> Section | None:
    """Curves of the task, then of every adversary, with one slider for the epoch."""
    all_families = families(run)
    if not all_families:
        return None
    panels = {
        f"{name}-{index}": panel
        for name, of_family in all_families.items()
        for index, panel in enumerate(of_family)
    }
    values = {
        identifier: {
            str(run.arms.index(series.arm)): [
                series.epochs,
                [float(f"{y:.4g}") for y in series.mean],
            ]
            for series in panel.series
        }
        for identifier, panel in panels.items()
    }
    frame = {
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "bottom": HEIGHT - BOTTOM,
    }
    spread = any(series.std for panel in panels.values() for series in panel.series)
    drawn = {series.arm for panel in panels.values() for series in panel.series}
    content = [
        note(
            "Each line is the mean over folds and seeds"
            f"{', its band their standard deviation' if spread else ''}. Numbers below "
            "a chart are those of the chosen epoch."
        ),
        legend(run.arms, drawn),
        _slider(run),
        (_family(*family, run.arms) for family in all_families.items()),
        data_block("curve-data", {"frame": frame, "panels": values}),
    ]
    return Section("learning", "Learning", "Learning curves", join(content))


def _slider(run: RunFiles) -> Markup:
    last = run.epochs[-1].get("epoch", len(run.epochs))
    first = run.epochs[0].get("epoch", 1)
    return tag(
        "p",
        tag("label", "Epoch ", for_="epoch"),
        tag("input", type="range", id="epoch", min=first, max=last, value=last, step=1),
        tag("output", str(last), for_="epoch", id="epoch-shown"),
        class_="control needs-script",
    )


def _family(name: str, panels: list[Panel], arms: list[str]) -> Markup:
    title = "Task" if name == "label" else f"Adversary or penalty: {name}"
    charts = (
        curve_figure(panel, arms, f"{name}-{index}")
        for index, panel in enumerate(panels)
    )
    return join([tag("h3", title), tag("div", charts, class_="charts")])


def selection_section(run: RunFiles) -> Section | None:
    """A table of criteria and arms."""
    entries = run.analysis.get("selection", [])
    if not entries:
        return None
    chosen = run.results["protocol"]["selection"]
    content = [
        note(
            f"The steps of this run were chosen by: {described_choice(chosen)}. Below, "
            "the value of every criterion for the arms as they ended; higher is "
            "better, each in its own unit. The oracle looks at test labels: it is a "
            "bound and no result."
        ),
        data_table(selection_table(entries)),
    ]
    return Section("selection", "Selection", "Selection", join(content))
