"""What comes of a run that has been trained: scores, an analysis, and a bundle."""

import logging
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from dann_jax.bundle import bundle_run
from dann_jax.data.corpus import corpora_of
from dann_jax.data.layers import layers_of
from dann_jax.evaluation.analysis.analyse import analyse
from dann_jax.evaluation.cautions import cautions
from dann_jax.evaluation.layer_weights import layer_weights
from dann_jax.evaluation.scorers.table import SCORERS
from dann_jax.experiment.build import encoder_of
from dann_jax.experiment.train import Trained
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.task import Task
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState
from dann_jax.training.writer import read_metrics
from dann_jax.utils.arguments import call_checked
from dann_jax.utils.files import write_json

_log = logging.getLogger(__name__)


def evaluate(
    config: ConfigDict, task: Task, layout: ReplicaLayout, trained: Trained
) -> dict[str, Any]:
    """Score what `train` returned; leave `results.json` and the bundle."""
    workdir, state, program, timing, data = trained
    run, scorer = Run(task, layout, program), SCORERS[task.protocol.kind]
    _log.info("scoring and probing ...")
    predictions = scorer.predict(run, state.best)
    results = {
        "system": system_of(config),
        "corpora": corpora_of(task.corpus),
        "protocol": {
            "name": task.protocol.name,
            "transductive": task.transductive,
            "selection": config.selection,
            "allowed_leaks": list(task.protocol.allowed_leaks),
            **_target(task.protocol),
        },
        **scorer.score(predictions, state, run),
        "cautions": cautions(task),
        "data": data,
        "timing": timing,
    }
    first = jax.process_index() == 0
    _log.info("analysing ...")
    analysis = call_checked(
        "config.analysis",
        analyse,
        state,
        run,
        predictions,
        results=results,
        metrics=read_metrics(workdir) if first else (),
        # An oracle has none of those that its config names.
        adversaries={
            name: section["column"]
            for name, section in config.adversaries.items()
            if name in task.num_domains
        },
        **config.analysis,
    )
    if layers := layers_of(task.corpus):
        weights = layer_weights(layout.get(state.best), layers, layout)
        results |= {"layers": weights} if weights else {}
    if analysis:
        analysis["data"] |= data
    if first and analysis:
        write_json(workdir / "analysis.json", analysis)
    bundle(workdir / "bundle", config, task, layout, state, results, analysis=analysis)
    if first:
        write_json(workdir / "results.json", results)
    return results


def system_of(config: ConfigDict) -> str:
    """The name of what was trained; that of its objective where the config has none.

    Example:
      >>> from dann_jax.experiment.config import base_config
      >>> system_of(base_config())
      'dann'
    """
    return config.system or config.objective.name


def bundle(
    folder: epath.PathLike,
    config: ConfigDict,
    task: Task,
    layout: ReplicaLayout,
    state: TrainState,
    results: Mapping[str, Any],
    **options: Any,
) -> None:
    """Write the bundle of a run, as its config says unless `options` say otherwise.

    All processes call it, because each holds a part of the state.
    """
    kept = layout.get({"best": state.best, "best_step": state.best_step})
    if jax.process_index():
        return
    bundle_run(
        folder,
        state.replace(**kept),
        task,
        layout,
        system=system_of(config),
        encoder=encoder_of(config, task),
        heads=config.heads.to_dict(),
        results=results,
        max_frames=config.batches.get("max_frames", 0),
        **config.bundle.to_dict() | _arm(config.bundle.arm, layout, results) | options,
    )


def _target(protocol: Protocol) -> dict[str, Any]:
    """That there is a target, and whether its labels score it."""
    if protocol.target_fold is None:
        return {}
    tested = protocol.roles[protocol.target_fold] == Role.TEST
    return {"target": "scored" if tested.any() else "not scored"}


def _arm(
    wanted: str, layout: ReplicaLayout, results: Mapping[str, Any]
) -> dict[str, str]:
    """Which arm the bundle keeps, where the config does not say or there is one.

    Where a fold adapts to a target, it is the best by the rehearsals' UA, which no
    label of the target has a part in; without rehearsals, the baseline.
    """
    if len(layout.arms) == 1:
        return {"arm": ""}
    if wanted or "target" not in results:
        return {}
    ua = {arm: scores["ua"]["pooled"] for arm, scores in results["summary"].items()}
    # Of equals, and of NaN, the first is kept.
    return {"arm": max(ua, key=lambda arm: np.nan_to_num(ua[arm]))}
