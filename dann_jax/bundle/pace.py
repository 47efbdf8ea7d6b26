"""How far a prediction of many recordings is, and how fast it goes."""

import logging
import time
from collections.abc import Iterable, Iterator

from dann_jax.bundle.predictions import ClipPrediction
from dann_jax.utils.text import one_line

_log = logging.getLogger(__name__)

SECONDS = 10.0
"""Between two lines."""


class Pace:
    """Seconds of sound that were predicted, and seconds that it took.

    What overlaps, as windows do, counts once.

    Example:
      >>> pace = Pace()
      >>> pace.add("talk.wav", 0.0, 3.0), pace.add("talk.wav", 1.0, 4.0)
      (None, None)
      >>> pace.said(2.0)
      '4 s of sound in 2 s: 2 times real time'
    """

    def __init__(self) -> None:
        self._file, self._reached, self._covered = "", 0.0, 0.0

    def add(self, file: str, start: float, end: float) -> None:
        """A cut of a file, from `start` to `end` in seconds, is predicted."""
        if file != self._file:
            self._file, self._reached = file, 0.0
        self._covered += max(end - max(start, self._reached), 0.0)
        self._reached = max(end, self._reached)

    def said(self, seconds: float) -> str:
        """In words, where it took so many seconds."""
        return (
            f"{self._covered:.4g} s of sound in {seconds:.3g} s: "
            f"{self._covered / max(seconds, 1e-9):.3g} times real time"
        )


def with_pace(predictions: Iterable[ClipPrediction]) -> Iterator[ClipPrediction]:
    """The predictions; their pace is logged every ten seconds and at the end.

    The time is all that passes, also that of compiling.
    """
    pace, number = Pace(), 0
    began = said = time.monotonic()
    for number, one in enumerate(predictions, start=1):
        clip, end = one.clip, one.clip.start + one.duration
        pace.add(clip.file, clip.start, end)
        if time.monotonic() - said > SECONDS:
            said = time.monotonic()
            _log.info(
                "%d predicted, %s up to %.0f s; %s",
                *(number, one_line(clip.name), end, pace.said(said - began)),
            )
        yield one
    if number:
        _log.info(
            "%d predicted, %s, with loading and compiling",
            *(number, pace.said(time.monotonic() - began)),
        )
