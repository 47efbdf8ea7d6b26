"""`dann-train`: run or resume an experiment, and print its table."""

import functools
import logging
import pathlib
import sys

import jax
from absl import flags
from etils import epath
from ml_collections import ConfigDict

from dann_jax.bundle.usage import usage
from dann_jax.cli import command
from dann_jax.cli.config import keys
from dann_jax.cli.configured import run_with_config
from dann_jax.cli.console import exit_with_message, start_logging
from dann_jax.cli.devices import define_cpu_devices, use_devices
from dann_jax.cli.options import unset_options
from dann_jax.cli.signals import ends_at_once
from dann_jax.cli.sweep import swept
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.report.choice_tables import run_text
from dann_jax.report.exports import write_page
from dann_jax.report.run import SETTINGS
from dann_jax.training.checkpoint_folders import complete_steps
from dann_jax.training.trackers import TRACKERS
from dann_jax.utils.named import lookup

USAGE = """\
dann-train [--config=FILE[:VARIANT]] [--workdir=DIR] [--config.KEY=VALUE ...]

Trains what a config describes, or what is left of it, prints its table and writes the
page DIR/report.html. Without flags: made-up voices, in about a minute.

Any key of the config can be set, after its dotted name; --show_config lists them:

  --config.data.source=DIR           a feature table or a prepared store
  --config.timetable.epochs=10       how long
  --config.seeds=5                   how many repetitions
  --config.arms.dann.speaker=1.0     how strong the adversary of an arm is
  --sweep=arms.dann.speaker=0.1,1    an arm for every strength in its place
  --config.encoder.width=128         how large the network is
  --config.protocol.labels=anger,neutral   a list
  --config.protocol.split=group_k_fold --config.protocol.split_args.k=5
                                     five groups of speakers, each tested by the others
  --config.objective.label_balanced=True   each class counts alike, however frequent
  --config.selection=source-validation --config.protocol.validation_folds=5
                                     keep the epoch that is best for training speakers
                                     who are held out (never for tested ones)
  --config.timetable.patience=5      with it: stop after 5 epochs without a better one

FILE is looked for from here, then among the configs that come with the package
(voices, synthetic, speakers, lian2019, ...). A stopped run goes on when it is started
again in the same way."""

_FLAGS = flags.FlagValues()
_CONFIG = flags.DEFINE_string(
    "config",
    "configs/voices.py",
    "The experiment: FILE, or FILE:VARIANT where a config has variants.",
    flag_values=_FLAGS,
)
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Where the run keeps its files; an earlier run goes on. runs/NAME_OF_THE_CONFIG if "
    "unset.",
    flag_values=_FLAGS,
)
_SWEEP = flags.DEFINE_multi_string(
    "sweep",
    [],
    "An arm for every strength: --sweep=arms.dann.speaker=0.03,0.1,0.3.",
    flag_values=_FLAGS,
)
_TRACKER = flags.DEFINE_multi_string(
    "tracker",
    [],
    "What else is given the metrics of every epoch: tensorboard, or your own as "
    "package.module:Name (docs/trackers.md).",
    flag_values=_FLAGS,
)
_SHOW = flags.DEFINE_bool(
    "show_config",
    False,
    "Print every key with its value, as it would be run, and stop.",
    flag_values=_FLAGS,
)
_DEVICES = define_cpu_devices(_FLAGS)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    False,
    "One of the processes that Slurm, a TPU VM or Kubernetes started together.",
    flag_values=_FLAGS,
)
_DATA_PARALLEL = flags.DEFINE_integer(
    "data_parallel",
    1,
    "Devices that share the batches of each fold and seed; 0 for all there are to "
    "spare. For fewer folds and seeds than devices.",
    lower_bound=0,
    flag_values=_FLAGS,
)


def main(words: list[str], config: ConfigDict) -> None:
    """Train, evaluate, print, and write the page."""
    command.require_no_arguments(words)
    with exit_with_message():
        config = swept(config, _SWEEP.value)
        trackers = [lookup("--tracker", word, TRACKERS) for word in _TRACKER.value]
    if _SHOW.value:
        shown = sorted([*keys(config), *unset_options(config)])
        print("\n".join(f"{key} = {value!r}" for key, value in shown))
        return
    workdir = _WORKDIR.value or default_workdir(_CONFIG.value)
    start_logging()
    use_devices(_DEVICES.value)
    saved = ends_at_once(functools.partial(saved_in, workdir))
    with exit_with_message(writes_to=workdir), saved:
        if _DISTRIBUTED.value:
            # Before anything asks for a device.
            jax.distributed.initialize()
            if jax.process_index():
                logging.getLogger("dann_jax").setLevel(logging.WARNING)
        results = train_and_evaluate(
            config, workdir, data_parallel=_DATA_PARALLEL.value, trackers=trackers
        )
        if jax.process_index():
            return
        print(run_text(results))
        if config.data.source == "voices" and jax.process_count() == 1:
            print(f"\n{_one_prediction(workdir)}")
        print(f"\nreport: {write_page(workdir)}\n{usage(workdir)}")


def saved_in(workdir: str) -> str:
    """A message on what a run stopped outside of its loop has saved."""
    path = epath.Path(workdir)
    if (path / SETTINGS).exists():
        return "what is trained of its settings is kept; the same command goes on"
    steps = complete_steps(path / "checkpoints")
    if not steps:
        return "no step is saved yet; the same command begins again"
    return f"step {steps[-1]} is saved; the same command goes on from there"


def default_workdir(config: str) -> str:
    """The work directory of a run without --workdir.

    Example:
      >>> default_workdir("configs/speakers.py:emodb")
      'runs/speakers-emodb'
    """
    name, *variant = config.split(":", 1)
    return "/".join(["runs", "-".join([pathlib.Path(name).stem, *variant])])


def _one_prediction(workdir: str) -> str:
    """The prediction for a recording of the test speaker."""
    from dann_jax.bundle import load_bundle
    from dann_jax.data.embedded import voices_folder

    path = min((voices_folder() / "recordings" / "wav").iterdir())
    speaker = path.name.split("_")[0]
    bundle, by = load_bundle(workdir, allow_code=True), "by the models of all folds"
    folds = [member["fold"] for member in bundle.description.members]
    if f"speaker {speaker}" in folds:
        bundle = bundle.member(folds.index(f"speaker {speaker}"))
        by = f"by the model that saw no label of {speaker}"
    prediction = bundle.predict(path)
    probability = prediction.probabilities[prediction.label]
    return (
        f"{path.name}: {prediction.label} ({probability:.0%}), {by}; "
        f"of any recording: dann-predict --model={workdir} {path}"
    )


def run() -> None:
    """Console entry point."""
    run_with_config(main, _CONFIG, _FLAGS, USAGE)


if __name__ == "__main__":
    sys.exit(run())
