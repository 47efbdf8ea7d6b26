"""Pictures of reports, as the documents show them.

    python -m benchmarks.screenshots RUN/report.html docs/report.png [--section=maps]

needs a Chromium, and looks best with the font Inter (Debian: chromium, fonts-inter).
"""

import argparse
import pathlib
import sys
import time

from benchmarks.browser import browser, find_browser


def main(words: list[str] | None = None) -> None:
    """Take one picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--section", default="", help="scroll to it; the top if unset")
    parser.add_argument("--scheme", default="light", choices=["light", "dark"])
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=960)
    wanted = parser.parse_args(words)
    executable = find_browser()
    if executable is None:
        sys.exit("error: no chromium here (Debian: apt-get install chromium)")
    with browser(executable) as tab:
        tab.show_as(width=wanted.width, height=wanted.height, scheme=wanted.scheme)
        tab.open(wanted.page)
        if wanted.section:
            tab.run(
                f"document.querySelector('#{wanted.section}')"
                ".scrollIntoView({behavior: 'instant'})"
            )
        # The contents mark where the reader is once the browser has noticed.
        time.sleep(0.5)
        tab.screenshot(wanted.picture)
    print(f"{wanted.picture}: {wanted.picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
