"""Which recordings are meant: files, folders, patterns, manifests, lists, windows."""

import glob
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.corpora.manifest import read_manifest

SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aiff", ".aif", ".au", ".caf", ".w64", ".sph"),
)
"""What is taken for audio in a folder; a file that is named may end in anything."""

MANIFESTS = (".csv", ".jsonl")

Report = Callable[[str], None]
"""Is told, in a line, what cannot be predicted and why."""


class Clip(NamedTuple):
    """A recording, or a cut of one.

    Attributes:
      file: where it is.
      name: what it is called in the output.
      start: in seconds.
      end: in seconds; None is the end of the file.
      dialogue: clips that follow each other and share it are heard together; an empty
        string stands for a clip by itself.
      speaker: who talks, within a dialogue.
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
        `*`, `?` or `[`; a manifest (`.csv` or `.jsonl`) with a column `file`,
        relative to its folder, and perhaps `start`, `end`, `dialogue` and `speaker`;
        or `-`, for `listed`.
      listed: paths, one a line; read as they are needed.
      report: told of what names nothing.
    """
    for word in arguments:
        scheme = word.split("://")[0] if "://" in word else ""
        if not word or scheme not in ("", "gs", "s3", "file"):
            report(f"{word!r}: neither a path nor an address that can be read")
            continue
        path = epath.Path(word)
        if word == "-":
            lines = (line.rstrip("\r\n") for line in listed)
            yield from (Clip(line, line) for line in lines if line)
        elif path.is_dir():
            yield from _or_nothing(_inside(path), f"{word}: holds no audio", report)
        elif path.suffix.lower() in MANIFESTS:
            try:
                yield from _of_manifest(path)
            except (OSError, ValueError) as error:
                report(str(error))
        elif not path.exists() and glob.has_magic(word):
            yield from _or_nothing(_matching(word), f"{word}: no such file", report)
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
    """Every clip in windows, each heard by itself; see `windows`."""
    for clip in clips:
        end = _duration(clip.file) if clip.end is None else clip.end
        if end is None:
            # Reading it will say what is wrong with it.
            yield clip
            continue
        for start, stop in windows(end - clip.start, window, hop):
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
    """Seconds, as the header says; None where it cannot be read."""
    import soundfile

    try:
        with epath.Path(file).open("rb") as handle:
            return soundfile.info(handle).duration
    except (OSError, TypeError, soundfile.SoundFileError):
        return None


def _or_nothing(
    found: Iterable[epath.Path], reason: str, report: Report
) -> Iterator[Clip]:
    empty = True
    for path in found:
        empty = False
        yield Clip(str(path), str(path))
    if empty:
        report(reason)


def _inside(folder: epath.Path) -> Iterator[epath.Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _inside(path)
        # macOS leaves a `._NAME` beside many a file.
        elif path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            yield path


def _matching(pattern: str) -> list[epath.Path]:
    return [epath.Path(name) for name in sorted(glob.glob(pattern, recursive=True))]


def _of_manifest(path: epath.Path) -> list[Clip]:
    columns = read_manifest(path, required=("file",))
    rows = [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]
    return [_clip(path, number, row) for number, row in enumerate(rows, start=1)]


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
