"""Progress: a bar on a terminal, elsewhere a line now and then."""

import logging
import shutil
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

_log = logging.getLogger(__name__)

PARTS = 10
"""So many lines where there is no terminal,"""

SECONDS = 60.0
"""and one after so many seconds without any."""


class Progress:
    """Of a piece of work whose length is known; a context manager.

    Example:
      >>> with Progress("features", total=3, unit="file") as progress:
      ...     progress.update(3)
    """

    def __init__(self, doing: str, *, total: int, unit: str, done: int = 0) -> None:
        """Begin.

        Args:
          doing: a word for it.
          total: its length.
          unit: of its length.
          done: how much of it was done before.
        """
        size = shutil.get_terminal_size()
        # disable=None: no bar where the output is not a terminal.
        self._bar = tqdm(
            total=total,
            initial=done,
            desc=doing,
            unit=unit,
            disable=None,
            smoothing=0.05,
            # A terminal may claim to have no size; tqdm would then show nothing.
            ncols=size.columns,
            nrows=size.lines,
        )
        self._doing, self._unit, self._note = doing, unit, ""
        self._total, self._done, self._start = max(total, 1), done, done
        self._began = self._said = time.monotonic()

    def __enter__(self) -> Self:
        if self._bar.disable:
            _log.info("%s ...", self._doing)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def now(self, doing: str) -> None:
        """What is done from here on; what came before says nothing of its pace."""
        if doing == self._doing:
            return
        self._doing, self._start, self._began = doing, self._done, time.monotonic()
        self._bar.set_description(doing)

    def note(self, note: str) -> None:
        """What stands beside it, such as a loss."""
        self._note = f", {note}" if note else ""
        self._bar.set_postfix_str(note)

    def update(self, number: int = 1) -> None:
        """So much more is done."""
        tenth = PARTS * self._done // self._total
        self._done += number
        self._bar.update(number)
        late = time.monotonic() - self._said > SECONDS
        if self._bar.disable and (late or PARTS * self._done // self._total > tenth):
            self._said = time.monotonic()
            _log.info("%s", str(self))

    def __str__(self) -> str:
        """How far it is, and how long it will take.

        Example:
          >>> str(Progress("features", total=4, unit="file", done=1))
          'features: 1 of 4 files (25 %)'
        """
        done, taken = self._done - self._start, time.monotonic() - self._began
        # The first may have waited for what is done once, such as compiling.
        left = taken / done * (self._total - self._done) if done > 1 else 0
        return (
            f"{self._doing}: {self._done} of {self._total} {self._unit}s "
            f"({self._done / self._total:.0%})".replace("%", " %")
            + self._note
            + (f", {tqdm.format_interval(left)} left" if left else "")
        )
