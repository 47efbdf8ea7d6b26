"""From the curves and the probes of a run to the diagnoses of each arm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.analysis.sample import Sample
from dann_jax.evaluation.diagnosis import Measured, diagnose
from dann_jax.training.replicas import ReplicaLayout

_NAN = float("nan")


def diagnoses(
    analysis: Mapping[str, Any],
    sample: Sample,
    metrics: Sequence[Mapping[str, float]],
    adversaries: Mapping[str, str],
    layout: ReplicaLayout,
) -> dict[str, dict[str, str]]:
    """Arm -> name of a diagnosis -> its sentence.

    An arm is judged by each of its adversaries that has a strength; one that has none,
    such as the baseline, by the first. Where several are judged the sentence begins
    with the adversary's name.

    Args:
      analysis: the keys `domains` and `probes` of `analysis.json`.
      sample: features of the encoders.
      metrics: the lines of `metrics.jsonl`.
      adversaries: name -> the column that it tells apart.
      layout: the arms.
    """
    by_arm = {}
    for index, (arm, strengths) in enumerate(layout.arms.items()):
        working = [name for name in adversaries if strengths[name] > 0.0]
        judged = working or list(adversaries)[:1]
        moved = _moved(sample.features, index, layout)
        by_arm[arm] = {}
        for name in judged:
            column, strength = adversaries[name], strengths[name]
            known = measured(arm, name, column, strength, analysis, metrics)
            for rule, sentence in diagnose(known._replace(moved=moved)).items():
                several = len(judged) > 1
                key, start = (f"{rule}, {name}", f"{name}: ") if several else (rule, "")
                by_arm[arm][key] = start + sentence
    return by_arm


def _moved(features: np.ndarray, arm: int, layout: ReplicaLayout) -> float:
    """How far an arm's features `[r, arms, n, width]` are from source-only's."""
    idle = [not any(strengths.values()) for strengths in layout.arms.values()]
    if not any(idle):
        return _NAN
    return float(np.abs(features[:, arm] - features[:, idle.index(True)]).max())


def measured(
    arm: str,
    adversary: str,
    column: str,
    strength: float,
    analysis: Mapping[str, Any],
    metrics: Sequence[Mapping[str, float]],
) -> Measured:
    """What is known of an arm and one of its adversaries.

    Args:
      arm: its name.
      adversary: its name.
      column: what the adversary tells apart.
      strength: that the arm asks for.
      analysis: the keys `domains` and `probes` of `analysis.json`.
      metrics: the lines of `metrics.jsonl`.
    """

    def curve(name: str) -> np.ndarray:
        key = f"{arm}/{name}/{adversary}"
        return np.array([line[key] for line in metrics if key in line])

    domain = analysis["domains"][adversary]
    probes = [
        (record["accuracy"], record["chance"])
        for record in analysis["probes"]
        if (record["arm"], record["place"], record["column"])
        == (arm, "encoder", column)
    ]
    # Whichever kind of probe finds more.
    accuracy, chance = max(probes, default=(_NAN, _NAN))
    return Measured(
        domain_loss=curve("loss"),
        domain_accuracy=curve("accuracy"),
        domain_chance=domain["chance"],
        domain_guess_loss=domain["guess_loss"],
        strength=curve("strength"),
        strength_wanted=strength,
        probe_accuracy=accuracy,
        probe_chance=chance,
    )
