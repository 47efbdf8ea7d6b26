"""What label-free criteria think of the final networks, beside what is true."""

from collections.abc import Mapping, Sequence
from typing import Any

from dann_jax.evaluation.unsupervised import described_choice
from dann_jax.report.elements import Section, data_table, note
from dann_jax.report.markup import join
from dann_jax.report.run import Run
from dann_jax.report.table import Number, Table


def selection_section(run: Run) -> Section | None:
    """A table of criteria and arms."""
    entries = run.analysis.get("selection", [])
    if not entries:
        return None
    chosen = run.results["protocol"]["selection"]
    content = [
        note(
            f"The steps of this run were chosen by: {described_choice(chosen)}. Below, "
            "what every criterion would say of the arms as they ended; more is better "
            "in its own unit. The oracle looks at test labels: it is a bound and no "
            "result."
        ),
        data_table(selection_table(entries)),
    ]
    return Section("selection", "Selection", "Selection", join(content))


def selection_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Values of every criterion, the arm that it prefers, and the UA of that arm."""
    arms = list(dict.fromkeys(entry["arm"] for entry in entries))
    rows = []
    for criterion in dict.fromkeys(entry["criterion"] for entry in entries):
        own = [entry for entry in entries if entry["criterion"] == criterion]
        value = {entry["arm"]: entry["value"] for entry in own}
        best = max(own, key=lambda entry: entry["value"])
        absent = float("nan")
        cells = [Number(value.get(arm, absent), scale=1.0, digits=3) for arm in arms]
        ua = Number(best.get("ua", absent))
        rows.append([criterion, *cells, best["arm"], ua])
    header = ["criterion", *arms, "prefers", "its UA in %"]
    return Table("selection", "What each criterion says of the arms", header, rows)
