"""`dann-report`: tables of finished runs again, and a figure."""

import sys
from typing import Any

from absl import app, flags
from etils import epath

from dann_jax.cli.console import exit_with_message
from dann_jax.report.figures import forest_plot
from dann_jax.report.tables import result_table, side_by_side
from dann_jax.workdir import WorkdirError, read_json

_WORKDIR = flags.DEFINE_string("workdir", None, "A finished run.")
_FIGURE = flags.DEFINE_string(
    "figure",
    None,
    "Where to draw it (.svg, .png or .pdf); WORKDIR/results.svg if unset.",
)
_COMPARE = flags.DEFINE_bool(
    "compare", False, "Put the runs named as arguments into one table instead."
)


def main(arguments: list[str]) -> None:
    """Print and draw."""
    runs = arguments[1:]
    if bool(runs) != _COMPARE.value or bool(runs) == bool(_WORKDIR.value):
        raise app.UsageError("give --workdir=W, or --compare W1 W2 ...")
    with exit_with_message():
        if _COMPARE.value:
            print(side_by_side({epath.Path(run).name: _results(run) for run in runs}))
            return
        results = _results(_WORKDIR.value)
        print(result_table(results))
        figure = _FIGURE.value or epath.Path(_WORKDIR.value) / "results.svg"
        forest_plot(results, figure)


def _results(workdir: str) -> dict[str, Any]:
    path = epath.Path(workdir) / "results.json"
    if not path.exists():
        raise WorkdirError(f"{workdir} holds no results.json: no finished run")
    return read_json(path)


def run() -> None:
    """Console entry point."""
    app.run(main)


if __name__ == "__main__":
    sys.exit(run())
