"""The scores of every arm, and their differences from the baseline."""

from collections.abc import Mapping
from typing import Any

from dann_jax.evaluation.verdicts import is_error
from dann_jax.report.charts import Strip, forest
from dann_jax.report.elements import Section, cautions, data_table, details, note
from dann_jax.report.headings import (
    LEGEND,
    MEASURES,
    TITLES,
    comparison_rule,
    distinct,
    headline,
    least_p,
    scored_folds,
)
from dann_jax.report.markup import Markup, join, tag
from dann_jax.report.notes import caution, unenrolled_sentence
from dann_jax.report.run import RunFiles
from dann_jax.report.table import Number, Table
from dann_jax.report.tables import difference, pooled_number, probed, result_tables
from dann_jax.report.verdict import sentences
from dann_jax.utils.words import counted


def outcome_section(run: RunFiles) -> Section:
    """Table, forest plots, comparisons, folds."""
    shown = ("arms", "averaged", "targets", "comparisons")
    tables = {table.name: table for table in result_tables(run.results)}
    main, averaged, targets, comparisons = (
        [tables[name]] if name in tables else [] for name in shown
    )
    folds = [table for name, table in tables.items() if name not in shown]
    content = [
        map(data_table, main),
        note(_meaning(run)),
        map(data_table, targets),
        map(data_table, averaged),
        note(
            "A bundle averages what its members say; above are the scores of one "
            "training at a time."
        )
        if averaged
        else None,
        note(whose) if (whose := unenrolled_sentence(run.results)) else None,
        cautions("Too little to tell", caution(run.results, "size")),
        map(data_table, forest_charts({run.name: run})),
        note(
            "A point is the score of all test rows together, its line the 95 % "
            "interval over speakers and seeds, each small dot one fold with one seed. "
            "The dashed line is the baseline."
        ),
        map(data_table, comparisons),
        note(comparison_rule(run.results)) if comparisons else None,
        _more(run),
        details("Every fold", map(data_table, folds)) if folds else None,
    ]
    return Section("results", "Results", "Results", join(content))


def _meaning(run: RunFiles) -> str:
    """What the columns of the first table are."""
    of_classes, domain = "", probed(run.results)
    if {"wa", "ua"} <= set(headline(run.results)):
        of_classes = LEGEND if distinct(run.results, "seed") > 1 else MEASURES
    return (
        f"{of_classes} {domain} probe: how often a fresh classifier names the {domain} "
        f"from the features (in brackets by chance); at chance the {domain} is hidden, "
        f"and well below it the classifier has failed to learn, which proves nothing. "
        f"It is no score of emotions."
    )


def forest_charts(runs: Mapping[str, RunFiles]) -> list[Table]:
    """The two main scores of every arm of one run or of several, a forest plot each.

    Args:
      runs: name -> run; the names are shown where there are several.
    """
    (metrics,) = {headline(run.results) for run in runs.values()}
    return [_forest(runs, metric) for metric in metrics]


def _forest(runs: Mapping[str, RunFiles], metric: str) -> Table:
    several = len(runs) > 1
    strips = []
    for name, run in runs.items():
        gains = {
            entry["arm"]: str(difference(entry))
            for entry in run.results["comparisons"]
            if entry["metric"] == metric
        }
        for index, (arm, scores) in enumerate(run.results["summary"].items()):
            score = pooled_number(scores[metric], metric)
            dots = [
                replica[metric]
                for replica in run.results["replicas"]
                if replica["arm"] == arm
                and replica["fold"] in scored_folds(run.results)
            ]
            cells = [str(score), gains.get(arm, "")]
            strips.append(Strip([name] * several + [arm], index, score, dots, cells))
    # One arm alone has no difference.
    if not any(strip.cells[1] for strip in strips):
        strips = [strip._replace(cells=strip.cells[:1]) for strip in strips]
    direction = "lower is better" if is_error(metric) else "higher is better"
    after = ["pooled [95 %]", "difference [95 %]"][: len(strips[0].cells)]
    return forest(
        f"{TITLES[metric]} in %, {direction}",
        strips,
        header=(["run"] * several + ["arm"], after),
        line=None if several else strips[0].score.value,
    )


def _more(run: RunFiles) -> Markup | None:
    """The comparisons as sentences, with effect sizes."""
    entries = run.results["comparisons"]
    if not entries:
        return None
    items = [
        tag("li", sentence, _extras(entry, run.results))
        for entry, sentence in zip(entries, sentences(run.results), strict=True)
    ]
    return details("In words, with effect sizes", tag("ul", items))


def _extras(entry: dict[str, Any], results: Mapping[str, Any]) -> str:
    """Effect size and the seeds that would be needed, where they are known."""
    effect = entry.get("effect_size")
    d_z = effect.get("d_z") if isinstance(effect, dict) else effect
    text = ""
    if isinstance(d_z, (int, float)) and d_z == d_z:
        shown = Number(d_z, scale=1.0, signed=True)
        text += f" Effect size d_z {shown}, over speakers."
    needed, folds = entry.get("seeds_needed"), len(scored_folds(results))
    if not isinstance(needed, int):
        return text
    if folds > 1 and least_p(results) > 0.05:
        return (
            f"{text} More seeds cannot show it: with {folds} folds no p is below "
            f"{least_p(results):.3g}. More folds, with more speakers, can."
        )
    return (
        f"{text} To show a difference of this size in four of five experiments takes "
        f"{counted(needed, 'seed')}; this run has {distinct(results, 'seed')}."
    )
