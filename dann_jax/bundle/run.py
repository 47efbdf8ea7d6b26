"""From a finished run to its bundle."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np
from etils import epath

from dann_jax.bundle.calibration import calibration_errors, temperature_of
from dann_jax.bundle.description import BundleError, Description, modalities_of
from dann_jax.bundle.files import write_bundle
from dann_jax.evaluation.scorers.table import SCORERS
from dann_jax.tasks.task import Task
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.state import TrainState
from dann_jax.utils.versions import package_versions

_log = logging.getLogger(__name__)

MEMBERS = ("all", "first")
"""Every fold's model, or that of the first fold only."""


def bundle_run(
    folder: epath.PathLike,
    state: TrainState,
    task: Task,
    layout: ReplicaLayout,
    *,
    system: str,
    encoder: Mapping[str, Any],
    heads: Mapping[str, Any],
    results: Mapping[str, Any],
    analysis: Mapping[str, Any] | None = None,
    max_frames: int = 0,
    arm: str = "",
    members: Literal["all", "first"] = "all",
    licence: str = "",
) -> epath.Path:
    """Write the bundle of one arm: the selected parameters of its first seed.

    The models of all folds become an ensemble, whose outputs are averaged. Where a fold
    adapts to a target, the ensemble is that fold's models of all seeds.

    Args:
      folder: of the bundle.
      state: of all replicas.
      task: of the run.
      layout: of the replicas.
      system: name of what was trained.
      encoder: keyword arguments of `DialogueEncoder`.
      heads: the other keyword arguments of `Dann`.
      results: as in `results.json`.
      analysis: as in `analysis.json`; its groups and speakers go to the model card.
      max_frames: of an utterance, as in `make_task`.
      arm: which one; by default that of `default_arm`.
      members: one of `MEMBERS`.
      licence: of the data; empty where it is not known.

    Returns:
      The folder.

    Raises:
      BundleError: there is no such arm, or `members` is an unknown word.
    """
    arms = list(layout.arms)
    arm = arm or default_arm(arms)
    for name, choices in ((arm, arms), (members, MEMBERS)):
        if name not in choices:
            raise BundleError(f"{name!r} is none of {', '.join(choices)}")
    groups = _members(task, layout)[: 1 if members == "first" else None]
    folds = layout.fold_of[groups]

    def selected(leaf: jax.Array) -> np.ndarray:
        return np.asarray(leaf)[groups, arms.index(arm)]

    description = Description(
        system=system,
        labels=task.protocol.outputs,
        answer=SCORERS[task.protocol.kind].answer,
        encoder=encoder,
        heads=heads,
        adversaries=task.num_domains,
        members=tuple(
            {
                "fold": layout.folds[fold],
                "seed": int(layout.seed_of[group]),
                "arm": arm,
                "step": int(step),
            }
            for group, fold, step in zip(
                groups, folds, selected(state.best_step), strict=True
            )
        ),
        modalities=modalities_of(task.corpus),
        corpora=tuple(results["corpora"]),
        standardised_by=task.corpus.provenance.get("standardised_by"),
        protocol=results["protocol"],
        measured=measured_of(results, analysis or {}, arm),
        licence=licence or None,
        packages=package_versions(),
        max_frames=max_frames,
        data=results.get("data", {}),
        temperature=temperature_of(results, arm, members),
        speaker_statistics=task.standardisation._asdict()
        if task.standardisation
        else {},
        nuisance_directions=task.nuisance_directions,
    )
    # Nobody is enrolled yet: the last domain is that of a stranger.
    standardiser = {
        name: tuple(
            part[folds, -1] if task.standardisation else part[folds] for part in pair
        )
        for name, pair in task.evaluation.standardiser.items()
    }
    priors = {
        name: tuple(own[fold] for fold in folds) for name, own in task.priors.items()
    }
    _log.info("the bundle %s keeps the arm %r", folder, arm)
    return write_bundle(
        folder, description, jax.tree.map(selected, state.best), standardiser, priors
    )


def _members(task: Task, layout: ReplicaLayout) -> np.ndarray:
    """Groups of the layout to keep: of each fold the first seed.

    Where one fold adapts to a target, it is all seeds of that fold: the others only
    rehearse it.
    """
    target = task.protocol.target_fold
    if target is not None:
        return np.flatnonzero(layout.fold_of[: layout.num_groups] == target)
    first = layout.seed_of[: layout.num_groups] == next(iter(layout.seeds))
    return np.flatnonzero(first)


def default_arm(arms: Sequence[str]) -> str:
    """The arm to keep by default; not chosen by a score.

    Args:
      arms: names, the baseline first.

    Returns:
      `dann`, if an arm is called so; else the last, which is the baseline only where
      it is alone. Where others could have been meant, a warning says so.

    Example:
      >>> default_arm(["source_only", "cautious", "dann", "joint"])
      'dann'
    """
    if "dann" in arms:
        return "dann"
    if len(arms) > 2:
        _log.warning(
            "no arm is called 'dann', and config.bundle.arm names none: of %s the "
            "bundle keeps the last, %r",
            *(", ".join(arms), arms[-1]),
        )
    return arms[-1]


def measured_of(
    results: Mapping[str, Any], analysis: Mapping[str, Any], arm: str
) -> dict[str, Any]:
    """Results of one arm: `measured` of a `Description`.

    Args:
      results: as in `results.json`.
      analysis: as in `analysis.json`; empty where there is none.
      arm: one of the run's.
    """
    groups: dict[str, Any] = {}
    for entry in analysis.get("groups", ()):
        group_scores = {key: entry[key] for key in ("rows", "speakers") if key in entry}
        group_scores |= _measured(entry["scores"].get(arm, {}))
        groups.setdefault(entry["column"], {})[str(entry["value"])] = group_scores
    return {
        "arm": arm,
        "scores": results["summary"][arm],
        "comparisons": [
            entry for entry in results["comparisons"] if entry["arm"] == arm
        ],
        "groups": groups,
        "speakers": _spread(
            [entry["scores"].get(arm, {}) for entry in analysis.get("speakers", ())]
        ),
        "calibration": calibration_errors(results, arm),
        "unenrolled": results.get("unenrolled", {}).get(arm, {}),
        **_recommended(results),
    }


def _recommended(results: Mapping[str, Any]) -> dict[str, Any]:
    """`choice` of what was measured, where a choice recommended the model."""
    if "choice" not in results:
        return {}
    recommended = results["choice"]["recommended"]
    names = {name: recommended[name] for name in ("candidate", "setting")}
    return {"choice": {**names, "candidates": len(results["choice"]["candidates"])}}


def _spread(scores: list[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Metric -> number of speakers, and the least, middle and greatest of them."""
    measured = [_measured(of_speaker) for of_speaker in scores]
    spread = {}
    for metric in dict.fromkeys(name for one in measured for name in one):
        values = [one[metric] for one in measured if metric in one]
        spread[metric] = {
            "speakers": len(values),
            "min": float(min(values)),
            "median": float(np.median(values)),
            "max": float(max(values)),
        }
    return spread


def _measured(scores: Mapping[str, float | None]) -> dict[str, float]:
    """The scores that were measured."""
    return {
        name: float(value)
        for name, value in scores.items()
        if value is not None and np.isfinite(value)
    }
