"""Predictions of recordings as tables, a line as soon as it is known."""

import csv
import json
from collections.abc import Iterable, Sequence
from typing import IO, Any

from dann_jax.bundle.predictions import ClipPrediction
from dann_jax.utils.text import encodable, table_cell


def write_csv(
    file: IO[str],
    predictions: Iterable[ClipPrediction],
    columns: Sequence[str],
    *,
    timed: bool,
) -> None:
    """A header, then a line for each clip as soon as its batch is predicted.

    Args:
      file: open for text.
      predictions: from `predict_clips`.
      columns: of the model's predictions.
      timed: whether there are columns `start` and `end`.

    Text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    times = ("start", "end") if timed else ()
    names = ["file", *times, "duration", *columns]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table_cell(name) for name in names)
    for prediction in predictions:
        record = _record(prediction)
        writer.writerow(
            table_cell(cell) if isinstance(cell, str) else cell
            for cell in (record[name] for name in names)
        )
        file.flush()


def write_jsonl(
    file: IO[str],
    predictions: Iterable[ClipPrediction],
    columns: Sequence[str],
    *,
    timed: bool,
) -> None:
    """An object a line with the keys that `write_csv` has for columns."""
    del columns
    for prediction in predictions:
        record = _record(prediction)
        if not timed:
            del record["start"], record["end"]
        print(json.dumps(record), file=file, flush=True)


FORMATS = {"csv": write_csv, "jsonl": write_jsonl}
"""Value of the flag `--format` -> the function that writes it."""


def _record(prediction: ClipPrediction) -> dict[str, Any]:
    clip = prediction.clip
    return {
        "file": encodable(clip.name),
        "start": round(clip.start, 3),
        "end": round(clip.start + prediction.duration, 3),
        "duration": round(prediction.duration, 3),
        **prediction.prediction.cells(),
    }
