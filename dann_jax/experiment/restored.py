"""A finished run read again: its config, and what its training ended with."""

from collections.abc import Mapping
from typing import Any

from etils import epath
from ml_collections import ConfigDict

from dann_jax.experiment.build import compiled
from dann_jax.experiment.config import base_config
from dann_jax.experiment.evaluate import evaluate
from dann_jax.experiment.train import Trained, as_tested
from dann_jax.experiment.workdir import claim_data, data_of
from dann_jax.tasks.fingerprint import fingerprint
from dann_jax.tasks.task import Task
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.checkpoint import open_checkpoints
from dann_jax.training.loop import best_step
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.timetable import Timetable
from dann_jax.utils.arguments import call_checked
from dann_jax.utils.files import WorkdirError, read_json
from dann_jax.utils.leftovers import remove_leftovers

_LATER = ("analysis", "choose")
"""What configs of older runs do not have."""


def evaluate_restored(
    config: ConfigDict,
    task: Task,
    layout: ReplicaLayout,
    workdir: epath.Path,
    **options: Any,
) -> dict[str, Any]:
    """`evaluate` of a run that has ended, with other options of its analysis."""
    changed = config.copy_and_resolve_references().unlock()
    changed.analysis = ConfigDict({**getattr(config, "analysis", {}), **options})
    trained = restored(changed, task, layout, workdir)
    return evaluate(changed, task, layout, trained)


def config_of(workdir: epath.Path) -> ConfigDict:
    """The config of the run in a folder.

    Raises:
      WorkdirError: there is none.
    """
    path = workdir / "config.json"
    if not path.exists():
        raise WorkdirError(f"{workdir} holds no config.json: no run")
    content = _with_tuples(read_json(path))
    wrong = [
        key
        for key, known in base_config().items()
        if (
            isinstance(known, ConfigDict) != isinstance(content[key], dict)
            if key in content
            else key not in _LATER
        )
    ]
    if wrong:
        raise WorkdirError(f"{path}: missing or malformed: {', '.join(wrong)}")
    return ConfigDict(content)


def _with_tuples(value: Any) -> Any:
    """JSON has lists where a config has tuples."""
    if isinstance(value, Mapping):
        return {key: _with_tuples(part) for key, part in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def restored(
    config: ConfigDict, task: Task, layout: ReplicaLayout, workdir: epath.Path
) -> Trained:
    """What `train` returned when the run ended."""
    claim_data(workdir, fingerprint(task))
    remove_leftovers(workdir)
    data = data_of(workdir)
    plan = task.plan(task.protocol.visible())
    timetable = call_checked(
        "config.timetable", Timetable, plan.steps_per_epoch, **config.timetable
    )
    total = timetable.steps_per_epoch * timetable.epochs
    with open_checkpoints(workdir / "checkpoints", data=data["digest"]) as checkpoints:
        step = checkpoints.latest_step()
        if not step or (step != total and not timetable.patience):
            raise _unfinished(workdir, step, total)
        program = compiled(config, task, layout, timetable)
        loader = BatchLoader(task.training, plan, layout, shuffle=True)
        untrained = program.initial_state(loader.batch(0))
        state = checkpoints.restore(step, untrained, layout)
        best = best_step(state, layout)
        if step != total and not timetable.patience_ends(step, best):
            raise _unfinished(workdir, step, total)
    timing = {}
    if (workdir / "results.json").exists():
        timing = read_json(workdir / "results.json").get("timing", {})
    return as_tested(Trained(workdir, state, program, timing, data), task, layout)


def _unfinished(workdir: epath.Path, step: int | None, total: int) -> WorkdirError:
    return WorkdirError(
        f"the run in {workdir} has taken {step or 0} of {total} steps; dann-train goes "
        f"on with it"
    )
