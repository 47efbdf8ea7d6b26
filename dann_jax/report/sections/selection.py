"""Which epoch other rules of selection would have kept, and how good it was."""

from collections.abc import Mapping, Sequence
from typing import Any

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
            f"This run kept what “{chosen}” selects. The oracle looks at test "
            "labels: it is a bound and no result."
        ),
        data_table(selection_table(entries)),
    ]
    return Section("selection", "Selection", "Selection", join(content))


def selection_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Test scores of what every criterion keeps."""
    arms = list(dict.fromkeys(entry["arm"] for entry in entries))
    criteria = dict.fromkeys(entry["criterion"] for entry in entries)
    found = {(entry["arm"], entry["criterion"]): entry for entry in entries}
    metrics = [m for m in ("ua", "wa") if any(m in entry for entry in entries)]
    rows = []
    for criterion in criteria:
        cells = [criterion]
        for arm in arms:
            entry = found.get((arm, criterion), {})
            cells += [Number(entry.get(m, float("nan"))) for m in metrics]
        rows.append(cells)
    header = ["criterion"] + [f"{arm} {m.upper()}" for arm in arms for m in metrics]
    return Table("selection", "Test scores in % of what each rule keeps", header, rows)
