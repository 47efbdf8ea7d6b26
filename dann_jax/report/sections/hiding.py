"""What is left of the domain in the features: probes, distances, and in words."""

import math
from collections.abc import Mapping
from typing import Any

from dann_jax.report.analysis_tables import (
    distance_table,
    probe_name,
    replica_probes,
)
from dann_jax.report.bars import Bars, bars
from dann_jax.report.elements import Section, data_table, legend, note
from dann_jax.report.markup import Markup, join, tag
from dann_jax.report.run import Run
from dann_jax.report.table import Number

PLACES = {"input": "at the input", "encoder": "at the encoder", "head": "at the head"}


def hiding_section(run: Run) -> Section | None:
    """Probes with chance, proxy A-distances, diagnoses."""
    parts = [_diagnoses(run), _probes(run), _distances(run)]
    if not any(parts):
        return None
    return Section("domains", "Domains", "What the features still tell", join(parts))


def _diagnoses(run: Run) -> Markup | None:
    found = run.analysis.get("diagnoses", {})
    items = [
        tag("li", tag("b", f"{arm}: "), said)
        for arm, by_name in found.items()
        for said in by_name.values()
    ]
    if not items:
        return None
    return tag("ul", items, class_="diagnoses")


def _probes(run: Run) -> Markup | None:
    analysed = run.analysis.get("probes")
    probes = analysed or replica_probes(run)
    if not probes:
        return None
    columns = dict.fromkeys(probe["column"] for probe in probes)
    said = (
        "A fresh classifier looks for each of these in the frozen features. The dashed "
        "line is what it finds when the names are shuffled. Where it has not seen a "
        "speaker, the encoder may have: it is no score of unheard people."
    )
    if analysed:
        said += (
            " These are probes of a few of the models; the probe beside the scores is "
            "of all of them, on rows of its own, and so finds something else."
        )
    return join(
        [
            note(said),
            legend(run.arms),
            (_probe_bars(run, column, probes) for column in columns),
        ]
    )


def _probe_bars(run: Run, column: str, probes: list[Mapping[str, Any]]) -> Markup:
    by_row: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for probe in probes:
        if probe["column"] == column:
            by_row.setdefault((probe["place"], probe_name(probe)), []).append(probe)
    rows = []
    for (place, kind), own in by_row.items():
        chances = [p["chance"] for p in own if not math.isnan(p["chance"])]
        rows.append(
            Bars(
                PLACES.get(place, place),
                kind,
                {p["arm"]: Number(p["accuracy"], std=p.get("std")) for p in own},
                sum(chances) / len(chances) if chances else None,
            )
        )
    caption = f"Probe for {column}: accuracy in %"
    return bars(caption, rows, run.arms, label="where", note="probe")


def _distances(run: Run) -> Markup | None:
    entries = run.analysis.get("a_distance", [])
    if not entries:
        return None
    return data_table(distance_table(entries))
