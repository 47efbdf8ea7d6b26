"""Tables from the analysis of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.report.neighbours import neighbour_table
from dann_jax.report.run import RunFiles
from dann_jax.report.table import Number, Table
from dann_jax.report.tables import domain_probe, probed


def analysis_tables(run: RunFiles) -> list[Table]:
    """Every table that the run has what is needed for."""
    analysis = run.analysis
    tables = [_class_table(run), *_confusion_tables(run)]
    tables += [
        _people_table(run, "speakers", ("speaker", "gender", "language", "corpus"))
    ]
    tables += [_people_table(run, "groups", ("column", "value", "speakers"))]
    if probes := probes_of(run):
        tables.append(probe_table(probes))
    if analysis.get("a_distance"):
        tables.append(distance_table(analysis["a_distance"]))
    if analysis.get("selection"):
        tables.append(selection_table(analysis["selection"]))
    if analysis.get("maps", {}).get("points"):
        tables.append(neighbour_table(analysis["maps"]))
    return [table for table in tables if table.rows]


def confusion_counts(run: RunFiles) -> dict[str, np.ndarray]:
    """Arm -> counts `[truth, guess]`, over folds, mean over seeds; empty without."""
    counts = run.analysis.get("confusion")
    if counts:
        return {
            arm: np.asarray(counts[arm], float) for arm in run.arms if arm in counts
        }
    replicas = run.results["replicas"]
    if not all("confusion" in replica for replica in replicas):
        return {}
    seeds = len({replica["seed"] for replica in replicas})
    return {
        arm: sum(np.asarray(r["confusion"], float) for r in replicas if r["arm"] == arm)
        / seeds
        for arm in run.arms
    }


def class_recalls(run: RunFiles) -> dict[str, np.ndarray]:
    """Arm -> recall of every class `[labels]`; NaN of a class without a row."""
    recalls = run.analysis.get("classes")
    if recalls:
        return {
            arm: np.asarray(recalls[arm], float) for arm in run.arms if arm in recalls
        }
    counts = confusion_counts(run)
    with np.errstate(invalid="ignore"):
        return {arm: np.diag(matrix) / matrix.sum(1) for arm, matrix in counts.items()}


def _class_table(run: RunFiles) -> Table:
    recalls = class_recalls(run)
    rows = [
        [label, *(Number(float(recall[index])) for recall in recalls.values())]
        for index, label in enumerate(run.results["labels"] if recalls else [])
    ]
    return Table("classes", "Recall of every class in %", ["class", *recalls], rows)


def _confusion_tables(run: RunFiles) -> list[Table]:
    labels = run.results["labels"]
    return [
        Table(
            f"confusion_{arm}",
            f"{arm}: rows of each class (down) by predicted class (across)",
            ["class", *labels],
            [
                [label, *(Number(float(x), scale=1.0, digits=1) for x in row)]
                for label, row in zip(labels, counts, strict=True)
            ],
        )
        for arm, counts in confusion_counts(run).items()
    ]


def _people_table(run: RunFiles, name: str, columns: Sequence[str]) -> Table:
    """Scores of `speakers` or of `groups`."""
    entries = run.analysis.get(name, [])
    metrics = dict.fromkeys(
        metric
        for entry in entries
        for scores in entry.get("scores", {}).values()
        for metric in scores
    )
    # What is not known of anybody is no column.
    known = [c for c in columns if any(_word(entry.get(c)) for entry in entries)]
    rows = []
    for entry in entries:
        cells = [_word(entry.get(column)) for column in (*known, "rows")]
        for arm in run.arms:
            scores = entry.get("scores", {}).get(arm, {})
            cells += [Number(scores.get(m, float("nan"))) for m in metrics]
        rows.append(cells)
    header = [*known, "rows", *(f"{a} {m.upper()}" for a in run.arms for m in metrics)]
    return Table(name, f"Scores of tested {name} in %", header, rows)


def _word(value: Any) -> str:
    """A name or a count; what is not known is empty."""
    return "" if value is None or value != value else str(value)


def probe_table(probes: Sequence[Mapping[str, Any]]) -> Table:
    """What fresh probes find, with chance."""
    rows = [
        [
            probe["arm"],
            probe["place"],
            probe["column"],
            probe_name(probe),
            Number(probe["accuracy"], std=probe.get("std"), chance=probe["chance"]),
        ]
        for probe in probes
    ]
    header = ["arm", "where", "looks for", "probe", "accuracy (chance)"]
    return Table("probes", "Probes of frozen features in %", header, rows)


def probe_name(probe: Mapping[str, Any]) -> str:
    """What kind of probe it is, and whose rows it was never fitted on."""
    groups = probe.get("grouped_by")
    if not isinstance(groups, str):
        return str(probe["probe"])
    return f"{probe['probe']}, unseen {groups}s"


def probes_of(run: RunFiles) -> Sequence[Mapping[str, Any]]:
    """The probes of an analysis; of a run without one those of its scores."""
    return run.analysis.get("probes") or replica_probes(run)


def replica_probes(run: RunFiles) -> list[dict[str, Any]]:
    """The probe of `results.json`, of runs that were not analysed."""
    if not all("domain_probe" in replica for replica in run.results["replicas"]):
        return []
    probes = []
    for arm in run.arms:
        number = domain_probe(run.results, arm)
        probes.append(
            {
                "arm": arm,
                "place": "encoder",
                "column": probed(run.results),
                "probe": "logistic",
                "accuracy": number.value,
                "chance": number.chance,
            }
        )
    return probes


def distance_table(entries: list[Mapping[str, Any]]) -> Table:
    """Proxy A-distances of every arm."""
    rows = [
        [
            entry["arm"],
            entry["adversary"],
            str(entry.get("between", "")),
            Number(entry["value"], std=entry.get("std"), scale=1.0),
        ]
        for entry in entries
    ]
    return Table(
        "a_distance",
        "Proxy A-distance: 0 where a classifier cannot distinguish the sides, 2 where "
        "it always can",
        ["arm", "adversary", "between", "distance"],
        rows,
    )


def selection_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Values of every criterion, the arm that it prefers, and the UA of that arm."""
    arms = list(dict.fromkeys(entry["arm"] for entry in entries))
    rows = []
    for criterion in dict.fromkeys(entry["criterion"] for entry in entries):
        of_criterion = [entry for entry in entries if entry["criterion"] == criterion]
        value = {entry["arm"]: entry["value"] for entry in of_criterion}
        best = max(of_criterion, key=lambda entry: entry["value"])
        absent = float("nan")
        cells = [Number(value.get(arm, absent), scale=1.0, digits=3) for arm in arms]
        rows.append([criterion, *cells, best["arm"], Number(best.get("ua", absent))])
    header = ["criterion", *arms, "prefers", "its UA in %"]
    return Table("selection", "Value of each criterion for each arm", header, rows)
