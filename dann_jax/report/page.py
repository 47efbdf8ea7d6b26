"""The HTML page of a run: one file without external parts."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from dann_jax.evaluation.unsupervised import ORACLE
from dann_jax.report.colours import arm_class, style
from dann_jax.report.elements import Section
from dann_jax.report.markup import Child, Markup, tag
from dann_jax.report.run import RunFiles
from dann_jax.report.sections.calibration import calibration_section
from dann_jax.report.sections.choice import choice_section
from dann_jax.report.sections.hiding import hiding_section
from dann_jax.report.sections.layers import layers_section
from dann_jax.report.sections.learning import learning_section, selection_section
from dann_jax.report.sections.maps import maps_section
from dann_jax.report.sections.origin import data_section, making_section
from dann_jax.report.sections.outcome import outcome_section
from dann_jax.report.sections.people import people_section
from dann_jax.report.sections.target import target_section
from dann_jax.report.summary import hiding_sentence, score_sentence
from dann_jax.report.tables import title as name_of
from dann_jax.report.verdict import run_verdict, sentences
from dann_jax.tasks.oracle import leak_notes

SECTIONS = (
    outcome_section,
    target_section,
    choice_section,
    hiding_section,
    layers_section,
    learning_section,
    people_section,
    calibration_section,
    maps_section,
    selection_section,
    data_section,
    making_section,
)
"""Functions from a run to a section, or None, in the order of the page."""

# The browser itself refuses whatever is not in the file.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:"
)


def report_page(run: RunFiles) -> str:
    """The whole report of a run as HTML.

    Args:
      run: see `read_run`; whatever of it was not recorded is left out.
    """
    sections = [section for make in SECTIONS if (section := make(run))]
    heading = name_of(run.results)
    head = [
        tag("p", run.results["protocol"]["name"], class_="eyebrow"),
        tag("h1", heading),
        tag("p", run_verdict(run.results), class_="verdict"),
        _said(run),
        leak_banner(run.results["protocol"]),
    ]
    return page(heading, head, sections, arms=run.arms)


def _said(run: RunFiles) -> Markup | None:
    """The main numbers, below the verdict."""
    differences = sentences(run.results)
    lines = differences if len(differences) <= 2 else []
    lines = [*lines, score_sentence(run.results), hiding_sentence(run)]
    lines = [line for line in lines if line]
    if not lines:
        return None
    return tag("ul", (tag("li", line) for line in lines), class_="said")


def leak_banner(
    protocol: Mapping[str, Any], title: str = "Leak allowed."
) -> Markup | None:
    """The banner of a run with an allowed leak."""
    warnings, notes = [], leak_notes(protocol["allowed_leaks"])
    if notes:
        warnings.append(f" {'. '.join(notes)}. The scores do not hold for new ones.")
    if protocol["selection"] == ORACLE:
        warnings.append(
            " The labels of tested rows chose which parameters are kept. The scores "
            "are a bound and no result."
        )
    if not warnings:
        return None
    return tag("div", tag("strong", title), *warnings, role="alert", class_="leak")


def page(
    name: str, head: Child, sections: Sequence[Section], *, arms: Sequence[str] = ()
) -> str:
    """A page of sections.

    Args:
      name: of the page.
      head: what stands above the sections.
      sections: in order.
      arms: that can be hidden; of one there is no choice.
    """
    assets = resources.files("dann_jax.report") / "assets"
    sheet = (assets / "style.css").read_text(encoding="utf-8")
    scripts = [
        (assets / file).read_text(encoding="utf-8") for file in ("page.js", "maps.js")
    ]
    body = tag(
        "body",
        tag("a", "Skip to the results", href="#main", class_="skip"),
        tag("header", tag("div", head, class_="head"), class_="top"),
        _bar(sections, arms),
        tag("main", map(_section, sections), id="main"),
        tag(
            "footer",
            "Made by dann-report. Emotion recognition is unreliable, above all across "
            "people and cultures; do not use it to judge anybody.",
        ),
        (tag("script", Markup(text)) for text in scripts),
    )
    document = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", f"{name} – report"),
            tag("link", rel="icon", href="data:,"),
            tag("style", Markup(sheet + style())),
        ),
        body,
        lang="en",
    )
    return f"<!DOCTYPE html>\n{document}\n"


def _section(section: Section) -> Markup:
    heading = tag("h2", section.title, id=f"{section.name}-title")
    return tag(
        "section",
        heading,
        section.content,
        id=section.name,
        aria_labelledby=f"{section.name}-title",
    )


def _bar(sections: Sequence[Section], arms: Sequence[str]) -> Markup:
    """The table of contents, which arms are drawn, and the theme."""
    links = (
        tag("li", tag("a", section.short, href=f"#{section.name}"))
        for section in sections
    )
    boxes = (
        tag(
            "label",
            tag("input", type="checkbox", checked=True, data_arm=index),
            tag("span", class_=f"swatch {arm_class(index)}"),
            arm,
        )
        for index, arm in enumerate(arms)
    )
    choice = tag(
        "fieldset",
        tag("legend", "Arms drawn"),
        boxes,
        class_="arms needs-script",
    )
    theme = tag(
        "button",
        "Dark",
        type="button",
        id="theme",
        aria_pressed="false",
        class_="needs-script",
    )
    return tag(
        "nav",
        tag("ul", links),
        choice if len(arms) > 1 else None,
        theme,
        aria_label="Contents",
    )
