"""What can be said of a target that has no labels."""

from dann_jax.report.elements import Section, data_table, note
from dann_jax.report.markup import join, tag
from dann_jax.report.run import RunFiles
from dann_jax.report.target import target_sentence, target_tables


def target_section(run: RunFiles) -> Section | None:
    """Warnings, what was measured without labels, and the predicted balance."""
    target = run.results.get("target")
    if not target:
        return None
    warnings = target.get("warnings", [])
    content = [
        tag("p", target_sentence(run.results)),
        tag("ul", (tag("li", text) for text in warnings), class_="diagnoses")
        if warnings
        else None,
        map(data_table, target_tables(run.results)),
        note(
            "Confidence is the mean probability of the predicted class. Where "
            "confidence or the agreement of seeds is much lower than on held-out "
            "source speakers, expect more errors than there. A-distance: 0 where a "
            "classifier cannot distinguish target and source, 2 where it always can; "
            "a small one does not mean that emotions are told apart. Classes may be "
            "more or less frequent in the target than in the source: a predicted "
            "balance that differs is no error by itself."
        ),
    ]
    title = "Without labels of the target" if "summary" not in target else "The target"
    return Section("target", "Target", title, join(content))
