"""Which epoch other rules of selection would have kept, and how good it was."""

from dann_jax.report.analysis_tables import selection_table
from dann_jax.report.elements import Section, data_table, note
from dann_jax.report.markup import join
from dann_jax.report.run import Run


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
