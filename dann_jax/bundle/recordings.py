"""Which recordings are meant: files, folders, patterns, manifests, lists, windows."""

import csv
import glob
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.features.audio import AudioError, sound_duration
from dann_jax.data.features.sound_names import SUFFIXES
from dann_jax.data.features.sound_sizes import SLACK
from dann_jax.data.manifest import read_manifest
from dann_jax.utils.text import one_line
from dann_jax.utils.walk import matching, walk

MANIFESTS = (".csv", ".tsv", ".jsonl", ".xlsx")

_log = logging.getLogger(__name__)

Report = Callable[[str], None]
"""Called with a line on a recording that cannot be predicted, and why."""


class Clip(NamedTuple):
    """A recording, or a cut of one.

    Attributes:
      file: where it is.
      name: what it is called in the output.
      start: in seconds.
      end: in seconds; None is the end of the file.
      dialogue: consecutive clips that share it are predicted together; an empty
        string stands for a clip by itself.
      speaker: name of the speaker within the dialogue.
    """

    file: str
    name: str
    start: float = 0.0
    end: float | None = None
    dialogue: str = ""
    speaker: str = ""


def find_clips(
    arguments: Iterable[str], *, listed: Iterable[str], report: Report
) -> Iterator[Clip]:
    """The recordings that words name, in this order.

    Args:
      arguments: each a file; a folder, for all audio below it, sorted; a pattern with
        `*`, `?` or `[`; a manifest (one of `MANIFESTS`) with a column `file`,
        relative to its folder, and perhaps `start`, `end`, `dialogue` and `speaker`;
        or `-`, for `listed`.
      listed: paths, one a line; read as they are needed.
      report: called for names without recordings.
    """
    for word in arguments:
        path = _path(word, report)
        if path is None:
            continue
        if word == "-":
            for line in listed:
                if (name := line.rstrip("\r\n")) and _path(name, report):
                    yield Clip(name, name)
        elif path.suffix.lower() in MANIFESTS and not path.is_dir():
            yield from _of_manifest(path, report)
        elif glob.has_magic(word) and not os.path.lexists(path):
            matches = matching(word)
            files = [file for match in matches for file in _audio(match)]
            # A folder that a pattern names holds files that it names as well.
            yield from _or_nothing(_once(files), f"{word}: no such file", report)
        elif path.is_dir():
            yield from _or_nothing(_audio(path), f"{word}: holds no audio", report)
        else:
            yield Clip(word, word)


def windows(
    duration: float, window: float, hop: float
) -> Iterator[tuple[float, float]]:
    """Cuts of `window` seconds that cover a recording.

    They start at 0, `hop`, 2 `hop`, ... as long as they end inside the recording. If
    the last of them leaves a rest, one more covers the last `window` seconds. All are
    of one length, unless the recording is shorter than that.

    Args:
      duration: of the recording, in seconds.
      window: seconds, above 0.
      hop: seconds, above 0 and at most `window`, so that nothing is left out.

    Example:
      >>> list(windows(10.0, 4.0, 3.0))
      [(0.0, 4.0), (3.0, 7.0), (6.0, 10.0)]
      >>> list(windows(9.0, 4.0, 4.0))
      [(0.0, 4.0), (4.0, 8.0), (5.0, 9.0)]
      >>> list(windows(1.5, 4.0, 4.0))
      [(0.0, 1.5)]
    """
    if not 0 < hop <= window:
        raise ValueError(
            f"hop must be above 0 and at most the window ({window:g} s), got {hop:g} s"
        )
    reached = 0.0
    for number in itertools.count():
        start, end = number * hop, number * hop + window
        # A sum of rounded seconds may miss the end by a rounding error.
        if end > duration + 1e-9:
            break
        yield start, end
        reached = end
    if reached < duration - 1e-9:
        yield max(duration - window, 0.0), duration


def cut_into_windows(
    clips: Iterable[Clip], *, window: float, hop: float
) -> Iterator[Clip]:
    """Every clip cut into windows, each predicted alone; see `windows`.

    Files are read once to find how long they are, as headers err. What cannot be read,
    or is no cut of its file, stays as it is, so that reading it says what is wrong.
    """
    file, duration = None, None
    for clip in clips:
        if clip.file != file:
            file, duration = clip.file, _duration(clip.file)
        end = duration if clip.end is None else clip.end
        if not duration or not clip.start < end <= duration + SLACK:
            yield clip
            continue
        for start, stop in windows(min(end, duration) - clip.start, window, hop):
            yield clip._replace(
                start=clip.start + start, end=clip.start + stop, dialogue=""
            )


def batches(clips: Iterable[Clip], size: int) -> Iterator[list[Clip]]:
    """Clips in lists of `size`, or more where a dialogue would be cut."""
    batch: list[Clip] = []
    for clip in clips:
        follows = batch and clip.dialogue and clip.dialogue == batch[-1].dialogue
        if len(batch) >= size and not follows:
            yield batch
            batch = []
        batch.append(clip)
    if batch:
        yield batch


def _duration(file: str) -> float | None:
    """Seconds; None where it cannot be read."""
    try:
        return sound_duration(file)
    except AudioError:
        return None


def _path(word: str, report: Report) -> epath.Path | None:
    """Where a word leads; None, and a report, where none can be there."""
    scheme = word.split("://")[0] if "://" in word else ""
    if not word or "\0" in word or scheme not in ("", "gs", "s3", "file"):
        report(f"{word!r}: neither a path nor an address that can be read")
        return None
    return epath.Path(word)


def _audio(path: epath.Path) -> Sequence[epath.Path]:
    """A file itself, or the audio below a folder."""
    if not path.is_dir():
        return [path]
    walked = walk(path, SUFFIXES)
    for note in walked.notes:
        _log.warning("note: %s: %s", one_line(str(path)), note)
    return walked.files


def _or_nothing(
    files: Iterable[epath.Path], reason: str, report: Report
) -> Iterator[Clip]:
    empty = True
    for path in files:
        empty = False
        yield Clip(str(path), str(path))
    if empty:
        report(reason)


def _once(files: Iterable[epath.Path]) -> list[epath.Path]:
    """Each file by the first of its names."""
    first: dict[str, epath.Path] = {}
    for file in files:
        first.setdefault(os.path.realpath(file), file)
    return list(first.values())


def _of_manifest(path: epath.Path, report: Report) -> Iterator[Clip]:
    try:
        columns = read_manifest(path, required=("file",))
    except (OSError, ValueError, csv.Error) as error:
        report(f"{path}: {error}" if str(path) not in str(error) else str(error))
        return
    rows = zip(*columns.values(), strict=True)
    for number, values in enumerate(rows, start=1):
        try:
            yield _clip(path, number, dict(zip(columns, values, strict=True)))
        except ValueError as error:
            report(str(error))
    if not len(columns["file"]):
        report(f"{path}: names no recording")


def _clip(path: epath.Path, number: int, row: dict[str, str]) -> Clip:
    try:
        start = float(row.get("start") or 0.0)
        end = float(row["end"]) if row.get("end") else None
    except ValueError as error:
        raise ValueError(f"{path}, row {number}: start and end: {error}") from None
    if not 0 <= start < (np.inf if end is None else end):
        raise ValueError(
            f"{path}, row {number}: start {start:g} and end "
            f"{'' if end is None else f'{end:g} '}are no cut; expected seconds with "
            f"0 <= start < end"
        )
    if not row["file"]:
        raise ValueError(f"{path}, row {number}: no file is named")
    return Clip(
        file=str(path.parent / row["file"]),
        name=str(row["file"]),
        start=start,
        end=end,
        dialogue=str(row.get("dialogue", "")),
        speaker=str(row.get("speaker", "")),
    )
