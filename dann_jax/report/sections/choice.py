"""What was chosen on training speakers held out, and what the choice was worth."""

from dann_jax.report.choice_tables import choice_tables
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
        note(
            "Inner UA: training speakers of the fold held out in turn, its tested "
            "speakers never seen. Ahead by: of the best other; below zero where a "
            "plainer one, as good within one standard error, was taken. In hindsight: "
            "by the labels of the tested speakers, which chose nothing."
        ),
        candidates,
        note(
            "Gap: UA on tested speakers less inner UA; inner models learn from fewer "
            "speakers. Folds: in how many the candidate was chosen. Of a single "
            "candidate the best UA is picked by what it is scored on; of the chosen "
            "it is not."
        ),
    ]
    return Section("choice", "Choice", "Choice of settings", join(content))
