"""`dann-report`: the table of a finished run again, and its figure."""

import sys

from absl import app, flags
from etils import epath

from dann_jax.cli.console import exit_with_message
from dann_jax.report.figures import forest_plot
from dann_jax.report.tables import result_table
from dann_jax.workdir import WorkdirError, read_json

_WORKDIR = flags.DEFINE_string("workdir", None, "A finished run.", required=True)
_FIGURE = flags.DEFINE_string(
    "figure",
    None,
    "Where to draw it (.svg, .png or .pdf); WORKDIR/results.svg if unset.",
)


def main(arguments: list[str]) -> None:
    """Print and draw."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected argument {arguments[1]!r}")
    with exit_with_message():
        workdir = epath.Path(_WORKDIR.value)
        if not (workdir / "results.json").exists():
            raise WorkdirError(f"{workdir} holds no results.json: no finished run")
        results = read_json(workdir / "results.json")
        print(result_table(results))
        forest_plot(results, _FIGURE.value or workdir / "results.svg")


def run() -> None:
    """Console entry point."""
    app.run(main)


if __name__ == "__main__":
    sys.exit(run())
