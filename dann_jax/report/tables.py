"""The tables that a run prints."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dann_jax.evaluation.effects import verdict

ARROW = " -> "
"""Between source and target in the name of a fold."""


def result_table(results: Mapping[str, Any]) -> str:
    """The whole result in Markdown: arms, folds, comparisons, and what to know of them.

    Args:
      results: as in `results.json`.
    """
    parts = [_heading(results), _arms(results)]
    if len({replica["fold"] for replica in results["replicas"]}) > 1:
        pairs = all(ARROW in replica["fold"] for replica in results["replicas"])
        parts.append(_pairs(results) if pairs else _folds(results))
    if results["comparisons"]:
        parts.append(_comparisons(results))
    return "\n\n".join(parts)


def side_by_side(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Every arm of several runs in one Markdown table, with its paired difference.

    Args:
      runs: name -> results, as in `results.json`.
    """
    rows = []
    for name, results in runs.items():
        gains = {
            (entry["arm"], entry["metric"]): f"{100 * entry['difference']:+.2f} "
            f"{_interval(entry['ci95'])}"
            for entry in results["comparisons"]
        }
        for arm, scores in results["summary"].items():
            cells = [name, arm]
            for metric in ("wa", "ua"):
                cells += [
                    f"{_percent(scores[metric]['mean'])} ± "
                    f"{_percent(scores[metric]['std'])}",
                    gains.get((arm, metric), ""),
                ]
            rows.append(cells)
    header = ["run", "arm", "WA", "gain [95 %]", "UA", "gain [95 %]"]
    return _markdown(header, rows)


def _heading(results: Mapping[str, Any]) -> str:
    protocol = results["protocol"]
    replicas = results["replicas"]
    notes = [
        f"{len({r['fold'] for r in replicas})} folds",
        f"{len({r['seed'] for r in replicas})} seeds",
        "transductive: test rows are seen in training without their labels"
        if protocol["transductive"]
        else "inductive: test rows are not seen in training",
        f"selection: {protocol['selection']}",
    ]
    if protocol["allowed_leaks"]:
        notes.append(
            f"LEAK ALLOWED: train and test share {', '.join(protocol['allowed_leaks'])}"
        )
    title = f"{results['system']} on {', '.join(results['corpora'])}"
    return f"{title}, {protocol['name']} ({'; '.join(notes)})"


def _arms(results: Mapping[str, Any]) -> str:
    rows = []
    for arm, scores in results["summary"].items():
        cells = [arm]
        for metric in ("wa", "ua", "macro_f1"):
            score = scores[metric]
            cells.append(f"{_percent(score['mean'])} ± {_percent(score['std'])}")
            if metric != "macro_f1":
                cells.append(f"{_percent(score['pooled'])} {_interval(score['ci95'])}")
        probes = [r["domain_probe"] for r in results["replicas"] if r["arm"] == arm]
        found, chance = (
            np.mean([p[k] for p in probes]) for k in ("accuracy", "chance")
        )
        cells.append(f"{_percent(found)} ({_percent(chance)})")
        rows.append(cells)
    header = ["arm", "WA", "WA pooled [95 %]", "UA", "UA pooled [95 %]", "F1"]
    header.append("speaker probe (chance)")
    return _markdown(header, rows)


def _folds(results: Mapping[str, Any]) -> str:
    arms = list(results["summary"])
    folds = list(dict.fromkeys(r["fold"] for r in results["replicas"]))
    rows = []
    for fold in folds:
        cells = [fold]
        for arm in arms:
            own = [
                r for r in results["replicas"] if r["fold"] == fold and r["arm"] == arm
            ]
            cells += [_percent(np.mean([r[k] for r in own])) for k in ("wa", "ua")]
        rows.append(cells)
    header = ["fold"] + [f"{arm} {metric}" for arm in arms for metric in ("WA", "UA")]
    return _markdown(header, rows)


def _pairs(results: Mapping[str, Any]) -> str:
    """UA of every source on every target, a table for each arm."""
    names = [replica["fold"].split(ARROW) for replica in results["replicas"]]
    sources, targets = (sorted(set(column)) for column in zip(*names, strict=True))
    tables = []
    for arm, scores in results["summary"].items():
        rows = []
        for source in sources:
            cells = [source]
            for target in targets:
                own = [
                    replica["ua"]
                    for replica in results["replicas"]
                    if (replica["arm"], replica["fold"])
                    == (arm, f"{source}{ARROW}{target}")
                ]
                cells.append(_percent(np.mean(own)) if own else "")
            rows.append(cells)
        mean = _percent(scores["ua"]["mean"])
        header = [f"{arm} (UA; mean {mean})", *(f"on {name}" for name in targets)]
        tables.append(_markdown(header, rows))
    return "\n\n".join(tables)


def _comparisons(results: Mapping[str, Any]) -> str:
    rows = []
    for entry in results["comparisons"]:
        rows.append(
            [
                f"{entry['arm']} - {entry['against']}",
                entry["metric"].upper(),
                f"{100 * entry['difference']:+.2f}",
                _interval(entry["ci95"]),
                f"{entry['p_value']:.3f}",
                verdict(entry["ci95"]),
            ]
        )
    header = ["paired difference", "metric", "points", "[95 %]", "p", "verdict"]
    return _markdown(header, rows)


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _interval(pair: list[float]) -> str:
    return f"[{100 * pair[0]:.2f}, {100 * pair[1]:.2f}]"


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: list[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width) for width in widths]
    return "\n".join(map(line, [header, rule, *rows]))
