"""The story of a run: `train_and_evaluate(config, workdir)`.

Only this module, `setting` and the commands see a config; below them there are plain
arguments.
"""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from etils import epath
from ml_collections import ConfigDict

from dann_jax.analysis import analyse
from dann_jax.arguments import call
from dann_jax.bundle import bundle_run
from dann_jax.open_set import verify_replicas
from dann_jax.pipeline import stream
from dann_jax.ratings import rate_replicas
from dann_jax.results import score_replicas
from dann_jax.roles import Role
from dann_jax.setting import compiled, encoder_of, setting
from dann_jax.task import Task
from dann_jax.training.checkpoint import open_checkpoints
from dann_jax.training.compilation import measure_compilations
from dann_jax.training.evaluated import as_evaluated
from dann_jax.training.feed import Feed
from dann_jax.training.loop import Timetable, fit
from dann_jax.training.predict import make_batch
from dann_jax.training.program import Program, step_of
from dann_jax.training.replicas import Layout
from dann_jax.training.selection import Selector
from dann_jax.training.state import TrainState
from dann_jax.training.writer import open_writer, read_metrics
from dann_jax.workdir import claim, write_json

_log = logging.getLogger(__name__)


def train_and_evaluate(
    config: ConfigDict, workdir: epath.PathLike, *, data_parallel: int = 1
) -> dict[str, Any]:
    """Run the experiment that `config` describes, or what is left of it.

    On all devices of all processes that `jax.distributed` has joined. Each process
    makes the batches of its own replicas; the first writes everything but checkpoints.

    Args:
      config: as from `configs/*.py`.
      workdir: new, or that of an earlier run of the same config, which is then
        taken up where it stopped and ends with the same numbers, bit for bit.
      data_parallel: see `setting`.

    Returns:
      What `results.json` holds; where that has null, NaN.

    Raises:
      ValueError: the corpus, the protocol, the work directory or another part of the
        input is not what it should be (`CorpusError`, `ProtocolError` and
        `WorkdirError` are kinds of it); nothing has been trained.
      TrainingDiverged: a loss is not finite; the last checkpoint is good.
      Interrupted: SIGTERM or Ctrl-C stopped the training after the state was saved.
    """
    task, layout = setting(config, data_parallel=data_parallel)
    return evaluate(config, task, layout, train(config, task, layout, workdir))


class Trained(NamedTuple):
    """A run whose training has ended.

    Attributes:
      workdir: of the run.
      state: of all replicas; `state.best` is what is evaluated.
      program: what they run.
      timing: seconds, the step it was resumed from, and utterances a second.
    """

    workdir: epath.Path
    state: TrainState
    program: Program
    timing: dict[str, float]


def train(
    config: ConfigDict,
    task: Task,
    layout: Layout,
    workdir: epath.PathLike,
    *,
    selecting: Task | None = None,
    watch: Callable[[Program, TrainState], None] | None = None,
) -> Trained:
    """Train all replicas, or go on where an earlier call stopped.

    Args:
      config: of the run; its work directory belongs to it.
      task: what is learned from, as from `setting`.
      layout: of the replicas.
      workdir: as in `train_and_evaluate`, which also says what is raised.
      selecting: the task whose validation rows select, if it is another one.
      watch: looks at the state at every validation and changes nothing.
    """
    plan = task.plan(task.protocol.visible())
    timetable = call(
        "config.timetable", Timetable, plan.steps_per_epoch, **config.timetable
    )
    program = compiled(config, task, layout, timetable)
    selector = Selector(config.selection, program, selecting or task, layout)

    def validate(state: TrainState) -> tuple[TrainState, dict[str, float]]:
        if watch is not None:
            watch(program, state)
        return selector.validate(state)

    feed = Feed(task.training, layout)
    outline = functools.partial(make_batch, plan, feed.outline, layout, shuffle=True)
    first = feed(outline(0))
    state = program.initial_state(first)
    # What cannot be built leaves no directory behind.
    workdir = claim(workdir, config.to_dict())
    _log.info("%s, in %s", _size(task, layout, timetable), workdir)
    began = time.perf_counter()
    with open_checkpoints(workdir / "checkpoints") as checkpoints:
        resumed = checkpoints.latest_step()
        if resumed is not None:
            _log.info("going on from step %d in %s", resumed, workdir)
            state = checkpoints.restore(resumed, state, layout)
        start = step_of(state)
        with (
            open_writer(workdir, resume_step=start) as writer,
            measure_compilations() as compilations,
        ):
            state = fit(
                state,
                timetable=timetable,
                layout=layout,
                batches=lambda start, stop: map(feed, stream(outline, start, stop)),
                train_step=program.train_step,
                validate=validate,
                # Always the same rows, so that what moves is the network.
                gradients=lambda state: program.gradients(
                    state, first, layout.put(layout.strength())
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
    return as_tested(Trained(workdir, state, program, timing), task, layout)


def as_tested(trained: Trained, task: Task, layout: Layout) -> Trained:
    """With the parameters by which tested rows are predicted."""
    best = as_evaluated(
        trained.state.best,
        Role.TEST,
        program=trained.program,
        task=task,
        layout=layout,
    )
    return trained._replace(state=trained.state.replace(best=best))


def evaluate(
    config: ConfigDict, task: Task, layout: Layout, trained: Trained
) -> dict[str, Any]:
    """Score what `train` returned; leave `results.json` and the bundle."""
    workdir, state, program, timing = trained
    scorers = {
        "classification": score_replicas,
        "verification": verify_replicas,
        "regression": rate_replicas,
    }
    score = scorers[task.protocol.kind]
    _log.info("scoring and probing ...")
    results = {
        "system": config.system,
        "corpora": [task.corpus.name],
        "protocol": {
            "name": task.protocol.name,
            "transductive": task.transductive,
            "selection": config.selection,
            "allowed_leaks": list(task.protocol.allowed_leaks),
        },
        **score(state, program, task, layout),
        "timing": timing,
    }
    state = state.replace(
        **layout.get({"best": state.best, "best_step": state.best_step})
    )
    if jax.process_index():
        return results
    _log.info("analysing ...")
    found = call(
        "config.analysis",
        analyse,
        state,
        program,
        task,
        layout,
        results=results,
        metrics=read_metrics(workdir),
        # An oracle has none of those that its config names.
        adversaries={
            name: own["column"]
            for name, own in config.adversaries.items()
            if name in task.num_domains
        },
        **config.analysis,
    )
    if found:
        write_json(workdir / "analysis.json", found)
    bundle_run(
        workdir / "bundle",
        state,
        task,
        layout,
        system=config.system,
        encoder=encoder_of(config, task),
        heads=config.heads.to_dict(),
        results=results,
        analysis=found,
        max_frames=config.batches.get("max_frames", 0),
        **config.bundle.to_dict() | _only_arm(layout),
    )
    write_json(workdir / "results.json", results)
    return results


def _size(task: Task, layout: Layout, timetable: Timetable) -> str:
    return (
        f"{task.corpus.name}: {len(task.corpus)} utterances; {len(layout.folds)} folds "
        f"x {len(layout.seeds)} seeds x {len(layout.arms)} arms, {timetable.epochs} "
        f"epochs of {timetable.steps_per_epoch} steps on {layout.mesh.size} devices"
    )


def _only_arm(layout: Layout) -> dict[str, str]:
    """Where there is one arm, the bundle keeps it, whatever it is called."""
    return {"arm": ""} if len(layout.arms) == 1 else {}
