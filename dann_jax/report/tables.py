"""The tables that a run prints."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dann_jax.evaluation.effects import is_error, verdict

ARROW = " -> "
"""Between source and target in the name of a fold."""

TITLES = {
    "wa": "WA",
    "ua": "UA",
    "macro_f1": "F1",
    "eer_cosine": "EER, cosine",
    "min_dcf_cosine": "minDCF, cosine",
    "eer_plda": "EER, PLDA",
    "min_dcf_plda": "minDCF, PLDA",
}
"""What tables call a metric of `results.json`."""


def headline(results: Mapping[str, Any]) -> tuple[str, str]:
    """The two metrics that stand for a result.

    Example:
      >>> headline({"summary": {"dann": {"wa": {}, "ua": {}}}})
      ('wa', 'ua')
    """
    found = next(iter(results["summary"].values()))
    return ("wa", "ua") if "wa" in found else ("eer_cosine", "eer_plda")


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

    Raises:
      ValueError: some runs classify and others verify.
    """
    metrics = {headline(results) for results in runs.values()}
    if len(metrics) != 1:
        raise ValueError("runs that classify and runs that verify share no table")
    (metrics,) = metrics
    rows = []
    for name, results in runs.items():
        gains = {
            (entry["arm"], entry["metric"]): f"{100 * entry['difference']:+.2f} "
            f"{_interval(entry['ci95'])}"
            for entry in results["comparisons"]
        }
        for arm, scores in results["summary"].items():
            cells = [name, arm]
            for metric in metrics:
                cells += [
                    f"{_percent(scores[metric]['mean'])} ± "
                    f"{_percent(scores[metric]['std'])}",
                    gains.get((arm, metric), ""),
                ]
            rows.append(cells)
    gain = "difference [95 %]" if is_error(metrics[0]) else "gain [95 %]"
    header = ["run", "arm"]
    for metric in metrics:
        header += [TITLES[metric], gain]
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
    if is_error(headline(results)[0]):
        notes.append("error rates in %: lower is better")
    title = f"{results['system']} on {', '.join(results['corpora'])}"
    return f"{title}, {protocol['name']} ({'; '.join(notes)})"


def _arms(results: Mapping[str, Any]) -> str:
    main, rows = headline(results), []
    metrics = [
        name for name in TITLES if name in next(iter(results["summary"].values()))
    ]
    for arm, scores in results["summary"].items():
        cells = [arm]
        for metric in metrics:
            score = scores[metric]
            cells.append(f"{_percent(score['mean'])} ± {_percent(score['std'])}")
            if metric in main:
                cells.append(f"{_percent(score['pooled'])} {_interval(score['ci95'])}")
        probes = [r["domain_probe"] for r in results["replicas"] if r["arm"] == arm]
        found, chance = (
            np.mean([p[k] for p in probes]) for k in ("accuracy", "chance")
        )
        cells.append(f"{_percent(found)} ({_percent(chance)})")
        rows.append(cells)
    header = ["arm"]
    for metric in metrics:
        header.append(TITLES[metric])
        if metric in main:
            header.append(f"{TITLES[metric]} pooled [95 %]")
    header.append(f"{results.get('probed', 'speaker')} probe (chance)")
    return _markdown(header, rows)


def _folds(results: Mapping[str, Any]) -> str:
    arms, metrics = list(results["summary"]), headline(results)
    folds = list(dict.fromkeys(r["fold"] for r in results["replicas"]))
    rows = []
    for fold in folds:
        cells = [fold]
        for arm in arms:
            own = [
                r for r in results["replicas"] if r["fold"] == fold and r["arm"] == arm
            ]
            cells += [_percent(np.mean([r[k] for r in own])) for k in metrics]
        rows.append(cells)
    header = ["fold"] + [f"{arm} {TITLES[name]}" for arm in arms for name in metrics]
    return _markdown(header, rows)


def _pairs(results: Mapping[str, Any]) -> str:
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
                own = [
                    replica[metric]
                    for replica in results["replicas"]
                    if (replica["arm"], replica["fold"])
                    == (arm, f"{source}{ARROW}{target}")
                ]
                cells.append(_percent(np.mean(own)) if own else "")
            rows.append(cells)
        mean = _percent(scores[metric]["mean"])
        header = [
            f"{arm} ({TITLES[metric]}; mean {mean})",
            *(f"on {name}" for name in targets),
        ]
        tables.append(_markdown(header, rows))
    return "\n\n".join(tables)


def _comparisons(results: Mapping[str, Any]) -> str:
    rows = []
    for entry in results["comparisons"]:
        rows.append(
            [
                f"{entry['arm']} - {entry['against']}",
                TITLES[entry["metric"]],
                f"{100 * entry['difference']:+.2f}",
                _interval(entry["ci95"]),
                f"{entry['p_value']:.3f}",
                verdict(entry["ci95"], entry["metric"]),
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
