"""The tables and the figure of the leak study, from what its runs left."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.leak_settings import CONTROLS, CORPORA, RUNS
from benchmarks.studies.contrasts import contrast
from benchmarks.timing import table
from dann_jax.evaluation.statistics import pooled
from dann_jax.evaluation.verdicts import verdict

ARMS = ("source_only", "dann")
METRICS = ("ua", "wa")

Found = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Corpus -> run -> `counts` of each arm `[seeds, speakers, classes, classes]`, and
`protocol` and `rows` of the first seed."""

VERDICTS = {"better": "raises the gain", "worse": "lowers the gain"}
"""What a leak does to what the adversary gains, by the word of `verdict`."""


def load(output: pathlib.Path) -> Found:
    """The runs of each corpus over the seeds in which all of them are complete."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in CORPORA:
        paths = {
            word: sorted(output.glob(f"{name}/{word}/*/scores.json")) for word in RUNS
        }
        seeds = [{path.parent.name for path in own} for own in paths.values()]
        complete = set.intersection(*seeds)
        for word, own in paths.items() if complete else ():
            read = [json.loads(p.read_text()) for p in own if p.parent.name in complete]
            counts = {
                arm: np.array([run["counts"][arm] for run in read], float)
                for arm in ARMS
            }
            found.setdefault(name, {})[word] = {**read[0], "counts": counts}
    return found


def tables(found: Found) -> str:
    """The runs, the worth of each leak, and what it does to the adversary's gain."""
    runs = ["corpus", "run", "seeds", "labelled rows in a fold", "tested rows"]
    worths = ["corpus", "leak", *(f"{m.upper()}, {a}" for m in METRICS for a in ARMS)]
    gains = ["corpus", "leak", "gain, honest", "gain, leaky", "difference", ""]
    return "\n\n".join(
        [
            "UA / WA of every run, in %:",
            table([*runs, *ARMS], _runs(found)),
            "What a leak adds, in points [95 %]:",
            table(worths, _worths(found)),
            "What the adversary gains (dann - source_only), in points of UA [95 %]:",
            table(gains, _gains(found)),
        ]
    )


def _runs(found: Found) -> list[list[str]]:
    rows = []
    for name, runs in found.items():
        for word, run in runs.items():
            cells = [name, _marked(word, run), str(len(run["counts"][ARMS[0]]))]
            cells += [f"{run['rows']['labelled']:.0f}", str(run["rows"]["tested"])]
            for arm in ARMS:
                scores = [100 * pooled(run["counts"][arm], m) for m in METRICS]
                cells.append(" / ".join(f"{score:.1f}" for score in scores))
            rows.append(cells)
    return rows


def _worths(found: Found) -> list[list[str]]:
    return [
        [name, _marked(leak, runs[leak])]
        + [
            _points(worth(runs, leak, arm, metric))
            for metric in METRICS
            for arm in ARMS
        ]
        for name, runs in found.items()
        for leak in CONTROLS
    ]


def _gains(found: Found) -> list[list[str]]:
    rows = []
    for name, runs in found.items():
        for leak, control in CONTROLS.items():
            more = gain(runs[leak], runs[control])
            said = verdict(more["ci95"])
            shown = [gain(runs[control]), gain(runs[leak]), more]
            rows.append([name, _marked(leak, runs[leak]), *map(_points, shown)])
            rows[-1].append(VERDICTS.get(said, said))
    return rows


def worth(
    runs: Mapping[str, Mapping[str, Any]], leak: str, arm: str, metric: str
) -> dict[str, Any]:
    """What an arm scores more with a leak than without, as from `contrast`."""
    leaky, honest = (runs[word]["counts"][arm] for word in (leak, CONTROLS[leak]))
    return contrast([(1.0, leaky), (-1.0, honest)], metric)


def gain(
    run: Mapping[str, Any], control: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The adversary's gain in UA; with a control, how much larger it is than there."""
    plain, adversary = (run["counts"][arm] for arm in ARMS)
    terms = [(1.0, adversary), (-1.0, plain)]
    if control is not None:
        plain, adversary = (control["counts"][arm] for arm in ARMS)
        terms += [(-1.0, adversary), (1.0, plain)]
    return contrast(terms, "ua")


def _marked(word: str, run: Mapping[str, Any]) -> str:
    """A run's name; where its own protocol allows leaks, these in its place."""
    leaks = run["protocol"]["allowed_leaks"]
    return f"LEAK: {', '.join(leaks)}" if leaks else word


def _points(found: Mapping[str, Any]) -> str:
    low, high = (100 * end for end in found["ci95"])
    return f"{100 * found['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"


def draw(found: Found, path: str) -> None:
    """A forest plot: a panel for each corpus, a row for each leak, both arms."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for axis, (name, runs) in zip(panels, found.items(), strict=True):
        styles = ((-0.15, "o", "C0"), (0.15, "s", "C1"))
        for arm, (shift, mark, colour) in zip(ARMS, styles, strict=True):
            known = [worth(runs, leak, arm, "ua") for leak in CONTROLS]
            points = np.array([[each["difference"], *each["ci95"]] for each in known])
            middle, low, high = 100 * points.T
            places = np.arange(len(CONTROLS)) + shift
            axis.hlines(places, low, high, colour)
            axis.plot(middle, places, mark, color=colour, markersize=5, label=arm)
        axis.axvline(0.0, color="0.6", linewidth=1)
        seeds = len(runs["honest"]["counts"][ARMS[0]])
        axis.set_title(f"{name}, seeds: {seeds}", fontsize=10)
        axis.set_yticks(range(len(CONTROLS)), [f"LEAK: {leak}" for leak in CONTROLS])
        axis.grid(axis="x", alpha=0.3)
    panels[0].invert_yaxis()
    panels[-1].legend(fontsize=8)
    figure.supxlabel("points of UA that a leak adds, with 95 % intervals", fontsize=10)
    figure.savefig(path)
