"""The page of several runs side by side."""

from collections.abc import Mapping
from typing import Any

from dann_jax.evaluation.verdicts import is_error
from dann_jax.report.elements import Section, data_table, flattened, note
from dann_jax.report.headings import TITLES, headline, marked
from dann_jax.report.markup import join, tag
from dann_jax.report.page import leak_banner, page
from dann_jax.report.run import RunFiles
from dann_jax.report.sections.outcome import forest_charts
from dann_jax.report.table import Table
from dann_jax.report.tables import difference, over_seeds
from dann_jax.report.verdict import run_verdict


def comparison_page(runs: Mapping[str, RunFiles]) -> str:
    """The results of several runs on one page.

    Args:
      runs: name -> run.

    Raises:
      ValueError: some runs have other metrics than others.
    """
    table = run_table({name: run.results for name, run in runs.items()})
    heading = f"{len(runs)} runs side by side"
    verdicts = (
        tag("li", tag("b", f"{name}: "), run_verdict(run.results))
        for name, run in runs.items()
    )
    head = [
        tag("h1", "dann-report --compare"),
        tag("p", heading, class_="verdict"),
        tag("ul", verdicts, class_="said"),
        (
            leak_banner(run.results["protocol"], f"Leak allowed in {name}.")
            for name, run in runs.items()
        ),
    ]
    plots = join(
        [
            note(
                "Only arms of one run are paired. Runs differ in whatever their "
                "configurations do, below."
            ),
            map(data_table, forest_charts(runs)),
        ]
    )
    sections = [
        Section("results", "Results", "Results", data_table(table)),
        Section("intervals", "Intervals", "Every arm of every run", plots),
        Section(
            "protocols", "Protocols", "Protocols", data_table(protocol_table(runs))
        ),
        _settings(runs),
    ]
    return page(heading, head, sections)


def run_table(runs: Mapping[str, Mapping[str, Any]]) -> Table:
    """Every arm of several runs in one table, with its paired difference.

    Args:
      runs: name -> results, as in `results.json`.

    Raises:
      ValueError: some runs have other main metrics than others.
    """
    metrics = {headline(results) for results in runs.values()}
    if len(metrics) != 1:
        raise ValueError("runs that classify and runs that verify share no table")
    (metrics,) = metrics
    rows = []
    for name, results in runs.items():
        gains = {
            (entry["arm"], entry["metric"]): difference(entry)
            for entry in results["comparisons"]
        }
        for arm in results["summary"]:
            cells = [marked(name, results), arm]
            for metric in metrics:
                score = over_seeds(results, arm, metric)
                cells += [score, gains.get((arm, metric), "")]
            rows.append(cells)
    gain = "difference [95 %]" if is_error(metrics[0]) else "gain [95 %]"
    header = ["run", "arm"]
    for metric in metrics:
        header += [TITLES[metric], gain]
    return Table("runs", "Every arm of every run", header, rows)


def protocol_table(runs: Mapping[str, RunFiles]) -> Table:
    """The protocol of each run."""
    rows = []
    for name, run in runs.items():
        protocol, replicas = run.results["protocol"], run.results["replicas"]
        rows.append(
            [
                name,
                run.results["system"],
                ", ".join(run.results["corpora"]),
                protocol["name"],
                str(len({r["fold"] for r in replicas})),
                str(len({r["seed"] for r in replicas})),
                "yes" if protocol["transductive"] else "no",
                protocol["selection"],
                ", ".join(protocol["allowed_leaks"]) or "none",
            ]
        )
    header = ["run", "system", "corpora", "protocol", "folds", "seeds", "transductive"]
    return Table(
        "protocols", "How each run was tested", [*header, "selection", "leaks"], rows
    )


def _settings(runs: Mapping[str, RunFiles]) -> Section:
    """The config keys whose values differ between runs."""
    flat = {name: dict(flattened(run.config)) for name, run in runs.items()}
    keys = {key for config in flat.values() for key in config}
    rows = []
    for key in sorted(keys):
        values = [config.get(key, "") for config in flat.values()]
        if len(set(values)) > 1:
            rows.append([key, *values])
    table = Table("settings", "Keys that differ", ["key", *runs], rows)
    content = data_table(table) if rows else note("The configurations are the same.")
    return Section("settings", "Configuration", "What was set otherwise", content)
