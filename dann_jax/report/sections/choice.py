"""What was chosen on training speakers held out, and what the choice was worth."""

from urllib.parse import quote

from dann_jax.report.choice_tables import CHOICES, GAP, choice_tables
from dann_jax.report.elements import Section, data_table, note
from dann_jax.report.markup import Markup, join, tag
from dann_jax.report.run import SETTINGS, RunFiles


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
        _settings(run),
    ]
    return Section("choice", "Choice", "Choice of settings", join(content))


def _settings(run: RunFiles) -> Markup:
    """Whose curves and maps this page has, and the pages of all settings."""
    choice = run.results["choice"]
    names = dict.fromkeys(own["setting"] for own in choice["candidates"].values())
    shown = choice["recommended"]["setting"]
    sections = "Domains, Learning, the scores of each speaker, Maps and Selection"
    text = f"{sections} on this page are of the setting {shown}, as far as recorded."
    links = (
        tag("li", tag("a", name, href=f"{SETTINGS}/{quote(name)}/report.html"))
        for name in names
    )
    own = " Every setting has a page of its own:"
    return join([note(text, own), tag("ul", links)])
