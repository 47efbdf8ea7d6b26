"""What an adversary hides beside what it gains: a figure over strengths.

    dann-train --config=configs/lian2019.py:strengths --workdir=runs/strengths \
        --config.data.source=DIR
    dann-evaluate --workdir=runs/strengths --replicas=5
    python -m benchmarks.strength --workdir=runs/strengths --figure=docs/strength.svg

Across: how often a fresh probe finds the speaker in the features of the encoder, mean
and standard deviation over the probed replicas. Up: UA of all test rows, with its
interval.
"""

import argparse
from collections.abc import Mapping
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from dann_jax.report.run import RunFiles, read_run


class Point(NamedTuple):
    """One arm: its strength, what a probe finds, and its UA with the interval."""

    strength: float
    probe: float
    spread: float
    ua: float
    ends: tuple[float, float]


def points(run: RunFiles, adversary: str, column: str, kind: str) -> dict[str, Point]:
    """Arm -> its point.

    Args:
      run: a finished and analysed run.
      adversary: whose strength it is.
      column: what the probe looks for.
      kind: `logistic` or `network`.
    """
    found = {}
    for arm, scores in run.results["summary"].items():
        record = _record(run.analysis, arm, column, kind)
        found[arm] = Point(
            run.config["arms"][arm].get(adversary, 0.0),
            record["accuracy"],
            record["std"],
            scores["ua"]["pooled"],
            tuple(scores["ua"]["ci95"]),
        )
    return found


def _record(
    analysis: Mapping[str, Any], arm: str, column: str, kind: str
) -> Mapping[str, Any]:
    wanted = (arm, "encoder", column, kind)
    for record in analysis["probes"]:
        names = (record[key] for key in ("arm", "place", "column", "probe"))
        if tuple(names) == wanted:
            return record
    raise ValueError(f"no {kind} probe for {column!r} of {arm!r} in analysis.json")


def table(found: Mapping[str, Point]) -> str:
    """The points in Markdown, in per cent."""
    lines = ["| strength | speaker probe | UA [95 %] |", "|---|---|---|"]
    for point in found.values():
        low, high = point.ends
        lines.append(
            f"| {point.strength:g} | {100 * point.probe:.1f} ± {100 * point.spread:.1f}"
            f" | {100 * point.ua:.2f} [{100 * low:.2f}, {100 * high:.2f}] |"
        )
    return "\n".join(lines)


def draw(found: Mapping[str, Point], chance: float, path: str, title: str) -> None:
    """Write the figure to `path` (.svg, .png or .pdf)."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for point in found.values():
        ends = [[100 * (point.ua - point.ends[0])], [100 * (point.ends[1] - point.ua)]]
        axis.errorbar(
            100 * point.probe,
            100 * point.ua,
            xerr=100 * point.spread,
            yerr=ends,
            fmt="o",
            label=f"{point.strength:g}",
            elinewidth=0.8,
        )
    axis.axvline(100 * chance, color="0.5", linestyle=":", label="chance")
    axis.set_xlabel("speaker found by a fresh probe at the encoder (%)")
    axis.set_ylabel("UA, all test rows (%)")
    axis.set_title(title, fontsize=9)
    axis.legend(frameon=False, title="strength", loc="center", ncols=2)
    axis.grid(alpha=0.3)
    figure.savefig(path)


def main() -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--figure", required=True)
    parser.add_argument("--adversary", default="speaker")
    parser.add_argument("--column", default="speaker")
    parser.add_argument("--kind", default="logistic")
    options = parser.parse_args()
    run = read_run(options.workdir)
    found = points(run, options.adversary, options.column, options.kind)
    chance = _record(run.analysis, run.arms[0], options.column, options.kind)["chance"]
    corpora = ", ".join(run.results["corpora"])
    epochs = run.config["timetable"]["epochs"]
    title = f"{run.results['system']} on {corpora}, {epochs} epochs"
    draw(found, chance, options.figure, title)
    print(f"{table(found)}\n\nchance: {100 * chance:.1f}")


if __name__ == "__main__":
    main()
