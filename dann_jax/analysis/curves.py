"""From the curves and the probes of a run to what is to be said of each arm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.analysis.sample import Sample
from dann_jax.evaluation.diagnosis import Measured, diagnose
from dann_jax.evaluation.divergence import relative_spread
from dann_jax.training.replicas import Layout

_NAN = float("nan")


def diagnoses(
    found: Mapping[str, Any],
    sample: Sample,
    results: Mapping[str, Any],
    metrics: Sequence[Mapping[str, float]],
    adversaries: Mapping[str, str],
    layout: Layout,
) -> dict[str, dict[str, str]]:
    """Arm -> name of a diagnosis -> its sentence.

    An arm is judged by each of its adversaries that has a strength; one that has none,
    such as the baseline, by the first. Where several are judged the sentence begins
    with the adversary's name.

    Args:
      found: the keys `domains` and `probes` of `analysis.json`.
      sample: features of the encoders.
      results: as in `results.json`.
      metrics: the lines of `metrics.jsonl`.
      adversaries: name -> the column that it tells apart.
      layout: the arms.
    """
    said = {}
    for index, (arm, strengths) in enumerate(layout.arms.items()):
        working = [name for name in adversaries if strengths[name] > 0.0]
        judged = working or list(adversaries)[:1]
        spread = np.mean([relative_spread(own) for own in sample.features[:, index]])
        moved = _moved(sample.features, index, layout)
        sentences: dict[str, str] = {}
        for name in judged:
            seen = measured(
                arm, name, adversaries[name], strengths[name], found, results, metrics
            )
            for word, sentence in diagnose(
                seen._replace(spread=spread, moved=moved)
            ).items():
                several = len(judged) > 1
                key, start = (f"{word}, {name}", f"{name}: ") if several else (word, "")
                sentences[key] = start + sentence
        said[arm] = sentences
    return said


def _moved(features: np.ndarray, arm: int, layout: Layout) -> float:
    """How far an arm's features `[r, arms, n, width]` are from source-only's."""
    idle = [not any(own.values()) for own in layout.arms.values()]
    if not any(idle):
        return float("nan")
    return float(np.abs(features[:, arm] - features[:, idle.index(True)]).max())


def measured(
    arm: str,
    adversary: str,
    column: str,
    strength: float,
    found: Mapping[str, Any],
    results: Mapping[str, Any],
    metrics: Sequence[Mapping[str, float]],
) -> Measured:
    """What is known of an arm and one of its adversaries.

    Args:
      arm: its name.
      adversary: its name.
      column: what the adversary tells apart.
      strength: that the arm asks for.
      found: the keys `domains` and `probes` of `analysis.json`.
      results: as in `results.json`.
      metrics: the lines of `metrics.jsonl`.
    """

    def curve(name: str) -> np.ndarray:
        key = f"{arm}/{name}"
        return np.array([line[key] for line in metrics if key in line])

    domain = found["domains"][adversary]
    probes = [
        (record["accuracy"], record["chance"])
        for record in found["probes"]
        if (record["arm"], record["place"], record["column"])
        == (arm, "encoder", column)
    ]
    # Whichever kind of probe finds more.
    accuracy, chance = max(probes, default=(_NAN, _NAN))
    gains = [
        entry
        for entry in results["comparisons"]
        if (entry["arm"], entry["metric"]) == (arm, "ua")
    ]
    gain = gains[0] if gains else {"difference": _NAN, "ci95": (_NAN, _NAN)}
    return Measured(
        label_loss=curve("loss/label"),
        train_accuracy=curve("accuracy/label"),
        validation_accuracy=curve("validation/wa"),
        domain_loss=curve(f"loss/{adversary}"),
        domain_accuracy=curve(f"accuracy/{adversary}"),
        domain_chance=domain["chance"],
        domain_guess_loss=domain["guess_loss"],
        strength=curve(f"strength/{adversary}"),
        strength_wanted=strength,
        gradient_label=curve("gradient/label"),
        gradient_domain=curve(f"gradient/{adversary}"),
        probe_accuracy=accuracy,
        probe_chance=chance,
        label_shift=domain["label_shift"],
        ua_gain=gain["difference"],
        ua_gain_ci95=tuple(gain["ci95"]),
    )
