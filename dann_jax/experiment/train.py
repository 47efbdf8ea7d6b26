"""The first half of a run: training, or what is left of it.

Only this package and the commands see a config; below them there are plain arguments.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from etils import epath
from ml_collections import ConfigDict

from dann_jax.evaluation.evaluated import as_evaluated
from dann_jax.evaluation.selection import Selector
from dann_jax.experiment.build import (
    build_task_and_layout,
    compiled,
    open_data,
    standardisation_of,
)
from dann_jax.experiment.estimate import needs_of, require_room
from dann_jax.experiment.workdir import claim, data_of, require_corpus
from dann_jax.tasks.fingerprint import fingerprint, recorded_corpus
from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.checkpoint import open_checkpoints
from dann_jax.training.compilation import measure_compilations
from dann_jax.training.loop import fit
from dann_jax.training.program import Program, step_of
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState
from dann_jax.training.timetable import Timetable
from dann_jax.training.trackers import MakeTracker
from dann_jax.training.writer import open_writer
from dann_jax.utils.arguments import call_checked
from dann_jax.utils.files import read_json, strict
from dann_jax.utils.words import counted

_log = logging.getLogger(__name__)


def build_for_workdir(
    workdir: epath.PathLike,
    config: ConfigDict,
    *,
    data_parallel: int = 1,
    describe: bool = True,
) -> tuple[Task, ReplicaLayout]:
    """As `build_task_and_layout`, where the work directory may hold a run already.

    If the data of that run have changed since, the error names the change, and not what
    else fails because of it.
    """
    try:
        return build_task_and_layout(
            config, data_parallel=data_parallel, describe=describe
        )
    except ValueError:
        path = epath.Path(workdir)
        if (path / "config.json").exists():
            before, now = read_json(path / "config.json"), strict(config.to_dict())
            if before.get("data") == now["data"]:
                corpus = recorded_corpus(open_data(config), standardisation_of(config))
                require_corpus(path, corpus)
        raise


class Trained(NamedTuple):
    """A run whose training has ended.

    Attributes:
      workdir: of the run.
      state: of all replicas; `state.best` is what is evaluated.
      program: what they run.
      timing: seconds, the step it was resumed from, and utterances a second.
      data: which data it learned from, as from `data_of`.
    """

    workdir: epath.Path
    state: TrainState
    program: Program
    timing: dict[str, float]
    data: dict[str, Any]


def train(
    config: ConfigDict,
    task: Task,
    layout: ReplicaLayout,
    workdir: epath.PathLike,
    *,
    selecting: Task | None = None,
    watch: Callable[[Program, TrainState], None] | None = None,
    trackers: Sequence[MakeTracker] = (),
) -> Trained:
    """Train all replicas, or go on where an earlier call stopped.

    Args:
      config: of the run; its work directory belongs to it.
      task: what is learned from, as from `build_task_and_layout`.
      layout: of the replicas.
      workdir: as in `train_and_evaluate`, which also says what is raised.
      selecting: the task whose validation rows select, if it is another one.
      watch: looks at the state at every validation and changes nothing.
      trackers: see `train_and_evaluate`.
    """
    plan = task.plan(task.protocol.visible())
    timetable = call_checked(
        "config.timetable", Timetable, plan.steps_per_epoch, **config.timetable
    )
    program = compiled(config, task, layout, timetable)
    needs = needs_of(task, layout, program, timetable)
    require_room(needs, layout)
    selector = Selector(config.selection, Run(selecting or task, layout, program))

    def validate(state: TrainState) -> tuple[TrainState, dict[str, float]]:
        if watch is not None:
            watch(program, state)
        return selector.validate(state)

    loader = BatchLoader(task.training, plan, layout, shuffle=True)
    first = loader.batch(0)
    state = program.initial_state(first)
    # What cannot be built leaves no directory behind.
    workdir = claim(workdir, config.to_dict(), fingerprint(task))
    data = data_of(workdir)
    _log.info("%s, in %s", _size(task, layout, timetable), workdir)
    _log.info("%s", needs)
    began = time.perf_counter()
    with open_checkpoints(workdir / "checkpoints", data=data["digest"]) as checkpoints:
        start = checkpoints.resume_step()
        if start:
            _log.info("going on from step %d in %s", start, workdir)
            state = checkpoints.restore(start, state, layout)
        with (
            open_writer(workdir, resume_step=start, trackers=trackers) as writer,
            measure_compilations() as compilations,
        ):
            state = fit(
                state,
                start=start,
                timetable=timetable,
                layout=layout,
                chunks=loader.chunks,
                train_steps=program.train_steps,
                validate=validate,
                # Always the same rows, so that what moves is the network.
                gradients=lambda state: program.gradients(
                    state, first, layout.put(layout.peak_strength())
                ),
                checkpoints=checkpoints,
                writer=writer,
            )
    steps = step_of(state) - start
    timing = {
        "resumed_from_step": start,
        "compile_s": compilations.seconds,
        "train_s": time.perf_counter() - began,
    }
    seen = task.protocol.visible().sum() * len(layout.seeds) * len(layout.arms)
    epochs = steps / timetable.steps_per_epoch
    timing["utterances_per_s"] = float(seen * epochs / timing["train_s"])
    return as_tested(Trained(workdir, state, program, timing, data), task, layout)


def as_tested(trained: Trained, task: Task, layout: ReplicaLayout) -> Trained:
    """With the parameters by which tested rows are predicted."""
    run = Run(task, layout, trained.program)
    best = as_evaluated(trained.state.best, Role.TEST, run)
    return trained._replace(state=trained.state.replace(best=best))


def _size(task: Task, layout: ReplicaLayout, timetable: Timetable) -> str:
    platform = layout.mesh.devices.flat[0].platform.upper()
    utterances = counted(len(task.corpus), "utterance")
    folds, seeds = (
        counted(len(layout.folds), "fold"),
        counted(len(layout.seeds), "seed"),
    )
    epochs = counted(timetable.epochs, "epoch")
    return (
        f"{task.corpus.name}: {utterances}; {folds} x {seeds} x "
        f"{counted(len(layout.arms), 'arm')}, {epochs} of "
        f"{counted(timetable.steps_per_epoch, 'step')} on "
        f"{counted(layout.mesh.size, f'{platform} device')}"
    )
