"""Sound that is predicted while it comes."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from dann_jax.bundle.model import Bundle
from dann_jax.bundle.pace import Pace
from dann_jax.bundle.predictions import ClipPrediction
from dann_jax.bundle.recordings import Clip, Report
from dann_jax.data.features.audio import AudioError

_log = logging.getLogger(__name__)


class Stream(NamedTuple):
    """Sound that comes.

    Attributes:
      read: from a number of samples to int16 `[n]` or `[n, channels]`; it waits until
        all have come, and has fewer at the end alone.
      sample_rate: in Hz.
    """

    read: Callable[[int], np.ndarray]
    sample_rate: int


class Window(NamedTuple):
    """A cut of a stream: where it begins, in seconds, and its samples."""

    start: float
    samples: np.ndarray


def live_windows(stream: Stream, *, window: float, hop: float) -> Iterator[Window]:
    """The windows of `recordings.windows`, each as soon as its sound has come.

    Args:
      stream: what comes.
      window: seconds, above 0.
      hop: seconds from one to the next, above 0 and at most `window`.

    Example:
      >>> sound = iter(np.split(np.arange(10, dtype=np.int16), [4, 7]))
      >>> stream = Stream(lambda count: next(sound, np.zeros(0, np.int16)), 1)
      >>> [(int(start), samples.tolist()) for start, samples in
      ...  live_windows(stream, window=4.0, hop=3.0)]
      [(0, [0, 1, 2, 3]), (3, [3, 4, 5, 6]), (6, [6, 7, 8, 9])]
    """
    rate = stream.sample_rate
    size, step = round(window * rate), max(round(hop * rate), 1)
    held = stream.read(size)
    if len(held):
        yield Window(0.0, held)
    reached = len(held)
    while reached >= size and len(new := stream.read(step)):
        held = np.concatenate([held, new])[-size:]
        reached += len(new)
        yield Window((reached - size) / rate, held)
        if len(new) < step:
            return


def warm_up(bundle: Bundle, *, window: float, sample_rate: int) -> None:
    """Compile what windows of this length need: the first is then as quick as any."""
    noise = np.random.default_rng(0).normal(0, 0.1, round(window * sample_rate))
    bundle.predict(noise, sample_rate)


def predict_live(
    bundle: Bundle,
    windows: Iterable[Window],
    sample_rate: int,
    *,
    report: Report,
    reject: float = 0.0,
) -> Iterator[ClipPrediction]:
    """Predict windows of a stream, each as soon as it comes.

    Args:
      bundle: the model.
      windows: from `live_windows`.
      sample_rate: of their samples, in Hz.
      report: called with a line for each that cannot be predicted.
      reject: as in `Bundle.predict`.
    """
    pace, took = Pace(), []
    for start, samples in windows:
        duration = len(samples) / sample_rate
        began = time.monotonic()
        try:
            prediction = bundle.predict(samples, sample_rate, reject=reject)
        except AudioError as error:
            report(f"-, from {start:.2f} s: {error}")
            continue
        took.append(time.monotonic() - began)
        pace.add("-", start, start + duration)
        yield ClipPrediction(Clip("-", "-", start), duration, prediction)
    if took:
        _log.info(
            "%d windows, each in %.3g s (median); without the waiting %s",
            *(len(took), np.median(took), pace.said(sum(took))),
        )
