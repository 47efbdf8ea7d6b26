"""`dann-adapt`: a labelled store and one's own recordings in, their emotions out."""

import functools
import sys

from absl import flags
from ml_collections import ConfigDict

from dann_jax.cli import command
from dann_jax.cli.configured import run_with_config
from dann_jax.cli.console import exit_with_message, start_logging
from dann_jax.cli.devices import define_cpu_devices, use_devices
from dann_jax.cli.signals import ends_at_once
from dann_jax.cli.train import saved_in
from dann_jax.experiment.adapt import adapt
from dann_jax.report.exports import write_page
from dann_jax.report.tables import result_table
from dann_jax.utils.text import one_line

USAGE = """\
dann-adapt --data.source=STORE --to=RECORDINGS --workdir=DIR [--config.KEY=VALUE ...]

Adapts to recordings that have no labels, and predicts them. STORE is a labelled corpus,
as dann-prepare makes it; RECORDINGS is a folder of sound files, a table (.csv, .tsv,
.jsonl or .xlsx) with a column `file`, a single file, or another store. Their features
are made as those of STORE were. Leaves DIR/predictions.csv, DIR/bundle for
dann-predict, and DIR/report.html with what can be said of it without labels:
docs/adaptation.md says what cannot. Stopped at any moment, the same command goes on."""

_FLAGS = flags.FlagValues()
_SOURCE = flags.DEFINE_string(
    "data.source",
    None,
    "The labelled corpus: a prepared store or a feature table.",
    flag_values=_FLAGS,
)
_TO = flags.DEFINE_string(
    "to",
    None,
    "The recordings to adapt to; emotions that a manifest or a store has of them are "
    "not used.",
    flag_values=_FLAGS,
)
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Where everything is left; an earlier run goes on.",
    flag_values=_FLAGS,
)
_SPEAKERS = flags.DEFINE_string(
    "speakers",
    "",
    "Who speaks in a recording: `folder`, for the folder that it lies in, or a regular "
    "expression that finds the name in its path. If unset, what a manifest says, or "
    "else one person.",
    flag_values=_FLAGS,
)
_ENCODER = flags.DEFINE_string(
    "encoder",
    None,
    "Folder of the pretrained encoder that made the features of the source, where it "
    "lies elsewhere than the Hugging Face cache.",
    flag_values=_FLAGS,
)
_LABELLED = flags.DEFINE_integer(
    "labelled_target",
    0,
    "So many recordings of each class are trained on with the emotion that a manifest "
    "or a store has of them.",
    lower_bound=0,
    flag_values=_FLAGS,
)
_TEST_LABELS = flags.DEFINE_bool(
    "test_labels",
    False,
    "Score the predictions by the emotions that a manifest or a store has of the "
    "recordings; they are used for nothing else.",
    flag_values=_FLAGS,
)
_CONFIG = flags.DEFINE_string(
    "config",
    "configs/adapt.py",
    "The experiment, whose protocol.split is adapt: FILE, or FILE:VARIANT.",
    flag_values=_FLAGS,
)
_DEVICES = define_cpu_devices(_FLAGS)


def main(words: list[str], config: ConfigDict) -> None:
    """Adapt, predict, print; exit with 1 if a recording could not be used."""
    command.require_no_arguments(words)
    command.require_flags(_SOURCE, _TO, _WORKDIR)
    start_logging()
    use_devices(_DEVICES.value)
    saved = ends_at_once(functools.partial(saved_in, _WORKDIR.value))
    with exit_with_message(writes_to=_WORKDIR.value), saved:
        with config.unlocked():
            config.data.source = _SOURCE.value
            config.protocol.labelled_target = _LABELLED.value
            config.protocol.split_args.score_target = _TEST_LABELS.value
        adapted = adapt(
            config,
            _TO.value,
            _WORKDIR.value,
            speakers=_SPEAKERS.value,
            encoder=_ENCODER.value,
        )
        print(result_table(adapted.results))
        print(f"\npredictions: {adapted.predictions}")
        print(f"report: {write_page(_WORKDIR.value)}")
    for file in adapted.silent:
        print(
            f"warning: {one_line(file)} is silent: its prediction means nothing",
            file=sys.stderr,
        )
    for problem in adapted.left_out:
        print(f"error: {one_line(problem)}", file=sys.stderr)
    if adapted.left_out:
        sys.exit(1)


def run() -> None:
    """Console entry point."""
    run_with_config(main, _CONFIG, _FLAGS, USAGE)


if __name__ == "__main__":
    sys.exit(run())
