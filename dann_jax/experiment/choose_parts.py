"""The trainings of which a choice consists, each in a work directory of its own."""

import logging
import time
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from dann_jax.evaluation.plainest import inner_counts
from dann_jax.evaluation.scorers.table import SCORERS
from dann_jax.experiment.build import build_from_protocol
from dann_jax.experiment.evaluate import evaluate
from dann_jax.experiment.train import build_for_workdir, train
from dann_jax.experiment.workdir import claim
from dann_jax.report.run import SETTINGS
from dann_jax.tasks.fingerprint import fingerprint
from dann_jax.tasks.nested import nested_protocol
from dann_jax.tasks.task import Task
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Predictions, Run
from dann_jax.training.trackers import MakeTracker
from dann_jax.utils.files import WorkdirError, open_whole
from dann_jax.utils.processes import by_first

_log = logging.getLogger(__name__)

_INNER = "inner"
_PREDICTIONS = "predictions.npz"


class Part(NamedTuple):
    """One training: all folds of a setting, or all of its inner folds.

    Attributes:
      name: for messages.
      folder: its work directory.
      config: of it.
      task: what is learned.
      layout: of the replicas.
      outer: of inner folds the index of their outer fold, int `[folds]`; else None.
    """

    name: str
    folder: epath.Path
    config: ConfigDict
    task: Task
    layout: ReplicaLayout
    outer: np.ndarray | None = None

    @property
    def work(self) -> int:
        """Steps of one model, all models together."""
        plan = self.task.plan(self.task.protocol.visible())
        models = self.layout.num_groups * len(self.layout.arms)
        return models * plan.steps_per_epoch * self.config.timetable.epochs

    @property
    def is_done(self) -> bool:
        """Whether its predictions are kept; the same in all processes."""
        path = self.folder / _PREDICTIONS
        return bool(by_first(lambda: int(path.exists()), WorkdirError, f"no {path}"))


class Setting(NamedTuple):
    """The two trainings of one setting.

    Attributes:
      outer: on the folds, an ordinary run.
      inner: on inner folds, whose scores choose; its folder is within the other.
    """

    outer: Part
    inner: Part


def build_settings(
    configs: Mapping[str, ConfigDict],
    workdir: epath.Path,
    *,
    folds: int,
    seeds: int,
    data_parallel: int = 1,
) -> dict[str, Setting]:
    """Everything that will be trained, so that what is wrong is said before.

    Args:
      configs: of the settings, as from `settings_of`.
      workdir: of the choice.
      folds: inner folds.
      seeds: of the inner folds; 0 for those of the run.
      data_parallel: as in `build_task_and_layout`.

    Raises:
      ValueError: a setting cannot be run on the data, or has no inner folds.
    """
    settings = {}
    for name, given in configs.items():
        folder = workdir / SETTINGS / name
        # All settings have the same rows.
        task, layout = build_for_workdir(
            folder, given, data_parallel=data_parallel, describe=not settings
        )
        outer = Part(name, folder, given, task, layout)
        nested = nested_protocol(task.protocol, task.corpus, folds=folds)
        within = given.copy_and_resolve_references().unlock()
        within.seeds = seeds or given.seeds
        # Nobody looks at these models; their scores are all that is kept.
        within.analysis.rows = within.timetable.gradients_every = 0
        task, layout = build_from_protocol(
            within, task.corpus, nested.protocol, data_parallel=data_parallel
        )
        inner = Part(
            f"{name}, inner folds",
            folder / _INNER,
            within.lock(),
            task,
            layout,
            nested.outer,
        )
        settings[name] = Setting(outer, inner)
    return settings


def complete(
    parts: Sequence[Part], trackers: Sequence[MakeTracker] = ()
) -> list[Predictions]:
    """Train whatever is not done yet, and return what every part predicts.

    Says how much there is to do, and how long it may take once that can be told.
    """
    left = sum(part.work for part in parts if not part.is_done)
    spent, done, found = 0.0, 0, []
    for number, part in enumerate(parts, start=1):
        if part.is_done:
            claim(part.folder, part.config.to_dict(), fingerprint(part.task))
            found.append(_read(part.folder / _PREDICTIONS))
            continue
        minutes = f", about {left * spent / done / 60:.0f} min" if done else ""
        _log.info(
            "training %d of %d: %s; %s steps of a model are left in all%s",
            *(number, len(parts), part.name, f"{left:,}", minutes),
        )
        began = time.perf_counter()
        found.append(_train(part, trackers if part.outer is None else ()))
        spent += time.perf_counter() - began
        done, left = done + part.work, left - part.work
    return found


def held_out(part: Part, predictions: Predictions) -> np.ndarray:
    """Counts of held-out speakers, float `[outer folds, arms, speakers, C, C]`."""
    speaker = part.task.corpus.column("speaker")
    assert part.outer is not None
    return inner_counts(
        predictions, part.task.protocol, part.layout, part.outer, speaker
    )


def _train(part: Part, trackers: Sequence[MakeTracker]) -> Predictions:
    """Train a part; its predictions are written last, and say that it is done."""
    trained = train(part.config, part.task, part.layout, part.folder, trackers=trackers)
    if part.outer is None:
        evaluate(part.config, part.task, part.layout, trained)
    run = Run(part.task, part.layout, trained.program)
    scorer = SCORERS[part.task.protocol.kind]
    predictions = scorer.predict(run, trained.state.best)
    if jax.process_index() == 0:
        with open_whole(part.folder / _PREDICTIONS, "wb") as file:
            np.savez_compressed(
                file, rows=predictions.rows, label_logits=predictions.label_logits
            )
        if part.outer is not None:
            # They are many, and their scores are all that is asked of them.
            (part.folder / "checkpoints").rmtree()
    return predictions


def _read(path: epath.Path) -> Predictions:
    try:
        with path.open("rb") as file, np.load(file) as found:
            return Predictions(found["rows"], label_logits=found["label_logits"])
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise WorkdirError(
            f"{path} is damaged ({error}): without it the same command makes it anew"
        ) from None
