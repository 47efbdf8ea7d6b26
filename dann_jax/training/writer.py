"""Metrics of a run, as JSON lines and, where it is installed, for TensorBoard."""

import contextlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from etils import epath

from dann_jax.utils.files import write_whole


class MetricWriter:
    """Adds one JSON object a call to `metrics.jsonl` in `directory`.

    The file is written anew each time, since not every store can append to one. Of
    several processes the first alone writes.

    Args:
      directory: of the run.
      resume_step: what was written after this step by an earlier, interrupted
        process is dropped: the steps will be taken again.
    """

    def __init__(self, directory: epath.Path, *, resume_step: int = 0) -> None:
        self._directory, self._path = directory, directory / "metrics.jsonl"
        self._board = None
        if jax.process_index():
            return
        self._lines = [
            line + "\n"
            for line, metrics in _whole_lines(self._path)
            if metrics["step"] <= resume_step
        ]
        write_whole(self._path, "".join(self._lines))

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record scalars of one step."""
        if jax.process_index():
            return
        self._lines.append(json.dumps({"step": step, **metrics}) + "\n")
        write_whole(self._path, "".join(self._lines))
        if importlib.util.find_spec("tensorboard") is not None:
            # Not before: no first step should wait for this import.
            import tensorflow as tf

            if self._board is None:
                place = self._directory / "tensorboard"
                self._board = tf.summary.create_file_writer(str(place))
            with self._board.as_default(step=step):
                for name, value in metrics.items():
                    tf.summary.scalar(name, value)

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


@contextlib.contextmanager
def open_writer(directory: epath.Path, *, resume_step: int) -> Iterator[MetricWriter]:
    """`MetricWriter`, closed at the end."""
    writer = MetricWriter(directory, resume_step=resume_step)
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
