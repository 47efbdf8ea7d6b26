"""Whether the probabilities are true, and what rejecting the unsure ones leaves."""

from collections.abc import Mapping
from typing import Any

from dann_jax.report.calibration_charts import Plot, calibration_plots, plot_figure
from dann_jax.report.elements import Section, data_table, details, legend, note
from dann_jax.report.markup import join, tag
from dann_jax.report.run import RunFiles
from dann_jax.report.table import Number, Table

_NAN = float("nan")
_SHOWN = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Thresholds in the table of rejection."""


def calibration_section(run: RunFiles) -> Section | None:
    """Calibration error before and after, reliability diagrams, coverage."""
    calibration = run.results.get("calibration")
    if not calibration:
        return None
    scores, rejection, *bins = calibration_tables(run)
    content = [
        note(_how(calibration)),
        legend(run.arms, calibration["arms"]),
        data_table(scores),
        tag("div", map(plot_figure, plots(run)), class_="charts"),
        note(
            "A point is the rows of a bin, larger for more; on the dashed diagonal a "
            "probability is the share of right rows. dann-predict --reject=.5 answers "
            "unknown below that probability; the table says what such a threshold "
            "leaves. A dash: some class has no row left."
        ),
        data_table(rejection),
        details("Every bin", map(data_table, bins)) if bins else None,
    ]
    return Section(
        "calibration", "Certainty", "Are its probabilities true?", join(content)
    )


def plots(run: RunFiles) -> list[Plot]:
    """The drawings of the section; none of a run without calibration."""
    calibration = run.results.get("calibration")
    return calibration_plots(calibration, run.arms) if calibration else []


def _how(calibration: Mapping[str, Any]) -> str:
    text = (
        f"ECE: how far the share of right rows is from the probability of the answer, "
        f"averaged over rows in {calibration['bins']} bins of equal width, with its "
        f"95 % interval over speakers and seeds. Chance alone gives a model whose "
        f"probabilities are all true the ECE in the column of chance. "
    )
    if calibration["fitted_on"]:
        return text + (
            f"The logits are divided by a temperature that is fitted on "
            f"{calibration['fitted_on']}: never on the rows that it is measured on."
        )
    return f"{text}After temperature: not measured; {calibration['not_measured']}."


def calibration_tables(run: RunFiles) -> list[Table]:
    """Scores, rejection, and the bins before and after; none of an older run."""
    calibration = run.results.get("calibration")
    if not calibration:
        return []
    measured = calibration["arms"]
    records = {arm: measured[arm] for arm in run.arms if arm in measured}
    tables = [_score_table(records), _rejection_table(records)]
    for when in ("before", "after"):
        rows = [
            [arm, one["rows"], Number(one["confidence"]), Number(one["right"])]
            for arm, record in records.items()
            for one in record.get(when, {}).get("bins", ())
        ]
        if rows:
            title = f"Bins {when} temperature, rows of all seeds, in %"
            header = ["arm", "rows", "mean probability", "right"]
            tables.append(Table(f"bins_{when}", title, header, rows))
    return tables


def _score_table(records: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = []
    for arm, record in records.items():
        fitted = [t for of_seed in record.get("temperature", ()) for t in of_seed]
        mean = sum(fitted) / len(fitted) if fitted else _NAN
        cells = [arm, Number(mean, scale=1.0)]
        for when in ("before", "after"):
            score = record.get(when, {})
            ends = tuple(score.get("ece_ci95", ())) or None
            cells.append(Number(score.get("ece", _NAN), interval=ends))
            cells.append(Number(score.get("ece_of_calibrated", _NAN)))
            cells.append(Number(score.get("nll", _NAN), scale=1.0, digits=3))
            cells.append(Number(score.get("brier", _NAN), scale=1.0, digits=3))
        rows.append(cells)
    header = ["arm", "temperature"]
    for when in ("before", "after"):
        header += [
            f"ECE {when} [95 %]",
            f"chance {when}",
            f"NLL {when}",
            f"Brier {when}",
        ]
    title = "Calibration: ECE in %, NLL in nats, Brier score; lower is better"
    return Table("calibration", title, header, rows)


def _rejection_table(records: Mapping[str, Mapping[str, Any]]) -> Table:
    found = {
        (arm, point["threshold"]): point
        for arm, record in records.items()
        for point in record.get("coverage", ())
    }
    rows = []
    for threshold in _SHOWN:
        cells = [f"{threshold:g}"]
        for arm in records:
            point = found.get((arm, threshold), {"coverage": 0.0})
            cells += [Number(point["coverage"]), Number(point.get("ua", _NAN))]
        rows.append(cells)
    header = ["threshold", *(f"{a} {w}" for a in records for w in ("kept", "UA"))]
    return Table("rejection", "What a threshold keeps, in %", header, rows)
