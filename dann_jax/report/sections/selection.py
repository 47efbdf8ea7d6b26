"""What criteria without labels say of the final networks, beside the truth."""

from dann_jax.evaluation.unsupervised import described_choice
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
            f"The steps of this run were chosen by: {described_choice(chosen)}. Below, "
            "the value of every criterion for the arms as they ended; higher is "
            "better, each in its own unit. The oracle looks at test labels: it is a "
            "bound and no result."
        ),
        data_table(selection_table(entries)),
    ]
    return Section("selection", "Selection", "Selection", join(content))
