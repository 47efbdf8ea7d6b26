"""A run from its config to its results: `train_and_evaluate(config, workdir)`."""

from collections.abc import Sequence
from typing import Any

from etils import epath
from ml_collections import ConfigDict

from dann_jax.experiment.choose_settings import chooses
from dann_jax.experiment.train import build_for_workdir, train
from dann_jax.experiment.workdir import used_alone
from dann_jax.training.trackers import MakeTracker


def train_and_evaluate(
    config: ConfigDict,
    workdir: epath.PathLike,
    *,
    data_parallel: int = 1,
    trackers: Sequence[MakeTracker] = (),
) -> dict[str, Any]:
    """Run the experiment that `config` describes, or what is left of it.

    On all devices of all processes that `jax.distributed` has joined. Each process
    makes the batches of its own replicas; the first writes everything but checkpoints.

    Args:
      config: as from `configs/*.py`.
      workdir: new, or that of an earlier run of the same config, which is then
        taken up where it stopped and ends with the same numbers, bit for bit.
      data_parallel: see `build_task_and_layout`.
      trackers: what else is given the metrics, `(work directory, step) -> Tracker`; of
        a choice those of its outer folds.

    Returns:
      What `results.json` holds; where that has null, NaN.

    Raises:
      ValueError: the corpus, the protocol, the work directory or another part of the
        input is not what it should be (`CorpusError`, `ProtocolError` and
        `WorkdirError` are kinds of it); nothing has been trained.
      TrainingDiverged: a loss is not finite; the last checkpoint is good.
      Interrupted: SIGTERM or Ctrl-C stopped the training after the state was saved.
    """
    with used_alone(workdir):
        if chooses(config):
            from dann_jax.experiment.choose import choose

            return choose(
                config, workdir, data_parallel=data_parallel, trackers=trackers
            )
        task, layout = build_for_workdir(workdir, config, data_parallel=data_parallel)
        trained = train(config, task, layout, workdir, trackers=trackers)
        # It brings scikit-learn, which takes longer to import than to reach the first
        # step.
        from dann_jax.experiment.evaluate import evaluate

        return evaluate(config, task, layout, trained)
