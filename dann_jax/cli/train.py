"""`dann-train`: run an experiment, or what is left of it, and print its table."""

import os
import sys

import jax
from absl import app, flags
from ml_collections import config_flags

from dann_jax.cli.console import (
    exit_on_unknown_key,
    exit_with_message,
    parse_flags,
    start_logging,
)
from dann_jax.cli.paths import default_config
from dann_jax.experiment import train_and_evaluate
from dann_jax.report.tables import result_table
from dann_jax.training.compilation import use_compilation_cache

# The default is read, and --config.KEY applied to it, as soon as it is defined.
with exit_on_unknown_key():
    _CONFIG = config_flags.DEFINE_config_file(
        "config",
        default_config(),
        "The experiment; any key can be set by --config.KEY=VALUE.",
    )
_WORKDIR = flags.DEFINE_string(
    "workdir",
    "runs/voices",
    "Where the run keeps its files; an earlier run goes on.",
)
_DEVICES = flags.DEFINE_integer(
    "cpu_devices",
    0,
    "Without an accelerator: devices to split the CPU into; 0 for one a core.",
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed",
    False,
    "One of the processes that Slurm, a TPU VM or Kubernetes started together.",
)


def main(arguments: list[str]) -> None:
    """Train, evaluate and print."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected argument {arguments[1]!r}")
    start_logging()
    jax.config.update("jax_num_cpu_devices", _DEVICES.value or os.cpu_count())
    use_compilation_cache()
    with exit_with_message():
        if _DISTRIBUTED.value:
            # Before anything asks for a device.
            jax.distributed.initialize()
        print(result_table(train_and_evaluate(_CONFIG.value, _WORKDIR.value)))
        if _CONFIG.value.data.source == "voices":
            print(f"\n{_one_prediction()}")


def _one_prediction() -> str:
    """What the model hears in one of the embedded recordings, and how to ask it."""
    from dann_jax.bundle import load_bundle
    from dann_jax.corpora.embedded import voices_folder
    from dann_jax.features.audio import read_audio

    path = min((voices_folder() / "recordings" / "wav").iterdir())
    heard = read_audio(path, sample_rate=16000)
    found = load_bundle(_WORKDIR.value).predict(heard.samples, heard.sample_rate)
    return (
        f"{path.name}: {found.label} ({found.probabilities[found.label]:.0%}); "
        f"of any recording: dann-predict --model={_WORKDIR.value} {path}"
    )


def run() -> None:
    """Console entry point."""
    # TensorFlow only feeds batches; its start-up messages help nobody.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    app.run(main, flags_parser=parse_flags)


if __name__ == "__main__":
    sys.exit(run())
