"""The learning curves of a run, ready to be drawn."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from dann_jax.evaluation.verdicts import scale_of
from dann_jax.report.headings import TITLES
from dann_jax.report.run import RunFiles

MAX_POINTS = 150
"""More epochs than this are thinned out: a panel is not wider in dots."""

_WORDS = {
    "loss": "loss",
    "accuracy": "accuracy",
    "ccc": "concordance",
    "strength": "strength",
    "gradient": "gradient norm at the encoder",
    "cosine": "cosine with the label's gradient",
}


class Series(NamedTuple):
    """The curve of one arm.

    Attributes:
      arm: its name.
      epochs: where it was measured.
      mean: over replicas, at each.
      std: over replicas, at each; empty where it was not recorded.
    """

    arm: str
    epochs: list[float]
    mean: list[float]
    std: list[float]


class Panel(NamedTuple):
    """One metric of all arms.

    Attributes:
      metric: its name in `metrics.jsonl`, without the arm.
      title: what it is.
      series: one an arm.
      reference: what guessing would give, with the word for it; None if not known.
    """

    metric: str
    title: str
    series: list[Series]
    reference: tuple[str, float] | None


def families(run: RunFiles) -> dict[str, list[Panel]]:
    """The curves of a run: of the task first, then of each adversary or penalty."""
    by_family: dict[str, list[Panel]] = {}
    for metric in _metrics(run):
        series = [_series(run, arm, metric) for arm in run.arms]
        series = [one for one in series if one.mean]
        # A strength or a penalty that no arm has is no curve.
        if all(value == 0.0 for one in series for value in one.mean):
            continue
        panel = Panel(metric, _title(metric), series, _reference(run, metric))
        by_family.setdefault(_family(metric), []).append(panel)
    order = sorted(by_family, key=lambda name: name != "label")
    return {name: by_family[name] for name in order}


def _metrics(run: RunFiles) -> list[str]:
    """Names of metrics without the arm, in the order of their first appearance."""
    names: dict[str, None] = {}
    for line in run.epochs:
        for key in line:
            arm, _, metric = key.partition("/")
            if arm in run.arms and metric and not metric.endswith("/std"):
                names[metric] = None
    return list(names)


def _family(metric: str) -> str:
    kind, _, name = metric.partition("/")
    return "label" if kind == "validation" or not name else name


def _title(metric: str) -> str:
    kind, _, name = metric.partition("/")
    unit = " in %" if _scale(metric) == 100.0 else ""
    if kind == "validation":
        return f"Validation: {TITLES.get(name, name.replace('_', ' '))}{unit}"
    if not name:
        return f"Total {kind}" if kind == "loss" else kind
    owner = "Label" if name == "label" else name
    description = _WORDS.get(kind, kind.replace("_", " "))
    return (
        f"{owner}: {description}{' in training,' if kind == 'accuracy' else ''}{unit}"
    )


def _scale(metric: str) -> float:
    """100 for what is shown in per cent."""
    kind, _, name = metric.partition("/")
    if kind == "validation" and name in TITLES:
        return scale_of(name)
    return 100.0 if kind in ("accuracy", "ccc") else 1.0


def _reference(run: RunFiles, metric: str) -> tuple[str, float] | None:
    kind, _, name = metric.partition("/")
    known: Mapping[str, Any] = run.analysis.get("domains", {}).get(name, {})
    words = {"accuracy": ("chance", "chance"), "loss": ("guess_loss", "guessing")}
    if kind == "cosine":
        return "orthogonal", 0.0
    key, description = words.get(kind, ("", ""))
    value = known.get(key, math.nan)
    return None if math.isnan(value) else (description, _scale(metric) * value)


def _series(run: RunFiles, arm: str, metric: str) -> Series:
    key = f"{arm}/{metric}"
    lines = [line for line in run.epochs if _finite(line.get(key))]
    step = math.ceil(len(lines) / MAX_POINTS) or 1
    lines = [*lines[:-1:step], *lines[-1:]]
    scale = _scale(metric)
    spread = [line.get(f"{key}/std") for line in lines]
    return Series(
        arm,
        [line.get("epoch", line.get("step", 0)) for line in lines],
        [scale * line[key] for line in lines],
        [scale * value for value in spread] if all(map(_finite, spread)) else [],
    )


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
