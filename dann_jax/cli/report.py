"""`dann-report`: the page, the figures and the tables of finished runs."""

import sys
from collections.abc import Sequence

from absl import app, flags
from etils import epath

from dann_jax.cli import command
from dann_jax.cli.console import exit_with_message
from dann_jax.report.choice_tables import run_text
from dann_jax.report.comparison import comparison_page, run_table
from dann_jax.report.exports import write_everything
from dann_jax.report.figures import forest_plot
from dann_jax.report.run import RunFiles, read_run
from dann_jax.report.table import markdown
from dann_jax.utils.files import write_whole

USAGE = """\
dann-report --workdir=W
dann-report --compare W1 W2 ... [--output=compare.html]

Prints the tables of a finished run and writes W/report.html, a page that is complete in
itself, W/figures/ (SVG, PNG) and W/tables/ (CSV, Markdown, LaTeX)."""

_FLAGS = flags.FlagValues()
_WORKDIR = flags.DEFINE_string("workdir", None, "A finished run.", flag_values=_FLAGS)
_FIGURE = flags.DEFINE_string(
    "figure",
    None,
    "Where to draw the forest plot once more (.svg, .png or .pdf).",
    flag_values=_FLAGS,
)
_COMPARE = flags.DEFINE_bool(
    "compare",
    False,
    "Put the runs named as arguments into one table instead.",
    flag_values=_FLAGS,
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "With --compare: write this page too.", flag_values=_FLAGS
)


def main(arguments: list[str]) -> None:
    """Print tables, write the page and figures, and print their paths."""
    runs = arguments[1:]
    if bool(runs) != _COMPARE.value or bool(runs) == bool(_WORKDIR.value):
        raise app.UsageError("give --workdir=W, or --compare W1 W2 ...")
    if _OUTPUT.value and not runs:
        raise app.UsageError("--output is for --compare; a run keeps its own page")
    with exit_with_message(interrupted="interrupted"):
        if runs:
            _compare(runs)
        else:
            _report(epath.Path(_WORKDIR.value))


def _report(workdir: epath.Path) -> None:
    run = read_run(workdir)
    print(run_text(run.results))
    page, *files = write_everything(run, workdir)
    for name in ("figures", "tables"):
        count = sum(file.parent.name == name for file in files)
        _say(f"{name}: {workdir / name} ({count} files)")
    if _FIGURE.value:
        forest_plot(run.results, _FIGURE.value)
        _say(f"figure: {_FIGURE.value}")
    _say(f"report: {page}")


def _compare(workdirs: Sequence[str]) -> None:
    runs = _named(workdirs)
    print(markdown(run_table({name: run.results for name, run in runs.items()})))
    if _OUTPUT.value:
        write_whole(epath.Path(_OUTPUT.value), comparison_page(runs))
        _say(f"report: {_OUTPUT.value}")


def _named(workdirs: Sequence[str]) -> dict[str, RunFiles]:
    """Runs by the last part of their path, or by the whole path if those repeat."""
    runs = {workdir: read_run(workdir) for workdir in workdirs}
    if len({run.name for run in runs.values()}) == len(runs):
        return {run.name: run for run in runs.values()}
    return runs


def _say(words: str) -> None:
    """Beside the table, not in it."""
    print(words, file=sys.stderr)


def run() -> None:
    """Console entry point."""
    command.run(main, _FLAGS, USAGE)


if __name__ == "__main__":
    sys.exit(run())
