"""Everything that `dann-report` leaves in a work directory."""

import re

from etils import epath

from dann_jax.report.analysis_tables import analysis_tables
from dann_jax.report.choice_tables import choice_tables
from dann_jax.report.figures import write_figures
from dann_jax.report.page import report_page
from dann_jax.report.run import RunFiles, read_run
from dann_jax.report.sections.calibration import calibration_tables
from dann_jax.report.table import Table, comma_separated, latex, markdown
from dann_jax.report.tables import result_tables
from dann_jax.report.target import target_tables
from dann_jax.utils.files import write_whole

_FORMATS = {
    "csv": comma_separated,
    "md": lambda table: f"{markdown(table)}\n",
    "tex": latex,
}


def write_page(workdir: epath.PathLike) -> epath.Path:
    """Write `report.html` of a finished run.

    Raises:
      WorkdirError: it is no finished run.
    """
    path = epath.Path(workdir) / "report.html"
    write_whole(path, report_page(read_run(workdir)))
    return path


def write_everything(run: RunFiles, folder: epath.Path) -> list[epath.Path]:
    """Write page, figures and tables of a run; the files, the page first."""
    page = folder / "report.html"
    write_whole(page, report_page(run))
    tables = [
        *result_tables(run.results),
        *target_tables(run.results),
        *choice_tables(run.results),
        *calibration_tables(run),
        *analysis_tables(run),
    ]
    return [
        page,
        *write_figures(run, folder / "figures"),
        *write_tables(tables, folder / "tables"),
    ]


def write_tables(tables: list[Table], folder: epath.Path) -> list[epath.Path]:
    """Write each table as CSV, Markdown and LaTeX; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in tables:
        # Names of arms come from configs and may hold anything.
        name = re.sub(r"[^\w.-]+", "_", table.name)
        for suffix, words in _FORMATS.items():
            written.append(folder / f"{name}.{suffix}")
            write_whole(written[-1], words(table))
    return written
