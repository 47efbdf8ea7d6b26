"""Metrics of a run, as JSON lines and for whatever else tracks it."""

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from etils import epath

from dann_jax.training.trackers import MakeTracker, Tracker
from dann_jax.utils.files import write_whole

_log = logging.getLogger(__name__)


class MetricWriter:
    """Adds one JSON object a call to `metrics.jsonl` in `directory`.

    The file is written anew each time, since not every store can append to one. Of
    several processes the first alone writes.

    Args:
      directory: of the run.
      resume_step: what was written after this step by an earlier, interrupted
        process is dropped: the steps will be taken again.
      trackers: that are given the same. One that fails later on is told of and left
        out; the run goes on.

    Raises:
      ValueError: `metrics.jsonl` is damaged, or a tracker cannot be made.
    """

    def __init__(
        self,
        directory: epath.Path,
        *,
        resume_step: int = 0,
        trackers: Sequence[MakeTracker] = (),
    ) -> None:
        self._path = directory / "metrics.jsonl"
        self._trackers: list[Tracker] = []
        if jax.process_index():
            return
        self._lines = [
            line + "\n"
            for line, metrics in _whole_lines(self._path)
            if metrics["step"] <= resume_step
        ]
        write_whole(self._path, "".join(self._lines))
        for make in trackers:
            self._trackers.append(_made(make, directory, resume_step))

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record scalars of one step."""
        if jax.process_index():
            return
        self._lines.append(json.dumps({"step": step, **metrics}) + "\n")
        write_whole(self._path, "".join(self._lines))
        self._each(lambda tracker: tracker.write(step, metrics))

    def close(self) -> None:
        self._each(lambda tracker: tracker.close())

    def _each(self, act: Callable[[Tracker], None]) -> None:
        """Do something with every tracker; one that fails is not asked again."""
        for tracker in [*self._trackers]:
            try:
                act(tracker)
            # It is code of others, which a network may fail: no reason to stop a run.
            except Exception as error:
                self._trackers.remove(tracker)
                _log.warning(
                    "the tracker %s failed and gets no more metrics (%s: %s); all of "
                    "them are in %s",
                    *(type(tracker).__name__, type(error).__name__, error, self._path),
                )


def _made(make: MakeTracker, directory: epath.Path, resume_step: int) -> Tracker:
    try:
        return make(str(directory), resume_step)
    except Exception as error:
        name = getattr(make, "__name__", make)
        raise ValueError(
            f"the tracker {name} cannot be used ({type(error).__name__}: {error})"
        ) from error


@contextlib.contextmanager
def open_writer(
    directory: epath.Path, *, resume_step: int, trackers: Sequence[MakeTracker] = ()
) -> Iterator[MetricWriter]:
    """`MetricWriter`, closed at the end."""
    writer = MetricWriter(directory, resume_step=resume_step, trackers=trackers)
    try:
        yield writer
    finally:
        writer.close()


def read_metrics(directory: epath.Path) -> list[dict[str, float]]:
    """The lines of `metrics.jsonl`, one an epoch; none where there is no such file.

    Half a line at the end is none: a process was killed, or a copy was cut off.

    Raises:
      ValueError: another line does not hold numbers by name.
    """
    return [metrics for _, metrics in _whole_lines(directory / "metrics.jsonl")]


def _whole_lines(path: epath.Path) -> list[tuple[str, dict[str, float]]]:
    """The lines of a file of metrics, and what is in them."""
    try:
        lines = path.read_text().splitlines() if path.exists() else []
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            metrics = json.loads(line)
        except (ValueError, RecursionError):
            if number == len(lines):
                break
            metrics = None
        if not _holds_metrics(metrics):
            raise ValueError(
                f"{path}, line {number}: must be a JSON object of numbers with a step; "
                f"it is damaged. Without this line all else can be used: remove it"
            )
        records.append((line, metrics))
    return records


def _holds_metrics(value: Any) -> bool:
    if not isinstance(value, dict) or type(value.get("step")) is not int:
        return False
    return all(type(number) in (int, float) for number in value.values())
