"""The choice of settings by held-out training speakers: `choose(config, workdir)`.

Every setting is trained twice: on inner folds, in which training speakers of each fold
are held out in turn, and on the folds themselves. In every fold the candidate (a
setting with an arm) with the best inner score is taken, or the plainest that is as
good; the tested speakers score what was taken, and choose nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from etils import epath
from ml_collections import ConfigDict

from dann_jax.evaluation.verdicts import CHOSEN
from dann_jax.experiment.checks import check_config
from dann_jax.experiment.choose_parts import Part, Setting, build_settings, complete
from dann_jax.experiment.choose_results import choice_results
from dann_jax.experiment.choose_settings import settings_of
from dann_jax.experiment.evaluate import bundle
from dann_jax.experiment.restored import evaluate_restored, restored
from dann_jax.experiment.workdir import claim, data_of
from dann_jax.report.exports import write_page
from dann_jax.tasks.fingerprint import fingerprint
from dann_jax.training.run import Predictions
from dann_jax.training.trackers import MakeTracker
from dann_jax.utils.files import WorkdirError, write_json

_log = logging.getLogger(__name__)


def choose(
    config: ConfigDict,
    workdir: epath.PathLike,
    *,
    data_parallel: int = 1,
    trackers: Sequence[MakeTracker] = (),
) -> dict[str, Any]:
    """Compare settings and arms as `config.choose` says, or go on with it.

    Args:
      config: with `choose.folds`.
      workdir: of the choice; every setting has an ordinary work directory below it,
        in `settings/NAME`, and beside it `inner/`.
      data_parallel: as in `train_and_evaluate`, which also says what is raised.
      trackers: as there.

    Returns:
      What `results.json` holds: candidates as arms, with `chosen` after the baseline,
      and `choice`.
    """
    workdir = epath.Path(workdir)
    settings, parts = _claimed(config, workdir, data_parallel)
    _announce(settings, parts)
    return _concluded(config, workdir, settings, complete(parts, trackers))


def choose_again(
    config: ConfigDict, workdir: epath.Path, **options: Any
) -> dict[str, Any]:
    """Score and analyse a choice that has ended, and every setting of it.

    Args:
      config: of the choice.
      workdir: of it.
      **options: of the analysis of the settings.

    Raises:
      WorkdirError: some of it has not been trained.
    """
    settings, parts = _claimed(config, workdir)
    if left := [part.name for part in parts if not part.is_done]:
        raise WorkdirError(
            f"the choice in {workdir} has not ended ({', '.join(left)}); dann-train "
            f"goes on with it"
        )
    for setting in settings.values():
        _log.info("setting %s", setting.outer.name)
        _, folder, own, task, layout, _ = setting.outer
        evaluate_restored(own, task, layout, folder, **options)
    return _concluded(config, workdir, settings, complete(parts))


def _claimed(
    config: ConfigDict, workdir: epath.Path, data_parallel: int = 1
) -> tuple[dict[str, Setting], list[Part]]:
    """The settings and their trainings, in a folder that is theirs."""
    check_config(config)
    configs = settings_of(config)
    for each in configs.values():
        check_config(each)
    settings = build_settings(
        configs,
        workdir,
        folds=config.choose.folds,
        seeds=config.choose.seeds,
        data_parallel=data_parallel,
    )
    first = next(iter(settings.values())).outer
    claim(workdir, config.to_dict(), fingerprint(first.task))
    return settings, [part for setting in settings.values() for part in setting]


def _concluded(
    config: ConfigDict,
    workdir: epath.Path,
    settings: Mapping[str, Setting],
    predictions: list[Predictions],
) -> dict[str, Any]:
    """Results, bundle and the pages of the settings, once all is trained."""
    results = choice_results(config, settings, predictions)
    results["data"] = data_of(workdir)
    recommended = results["choice"]["recommended"]
    _bundle(workdir, settings[recommended["setting"]].outer, recommended, results)
    if jax.process_index() == 0:
        for setting in settings.values():
            write_page(setting.outer.folder)
        write_json(workdir / "results.json", results)
    return results


def _announce(settings: Mapping[str, Setting], parts: list[Part]) -> None:
    """What will be compared, and what it costs."""
    first = next(iter(settings.values()))
    arms, seeds = first.outer.layout.arms, len(first.inner.layout.seeds)
    models = [part.layout.num_groups * len(part.layout.arms) for part in parts]
    _log.info(
        "choosing among %d candidates: %d settings (%s) x %d arms (%s), by %d inner "
        "folds with %d seed%s; %s models and %s steps of a model in all",
        *(len(settings) * len(arms), len(settings), "; ".join(settings), len(arms)),
        *(", ".join(arms), len(first.inner.layout.folds), seeds, "s" * (seeds > 1)),
        *(f"{sum(models):,}", f"{sum(part.work for part in parts):,}"),
    )


def _bundle(
    workdir: epath.Path,
    part: Part,
    recommended: Mapping[str, Any],
    results: Mapping[str, Any],
) -> None:
    """The bundle of the recommended candidate, with the scores of the choice."""
    arm = recommended["arm"]
    calibrated = results["calibration"]["arms"]
    # Its temperatures are those that it has; what they are worth was measured of what
    # was chosen, as its scores were.
    name = recommended["candidate"]
    own = calibrated[name]
    temperatures = {key: own[key] for key in ("temperature", "temperature_of_all")}
    honest = {
        **results,
        "summary": {arm: results["summary"][CHOSEN]},
        "unenrolled": {arm: results.get("unenrolled", {}).get(name, {})},
        "calibration": {
            **results["calibration"],
            "arms": {arm: calibrated[CHOSEN] | temperatures},
        },
        "comparisons": [
            {**entry, "arm": arm}
            for entry in results["comparisons"]
            if entry["arm"] == CHOSEN
        ],
    }
    trained = restored(part.config, part.task, part.layout, part.folder)
    bundle(
        workdir / "bundle",
        part.config,
        part.task,
        part.layout,
        trained.state,
        honest,
        arm=arm,
    )
