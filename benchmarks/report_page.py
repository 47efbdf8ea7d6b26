"""How large the page of a run is, how long it takes to make and to open.

    python -m benchmarks.report_page RUN ... [--rounds=5]

needs a Chromium. Opening ends with the browser's load event, when the page's scripts
have drawn everything.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

from benchmarks.browser import browser, find_browser
from dann_jax.report.page import report_page
from dann_jax.report.run import read_run


def main(words: list[str] | None = None) -> None:
    """A line for every run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args(words)
    executable = find_browser()
    if executable is None:
        sys.exit("error: no chromium here (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as folder, browser(executable) as tab:
        tab.show_as(scheme="light")
        for run in wanted.runs:
            made, opened = [], []
            for _ in range(wanted.rounds):
                begun = time.perf_counter()
                text = report_page(read_run(run))
                made.append(time.perf_counter() - begun)
                page = pathlib.Path(folder) / "report.html"
                page.write_text(text)
                opened.append(tab.open(page))
            print(
                f"{run}: {page.stat().st_size / 1e6:.2f} MB, made in "
                f"{statistics.median(made):.2f} s, opened in "
                f"{statistics.median(opened):.2f} s (median of {wanted.rounds})"
            )


if __name__ == "__main__":
    main()
