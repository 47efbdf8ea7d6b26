"""The tables of a result."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dann_jax.evaluation.verdicts import scale_of, verdict_of
from dann_jax.report.headings import (
    LEGEND,
    TITLES,
    comparison_rule,
    distinct,
    heading,
    headline,
    title,
    title_of,
)
from dann_jax.report.notes import notes_below
from dann_jax.report.table import Interval, Number, Table, markdown
from dann_jax.report.target import target_sentence, target_tables

ARROW = " -> "
"""Between source and target in the name of a fold."""


def result_table(results: Mapping[str, Any]) -> str:
    """All tables of a run in Markdown: arms, folds, comparisons, with their legends.

    Args:
      results: as in `results.json`.
    """
    parts = [heading(results)]
    for table in result_tables(results):
        # The others are told apart by their headers.
        parts += [f"{table.title}:"] if table.name == "averaged" else []
        parts.append(markdown(table))
    if results["comparisons"]:
        parts.append(comparison_rule(results))
    if target := results.get("target"):
        parts += [*map(markdown, target_tables(results)), target_sentence(results)]
        parts += [f"warning: {text}" for text in target["warnings"]]
    if {"wa", "ua"} <= set(headline(results)):
        parts.append(LEGEND)
    parts += notes_below(results)
    return "\n\n".join(parts)


def result_tables(results: Mapping[str, Any]) -> list[Table]:
    """The tables of arms, of targets, of folds (or of pairs) and of comparisons."""
    tables = [arm_table(results)]
    if "averaged" in results:
        tables.append(averaged_table(results))
    if results.get("targets"):
        tables.append(target_table(results))
    if distinct(results, "fold") > 1:
        pairs = all(ARROW in replica["fold"] for replica in results["replicas"])
        tables += pair_tables(results) if pairs else [fold_table(results)]
    if results["comparisons"]:
        tables.append(comparison_table(results))
    return tables


def arm_table(results: Mapping[str, Any]) -> Table:
    """The scores of every arm, with the accuracy of a domain probe on its features."""
    main, rows = headline(results), []
    measured = next(iter(results["summary"].values()))
    metrics = [metric for metric in TITLES if metric in measured]
    for arm, scores in results["summary"].items():
        cells = [arm]
        for metric in metrics:
            cells.append(over_seeds(results, arm, metric))
            if metric in main:
                cells.append(pooled_number(scores[metric], metric))
        rows.append([*cells, domain_probe(results, arm)])
    header = ["arm"]
    for metric in metrics:
        header.append(TITLES[metric])
        if metric in main:
            header.append(f"{TITLES[metric]} pooled [95 %]")
    header.append(f"{probed(results)} probe (chance)")
    return Table("arms", f"{title(results)}: scores of every arm in %", header, rows)


def averaged_table(results: Mapping[str, Any]) -> Table:
    """Every arm when all seeds of a fold predict together, as in a bundle."""
    averaged = results["averaged"]
    gains = {
        (entry["arm"], entry["metric"]): difference(entry)
        for entry in averaged["comparisons"]
    }
    rows = [
        [arm]
        + [
            cell
            for metric, score in scores.items()
            for cell in (pooled_number(score, metric), gains.get((arm, metric), ""))
        ]
        for arm, scores in averaged["summary"].items()
    ]
    header = ["arm"]
    for metric in next(iter(averaged["summary"].values())):
        header += [f"{TITLES[metric]} pooled [95 %]", "gain [95 %]"]
    shown = f"The probabilities of the {averaged['seeds']} seeds averaged, in %"
    return Table("averaged", shown, header, rows)


def probed(results: Mapping[str, Any]) -> str:
    """The domain column that the probe of every replica predicts."""
    return results.get("probed", "speaker")


def domain_probe(results: Mapping[str, Any], arm: str) -> Number:
    """Accuracy of the probe on the features of an arm, over its replicas."""
    probes = [r["domain_probe"] for r in results["replicas"] if r["arm"] == arm]
    accuracy, chance = (np.mean([p[k] for p in probes]) for k in ("accuracy", "chance"))
    return Number(float(accuracy), chance=float(chance))


def pooled_number(score: Mapping[str, Any], metric: str) -> Number:
    """The score of all test rows together, with its interval."""
    interval = tuple(score["ci95"])
    return Number(score["pooled"], interval=interval, scale=scale_of(metric))


def target_table(results: Mapping[str, Any]) -> Table:
    """The scores of every target, all test rows together."""
    measures = ("pearson", "ccc", "rmse")
    rows = [
        [
            target,
            arm,
            *(pooled_number(scores[f"{name}_{target}"], name) for name in measures),
        ]
        for target in results["targets"]
        for arm, scores in results["summary"].items()
    ]
    header = ["target", "arm", *(f"{TITLES[name]} pooled [95 %]" for name in measures)]
    return Table("targets", "Every target: r and CCC in %, and RMSE", header, rows)


def fold_table(results: Mapping[str, Any]) -> Table:
    """The scores of every fold, over its seeds."""
    arms, metrics = list(results["summary"]), headline(results)
    folds = list(dict.fromkeys(r["fold"] for r in results["replicas"]))
    rows = []
    for fold in folds:
        cells = [fold]
        for arm in arms:
            replicas = [
                r for r in results["replicas"] if r["fold"] == fold and r["arm"] == arm
            ]
            means = [float(np.mean([r[k] for r in replicas])) for k in metrics]
            cells += ["not measured" if np.isnan(x) else Number(x) for x in means]
        rows.append(cells)
    header = ["fold"] + [f"{arm} {TITLES[name]}" for arm in arms for name in metrics]
    return Table("folds", "Scores of every fold in %, mean over seeds", header, rows)


def pair_tables(results: Mapping[str, Any]) -> list[Table]:
    """UA (or the EER) of every source on every target, a table for each arm."""
    metric = headline(results)[-1]
    names = [replica["fold"].split(ARROW) for replica in results["replicas"]]
    sources, targets = (sorted(set(column)) for column in zip(*names, strict=True))
    tables = []
    for arm, scores in results["summary"].items():
        rows = []
        for source in sources:
            cells = [source]
            for target in targets:
                replicas = [
                    replica[metric]
                    for replica in results["replicas"]
                    if (replica["arm"], replica["fold"])
                    == (arm, f"{source}{ARROW}{target}")
                ]
                cells.append(Number(float(np.mean(replicas))) if replicas else "")
            rows.append(cells)
        mean = Number(scores[metric]["mean"]).main()
        header = [
            f"{arm} ({TITLES[metric]}; mean {mean})",
            *(f"on {name}" for name in targets),
        ]
        shown = f"{arm}: {TITLES[metric]} in %, from every source to every target"
        tables.append(Table(f"pairs_{arm}", shown, header, rows))
    return tables


def comparison_table(results: Mapping[str, Any]) -> Table:
    """Every arm against the baseline: difference, interval, p and verdict."""
    entries = results["comparisons"]
    several = len({entry["arm"] for entry in entries}) > 1
    corrected = several and any("p_corrected" in entry for entry in entries)
    rows = []
    for entry in entries:
        p_values = [entry["p_value"]]
        if corrected:
            p_values.append(entry.get("p_corrected", float("nan")))
        rows.append(
            [
                f"{entry['arm']} - {entry['against']}",
                title_of(entry["metric"]),
                Number(
                    entry["difference"], scale=scale_of(entry["metric"]), signed=True
                ),
                Interval(*entry["ci95"], scale_of(entry["metric"])),
                *(Number(p, scale=1.0, digits=3) for p in p_values),
                verdict_of(entry),
            ]
        )
    header = ["paired difference", "metric", "points", "[95 %]", "p"]
    header += ["p, Holm"] * corrected + ["verdict"]
    return Table("comparisons", "Paired differences of arms in points", header, rows)


def difference(entry: Mapping[str, Any]) -> Number:
    """A paired difference with its interval."""
    return Number(
        entry["difference"],
        interval=tuple(entry["ci95"]),
        scale=scale_of(entry["metric"]),
        signed=True,
    )


def over_seeds(results: Mapping[str, Any], arm: str, metric: str) -> Number:
    """The mean over folds, then seeds, with its spread where there are several."""
    score = results["summary"][arm][metric]
    std = score["std"] if distinct(results, "seed") > 1 else None
    return Number(score["mean"], std=std, scale=scale_of(metric))
