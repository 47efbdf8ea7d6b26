"""Scores by speaker, group and class, and confusion matrices."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.report.analysis_tables import class_recalls, confusion_counts
from dann_jax.report.charts import Bars, bars
from dann_jax.report.elements import (
    Section,
    data_table,
    details,
    legend,
    note,
    scrolling,
)
from dann_jax.report.headings import TITLES, headline
from dann_jax.report.markup import Markup, join, tag
from dann_jax.report.run import RunFiles
from dann_jax.report.table import Number, Table

MANY = 16
"""More speakers than this are shown on request: the page would be all speakers."""


def people_section(run: RunFiles) -> Section | None:
    """Bars of classes, groups and speakers, and the confusion matrices."""
    classes = class_chart(run)
    parts = [
        data_table(classes) if classes else None,
        _confusions(run),
        *map(data_table, group_charts(run)),
        _speakers(run),
    ]
    if not any(parts):
        return None
    return Section(
        "who", "Speakers", "Classes and speakers", join([legend(run.arms), parts])
    )


def class_chart(run: RunFiles) -> Table | None:
    """Recall of every class, a bar an arm."""
    recalls, counts = class_recalls(run), confusion_counts(run)
    if not recalls:
        return None
    labels = run.results["labels"]
    rows = next(iter(counts.values())).sum(1) if counts else None
    return bars(
        "Recall of every class in %",
        [
            Bars(
                label,
                round(rows[index]) if rows is not None else "",
                {arm: Number(float(recall[index])) for arm, recall in recalls.items()},
            )
            for index, label in enumerate(labels)
        ],
        run.arms,
        label="class",
        note="rows" if rows is not None else "",
    )


def _confusions(run: RunFiles) -> Markup | None:
    counts = confusion_counts(run)
    if not counts:
        return None
    labels = run.results["labels"]
    return join(
        [
            tag("h3", "Confusions"),
            note(
                "Of the rows of each class (down), how many per cent are predicted as "
                "which class (across)."
            ),
            tag(
                "div",
                (_confusion(arm, matrix, labels) for arm, matrix in counts.items()),
                class_="matrices",
            ),
        ]
    )


def _confusion(arm: str, counts: np.ndarray, labels: Sequence[str]) -> Markup:
    header = tag(
        "tr",
        tag("td"),
        (tag("th", tag("span", label), scope="col") for label in labels),
    )
    body = []
    for label, row in zip(labels, counts, strict=True):
        total = row.sum()
        cells = [
            tag(
                "td",
                f"{100 * count / total:.0f}" if total else "–",
                style=f"--share:{100 * count / total if total else 0:.0f}%",
                title=f"{label} predicted as {guess}: {count:.4g} of {total:.4g} rows",
            )
            for guess, count in zip(labels, row, strict=True)
        ]
        body.append(tag("tr", tag("th", label, scope="row"), cells))
    table = tag(
        "table",
        tag("caption", arm),
        tag("thead", header),
        tag("tbody", body),
        class_="confusion",
    )
    return scrolling(f"Confusions of {arm}", table)


def main_score(run: RunFiles) -> str:
    """The metric of the charts of speakers and groups: the last main metric."""
    return headline(run.results)[-1]


def score_bars(
    run: RunFiles, entries: Sequence[Mapping[str, Any]], key: str
) -> list[Bars]:
    """A row for each entry of `speakers` or `groups` of an analysis."""
    metric = main_score(run)
    rows = []
    for entry in entries:
        values = {
            arm: Number(float(scores[metric]))
            for arm, scores in entry.get("scores", {}).items()
            if metric in scores
        }
        if values:
            rows.append(Bars(str(entry[key]), entry.get("rows", ""), values))
    return rows


def group_charts(run: RunFiles) -> list[Table]:
    """The main score by gender, language and the like, a chart for each column."""
    entries = run.analysis.get("groups", [])
    charts = []
    for column in dict.fromkeys(entry["column"] for entry in entries):
        of_column = [entry for entry in entries if entry["column"] == column]
        if rows := score_bars(run, of_column, "value"):
            caption = f"{TITLES[main_score(run)]} by {column} in %"
            charts.append(bars(caption, rows, run.arms, label=column, note="rows"))
    return charts


def speaker_chart(run: RunFiles, most: int | None = None) -> Table | None:
    """The main score of every tested speaker, or of so many of them, worst first."""
    rows = score_bars(run, run.analysis.get("speakers", []), "speaker")
    if not rows:
        return None

    def baseline_score(row: Bars) -> float:
        number = row.values.get(run.arms[0])
        return math.inf if number is None or math.isnan(number.value) else number.value

    rows.sort(key=baseline_score)
    cut = most is not None and len(rows) > most
    whom = f"{most} of {len(rows)} tested speakers" if cut else "every tested speaker"
    caption = (
        f"{TITLES[main_score(run)]} of {whom} in %, the worst of {run.arms[0]} first"
    )
    return bars(caption, rows[:most], run.arms, label="speaker", note="rows")


def _speakers(run: RunFiles) -> Markup | None:
    chart = speaker_chart(run)
    if chart is None or len(chart.rows) <= MANY:
        return data_table(chart) if chart else None
    return details(f"Each of {len(chart.rows)} speakers", data_table(chart))
