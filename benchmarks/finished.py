"""What runs that have ended predict for the rows that their folds test."""

import pathlib

import numpy as np
from etils import epath

from benchmarks.folds import Folds
from dann_jax.evaluation.scorers.table import SCORERS
from dann_jax.experiment.restored import config_of, restored
from dann_jax.experiment.train import build_for_workdir
from dann_jax.experiment.workdir import claim_data
from dann_jax.tasks.fingerprint import fingerprint
from dann_jax.training.run import Run
from dann_jax.utils.files import open_whole


def predicted(
    workdir: pathlib.Path, source: pathlib.Path
) -> tuple[Folds, dict[str, np.ndarray]]:
    """The folds of a run, and its predictions.

    They are kept beside the run, because to restore it takes a while.

    Args:
      workdir: of a run that has ended, with its checkpoints.
      source: where its data are now, `data.source` of its config.

    Returns:
      The folds, and arm -> logits `[folds, seeds, tested rows, classes]`, NaN where a
      fold does not test a row.

    Raises:
      WorkdirError: there is no run, its training has not ended, or these are not its
        data.
    """
    config, kept = config_of(epath.Path(workdir)), workdir / "predictions.npz"
    config.data.source = str(source)
    config.lock()
    task, layout = build_for_workdir(workdir, config)
    claim_data(epath.Path(workdir), fingerprint(task))
    if not kept.exists():
        trained = restored(config, task, layout, epath.Path(workdir))
        scorer = SCORERS[task.protocol.kind]
        found = scorer.predict(Run(task, layout, trained.program), trained.state.best)
        with open_whole(kept, "wb") as file:
            np.savez_compressed(file, label_logits=found.label_logits)
    with np.load(kept) as file:
        logits = file["label_logits"]
    logits = logits.reshape(len(layout.folds), len(layout.seeds), *logits.shape[1:])
    folds = Folds(task.corpus, task.protocol, len(layout.seeds))
    return folds, {arm: logits[:, :, index] for index, arm in enumerate(layout.arms)}
