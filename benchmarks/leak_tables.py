"""The tables and the figure of the leak study, from the numbers that it keeps."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.studies.numbers import in_percent
from benchmarks.timing import table
from dann_jax.evaluation.verdicts import verdict

COLUMNS = {
    f"{metric.upper()}, {arm}": (arm, metric)
    for metric in ("ua", "wa")
    for arm in ("source_only", "dann")
}
VERDICTS = {"better": "raises the gain", "worse": "lowers the gain"}
"""What a leak does to what the adversary gains, by the word of `verdict`."""

Summary = Mapping[str, Mapping[str, Any]]
"""As from `leak_summary.summarise`."""


def table_of_runs(summary: Summary) -> str:
    """UA and WA of every run, in %."""
    head = ["corpus", "run", "seeds", "labelled rows in a fold", "tested rows"]
    rows = []
    for name, found in summary.items():
        for word, run in found["runs"].items():
            cells = [name, _marked(word, run), run["seeds"]]
            cells += [f"{run['labelled']:.0f}", run["tested"]]
            rows.append([*cells, *(in_percent(run[a][m]) for a, m in COLUMNS.values())])
    return table([*head, *COLUMNS], rows)


def table_of_worths(summary: Summary) -> str:
    """What each leak adds to UA and WA, in points."""
    rows = [
        [name, _marked(leak, found["runs"][leak]), own["seeds"]]
        + [
            in_percent(own["worth"][arm][metric], "+")
            for arm, metric in COLUMNS.values()
        ]
        for name, found in summary.items()
        for leak, own in found["leaks"].items()
    ]
    return table(["corpus", "leak", "seeds", *COLUMNS], rows)


def table_of_gains(summary: Summary) -> str:
    """What the adversary gains in UA with each leak and without, in points."""
    columns = ("honest", "leaky", "difference")
    rows = []
    for name, found in summary.items():
        for leak, own in found["leaks"].items():
            said = verdict(own["difference"][1:])
            rows.append([name, _marked(leak, found["runs"][leak]), own["seeds"]])
            rows[-1] += [in_percent(own[column], "+") for column in columns]
            rows[-1].append(VERDICTS.get(said, said))
    head = ["corpus", "leak", "seeds", "gain, honest", "gain, leaky", "difference", ""]
    return table(head, rows)


def tables(summary: Summary) -> str:
    """The three tables, each under what it says."""
    return "\n\n".join(
        [
            "UA and WA of every run, in % [95 %]:",
            table_of_runs(summary),
            "What a leak adds, in points [95 %]:",
            table_of_worths(summary),
            "What the adversary gains (dann - source_only), in points of UA [95 %]:",
            table_of_gains(summary),
        ]
    )


def _marked(word: str, run: Mapping[str, Any]) -> str:
    """A run's name; where its own protocol allows leaks, these in its place."""
    return f"LEAK: {', '.join(run['leaks'])}" if run["leaks"] else word


def draw(summary: Summary, path: str) -> None:
    """A forest plot: a panel for each corpus, a row for each leak, both arms."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels = figure.subplots(1, len(summary), squeeze=False)[0]
    for axis, (name, found) in zip(panels, summary.items(), strict=True):
        leaks = found["leaks"]
        styles = (("source_only", -0.15, "o", "C0"), ("dann", 0.15, "s", "C1"))
        for arm, shift, mark, colour in styles:
            points = np.array([own["worth"][arm]["ua"] for own in leaks.values()])
            middle, low, high = 100 * points.T
            places = np.arange(len(leaks)) + shift
            axis.hlines(places, low, high, colour)
            axis.plot(middle, places, mark, color=colour, markersize=5, label=arm)
        axis.axvline(0.0, color="0.6", linewidth=1)
        axis.set_title(name, fontsize=10)
        names = [f"LEAK: {leak} ({own['seeds']})" for leak, own in leaks.items()]
        axis.set_yticks(range(len(leaks)), names, fontsize=8)
        axis.grid(axis="x", alpha=0.3)
        axis.invert_yaxis()
    panels[-1].legend(fontsize=8)
    words = "points of UA that a leak (seeds) adds, with 95 % intervals"
    figure.supxlabel(words, fontsize=10)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)
