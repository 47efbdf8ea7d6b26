"""Data, features and protocol of a run, and the commands to reproduce it."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dann_jax.evaluation.unsupervised import described_choice
from dann_jax.report.elements import (
    Section,
    cautions,
    data_table,
    details,
    facts,
    flattened,
    note,
)
from dann_jax.report.markup import Markup, join, tag
from dann_jax.report.notes import caution
from dann_jax.report.run import RunFiles
from dann_jax.report.table import Number, Table


def data_section(run: RunFiles) -> Section:
    """Data, features and protocol."""
    data, protocol = run.analysis.get("data", {}), run.results["protocol"]
    replicas = run.results["replicas"]
    licence = run.config.get("bundle", {}).get("licence")
    transductive = "seen in training, without their labels (transductive)"
    pairs = [
        ("corpus", ", ".join(run.results["corpora"])),
        *((name, f"{data[name]:,}") for name in ("rows", "speakers") if name in data),
        ("licence", licence or "not recorded"),
        ("protocol", protocol["name"]),
        ("folds", str(len({replica["fold"] for replica in replicas}))),
        ("seeds", str(len({replica["seed"] for replica in replicas}))),
        (
            "test rows",
            transductive
            if protocol["transductive"]
            else "not seen in training (inductive)",
        ),
        ("selection", described_choice(protocol["selection"])),
        ("leaks allowed", ", ".join(protocol["allowed_leaks"]) or "none"),
    ]
    content = [
        facts(pairs),
        cautions("Who speaks", caution(run.results, "people")),
        _counts(data.get("labels", {})),
        *raters(run),
        _roles(data.get("roles", {}), run.results["protocol"]["transductive"]),
        _tree("How the features were made", data.get("provenance", {})),
    ]
    return Section("data", "Data", "Data and protocol", join(content))


def _counts(labels: Mapping[str, int]) -> Markup | None:
    if not labels:
        return None
    rows = [[label, str(count)] for label, count in labels.items()]
    return data_table(Table("labels", "Rows of every class", ["class", "rows"], rows))


def raters(run: RunFiles) -> list[Markup]:
    """How far several raters of the corpus agree, class by class."""
    record = run.analysis.get("raters")
    if not record:
        return []
    rows = [
        ("all", record["all"]),
        *record["classes"].items(),
        ("none (a tie, or no class)", record["unlabelled"]),
    ]
    table = Table(
        "raters",
        "How far the raters agree: entropy of their votes in bits",
        ["class", "rows", "mean entropy", "all agree, %"],
        [
            [
                name,
                of_class["rows"],
                Number(of_class["entropy"], scale=1.0),
                Number(of_class["agree"], digits=1),
            ]
            for name, of_class in rows
        ],
    )
    learned = "the share of each emotion" if record["learned"] else "the hard label"
    return [
        data_table(table),
        note(
            "0 bits: every rater of a row names the same emotion; 1 bit: two halves "
            f"name two. Trained on: {learned}. Scores: by the emotion named most often "
            "(or the table's own label); rows that tie are not scored."
        ),
    ]


def _roles(roles: Mapping[str, Mapping[str, int]], transductive: bool) -> Markup | None:
    if not roles:
        return None
    role_names = list(
        dict.fromkeys(name for counts in roles.values() for name in counts)
    )
    rows = [
        [fold, *(str(counts.get(argument, 0)) for argument in role_names)]
        for fold, counts in roles.items()
    ]
    title = "Rows of every role in every fold"
    if transductive:
        title += "; tested rows are seen in training too, without their labels"
    table = Table("roles", title, ["fold", *role_names], rows)
    return data_table(table)


def making_section(run: RunFiles) -> Section:
    """Commands, versions, timing, configuration."""
    environment = run.environment
    timing = run.results.get("timing", {})
    packages = environment.get("packages", {})
    pairs = [
        ("python", environment.get("python", "not recorded")),
        ("devices", ", ".join(environment.get("devices", [])) or "not recorded"),
        ("commit", environment.get("git_commit") or "not recorded"),
        *((name.replace("_", " "), _amount(name, v)) for name, v in timing.items()),
    ]
    content = [
        commands(run),
        facts(pairs),
        _tree("Versions of packages", packages),
        _tree("Configuration", run.config),
    ]
    return Section("reproduce", "Reproduce", "Reproduce", join(content))


def _amount(name: str, value: float) -> str:
    if name.endswith("_s") and "per" not in name:
        return f"{value:,.1f} s"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)


def commands(run: RunFiles) -> Markup:
    """The commands that reproduce the run and its report."""
    recorded = run.environment.get("command", [])
    lines = []
    if run.environment.get("git_commit"):
        lines.append(f"git checkout {run.environment['git_commit']}")
    # The program is recorded by the path that it had on its machine.
    lines.append(shlex.join(["dann-train", *recorded[1:]]))
    lines.append(shlex.join(["dann-report", f"--workdir={_workdir(run, recorded)}"]))
    return tag(
        "div",
        tag("pre", tag("code", "\n".join(lines)), tabindex=0),
        tag("button", "Copy", type="button", class_="copy needs-script"),
        class_="commands",
    )


def _workdir(run: RunFiles, recorded: Sequence[str]) -> str:
    """The work directory of the run: as configured, else the default."""
    for index, argument in enumerate(recorded):
        flag, given, value = argument.partition("=")
        if flag in ("--workdir", "-workdir"):
            return value if given else recorded[index + 1]
    return f"runs/{run.name}"


def _tree(title: str, value: Mapping[str, Any]) -> Markup | None:
    """A nested mapping, a dotted key a row."""
    rows = [[key, text] for key, text in flattened(value)]
    if not rows:
        return None
    return details(title, data_table(Table("tree", title, ["key", "value"], rows)))
