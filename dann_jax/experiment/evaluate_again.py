"""A finished run scored and analysed again, from its last checkpoint."""

from typing import Any

from etils import epath

from dann_jax.experiment.choose import choose_again
from dann_jax.experiment.choose_settings import chooses
from dann_jax.experiment.restored import config_of, evaluate_restored
from dann_jax.experiment.train import build_for_workdir


def evaluate_again(workdir: epath.PathLike, **options: Any) -> dict[str, Any]:
    """Score and analyse a run that has ended, from its last checkpoint.

    Args:
      workdir: of the run; `results.json`, `analysis.json` and the bundle are written
        again. Of a choice those of every setting are too.
      **options: of `analyse`, instead of those in the config of the run.

    Returns:
      What `results.json` holds: the numbers that the run wrote.

    Raises:
      WorkdirError: there is no run in it, or one that has not ended, or one on other
        data.
      CheckpointError: the last checkpoint is damaged.
    """
    workdir = epath.Path(workdir)
    config = config_of(workdir)
    if chooses(config):
        return choose_again(config, workdir, **options)
    task, layout = build_for_workdir(workdir, config)
    return evaluate_restored(config, task, layout, workdir, **options)
