"""`dann-evaluate`: score and analyse a finished run again, from its checkpoint."""

import sys

from absl import flags

from dann_jax.cli import command
from dann_jax.cli.console import exit_with_message, start_logging
from dann_jax.cli.devices import define_cpu_devices, use_devices
from dann_jax.cli.signals import ends_at_once
from dann_jax.experiment.evaluate_again import evaluate_again
from dann_jax.report.choice_tables import run_text
from dann_jax.report.exports import write_page

USAGE = """\
dann-evaluate --workdir=DIR [--rows=N] [--replicas=N] [--columns=...] [--maps=...]

Scores a finished run again from its last checkpoint, with the same numbers, and writes
results.json, analysis.json, report.html and the bundle anew. The flags make the
analysis fuller (or quicker) than the config of the run asked for; what is not given is
as it was there."""

_FLAGS = flags.FlagValues()
_WORKDIR = flags.DEFINE_string("workdir", None, "A finished run.", flag_values=_FLAGS)
_ROWS = flags.DEFINE_integer(
    "rows",
    None,
    "Rows that are probed and drawn, at most; 0 for no analysis.",
    lower_bound=0,
    flag_values=_FLAGS,
)
_REPLICAS = flags.DEFINE_integer(
    "replicas",
    None,
    "Pairs of a fold and a seed that are probed, at most.",
    lower_bound=1,
    flag_values=_FLAGS,
)
_COLUMNS = flags.DEFINE_list(
    "columns", None, "What fresh probes look for.", flag_values=_FLAGS
)
_MAPS = flags.DEFINE_list(
    "maps", None, "Any of pca, tsne and umap.", flag_values=_FLAGS
)
_DEVICES = define_cpu_devices(_FLAGS)


def main(words: list[str]) -> None:
    """Evaluate and print."""
    command.require_no_arguments(words)
    command.require_flags(_WORKDIR)
    start_logging()
    use_devices(_DEVICES.value)
    flag_of = {"rows": _ROWS, "replicas": _REPLICAS, "columns": _COLUMNS, "maps": _MAPS}
    options = {
        name: tuple(flag.value) if isinstance(flag.value, list) else flag.value
        for name, flag in flag_of.items()
        if flag.value is not None
    }
    with exit_with_message("interrupted; what was there is as it was"):
        workdir = str(_WORKDIR.value)
        print(run_text(evaluate_again(workdir, **options)))
        print(f"\nreport: {write_page(workdir)}")


def run() -> None:
    """Console entry point."""
    with ends_at_once(lambda: "what was there is as it was"):
        command.run(main, _FLAGS, USAGE)


if __name__ == "__main__":
    sys.exit(run())
