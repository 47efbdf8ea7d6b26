"""How much of the domain is left in the features: probes, distances, diagnoses."""

import math
from collections.abc import Mapping
from typing import Any

from dann_jax.report.analysis_tables import distance_table, probe_name, probes_of
from dann_jax.report.charts import Bars, bars
from dann_jax.report.elements import Section, data_table, legend, note
from dann_jax.report.markup import Markup, join, tag
from dann_jax.report.run import RunFiles
from dann_jax.report.table import Number, Table

PLACES = {"input": "at the input", "encoder": "at the encoder", "head": "at the head"}


def hiding_section(run: RunFiles) -> Section | None:
    """Probes with chance, proxy A-distances, diagnoses."""
    parts = [_diagnoses(run), _probes(run), _distances(run)]
    if not any(parts):
        return None
    return Section(
        "domains", "Domains", "Domain information left in the features", join(parts)
    )


def _diagnoses(run: RunFiles) -> Markup | None:
    diagnoses = run.analysis.get("diagnoses", {})
    items = [
        tag("li", tag("b", f"{arm}: "), sentence)
        for arm, by_rule in diagnoses.items()
        for sentence in by_rule.values()
    ]
    if not items:
        return None
    return tag("ul", items, class_="diagnoses")


def _probes(run: RunFiles) -> Markup | None:
    charts = probe_charts(run)
    if not charts:
        return None
    text = (
        "A fresh classifier predicts each of these from the frozen features. The "
        "dashed line is its accuracy with shuffled labels. Where the probe was not "
        "fitted on a speaker, the encoder may have been: not a score of new speakers."
    )
    if run.analysis.get("probes"):
        text += (
            " These are probes of a few of the models; the probe beside the scores is "
            "of all of them, on other rows, and so has another accuracy."
        )
    found = {probe["arm"] for probe in probes_of(run)}
    return join([note(text), legend(run.arms, found), map(data_table, charts)])


def probe_charts(run: RunFiles) -> list[Table]:
    """Accuracy of every probe beside chance, a chart for each predicted column."""
    probes = probes_of(run)
    columns = dict.fromkeys(probe["column"] for probe in probes)
    return [_probe_chart(run, column, probes) for column in columns]


def _probe_chart(run: RunFiles, column: str, probes: list[Mapping[str, Any]]) -> Table:
    by_row: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for probe in probes:
        if probe["column"] == column:
            by_row.setdefault((probe["place"], probe_name(probe)), []).append(probe)
    rows = []
    for (place, kind), of_row in by_row.items():
        chances = [p["chance"] for p in of_row if not math.isnan(p["chance"])]
        rows.append(
            Bars(
                PLACES.get(place, place),
                kind,
                {p["arm"]: Number(p["accuracy"], std=p.get("std")) for p in of_row},
                sum(chances) / len(chances) if chances else None,
            )
        )
    caption = f"Probe for {column}: accuracy in %{_meaning(run, column)}"
    return bars(caption, rows, run.arms, label="where", note="probe")


def _meaning(run: RunFiles, column: str) -> str:
    """What the accuracy of a probe says, where it could be taken for a score."""
    adversaries = run.config.get("adversaries", {}).values()
    if column == run.config.get("protocol", {}).get("label_column", "emotion"):
        return (
            "; the encoder may have learned from these people: no score of new ones, "
            "as WA and UA are"
        )
    hidden = any(own.get("column") == column for own in adversaries)
    return "; at chance it is hidden" if hidden else ""


def _distances(run: RunFiles) -> Markup | None:
    entries = run.analysis.get("a_distance", [])
    if not entries:
        return None
    return data_table(distance_table(entries))
