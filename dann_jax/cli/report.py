"""`dann-report`: the page, the tables and the figures of finished runs."""

import sys

from absl import app, flags
from etils import epath

from dann_jax.cli.console import exit_with_message
from dann_jax.report.figures import forest_plot
from dann_jax.report.page import report_page
from dann_jax.report.run import read_run
from dann_jax.report.tables import result_table, side_by_side
from dann_jax.workdir import write_whole

_WORKDIR = flags.DEFINE_string("workdir", None, "A finished run.")
_FIGURE = flags.DEFINE_string(
    "figure", None, "Where else to draw the forest plot (.svg, .png or .pdf)."
)
_COMPARE = flags.DEFINE_bool(
    "compare", False, "Put the runs named as arguments into one table instead."
)


def main(arguments: list[str]) -> None:
    """Print, write and draw."""
    runs = arguments[1:]
    if bool(runs) != _COMPARE.value or bool(runs) == bool(_WORKDIR.value):
        raise app.UsageError("give --workdir=W, or --compare W1 W2 ...")
    with exit_with_message():
        if _COMPARE.value:
            found = map(read_run, runs)
            print(side_by_side({run.name: run.results for run in found}))
            return
        run = read_run(_WORKDIR.value)
        print(result_table(run.results))
        page = epath.Path(_WORKDIR.value) / "report.html"
        write_whole(page, report_page(run))
        print(f"report: {page}", file=sys.stderr)
        if _FIGURE.value:
            forest_plot(run.results, _FIGURE.value)


def run() -> None:
    """Console entry point."""
    app.run(main)


if __name__ == "__main__":
    sys.exit(run())
