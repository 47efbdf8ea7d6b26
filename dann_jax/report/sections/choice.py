"""What was chosen on training speakers held out, and what the choice was worth."""

from dann_jax.report.choice_tables import CHOICES, GAP, choice_tables
from dann_jax.report.elements import Section, data_table, note
from dann_jax.report.markup import join, tag
from dann_jax.report.run import RunFiles


def choice_section(run: RunFiles) -> Section | None:
    """The recommendation in two sentences, and the tables of the choice."""
    if "choice" not in run.results:
        return None
    chosen, candidates = map(data_table, choice_tables(run.results))
    content = [
        (tag("p", line) for line in run.results["choice"]["recommended"]["why"]),
        chosen,
        note(CHOICES),
        candidates,
        note(GAP),
    ]
    return Section("choice", "Choice", "Choice of settings", join(content))
