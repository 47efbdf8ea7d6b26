"""From files to a corpus of features: parallel, and it goes on where it stopped.

A working folder holds `settings.json`, `parts/` and, at the end, `problems.csv` and
`arrays/`, the corpus. What ends up in them depends on the recordings and the settings
alone: not on the number of processes, nor on how often the work was interrupted.
"""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from dann_jax.corpora.corpus import Corpus, CorpusError, check
from dann_jax.features.catalogue import make_extractor
from dann_jax.features.extractor import Extractor
from dann_jax.features.joining import (
    SAME,
    Problem,
    find_problems,
    join_tables,
    join_values,
    shapes,
    write_problems,
)
from dann_jax.features.parts import (
    Features,
    Item,
    MakeExtractor,
    Part,
    Task,
    extractors,
    read_part,
)
from dann_jax.features.pool import write_parts
from dann_jax.features.settings import claim, settings_of
from dann_jax.progress import Progress
from dann_jax.store.arrays import open_arrays, write_arrays
from dann_jax.utils.cores import usable_cores

TIMEOUT = 300.0
"""Seconds that one utterance may take."""

_CHUNK = 32
_log = logging.getLogger(__name__)


class Extraction(NamedTuple):
    """What came out of it.

    Attributes:
      corpus: the utterances that could be used, in the order of the manifest, their
        features memory-mapped, with the columns `duration` and `audio_hash` added.
      problems: in the order of the manifest.
    """

    corpus: Corpus
    problems: Sequence[Problem]


def extract(
    columns: Mapping[str, np.ndarray],
    root: epath.PathLike | Mapping[str, epath.PathLike],
    features: Features,
    folder: epath.PathLike,
    *,
    name: str,
    workers: int = 0,
    strict: bool = False,
    timeout: float = TIMEOUT,
    make: MakeExtractor = make_extractor,
) -> Extraction:
    """Compute the features of a corpus of audio.

    Args:
      columns: column -> string array `[N]`, with `utt_id`, `speaker` and `file` (for
        features of text also `text`). Where there is a `start` and an `end`, they are
        a cut of the file in seconds.
      root: the folder that `file` is relative to, or one for each value of the column
        `corpus`.
      features: word of an extractor -> its parameters.
      folder: to work in, on a local disk. What an earlier call left there goes on.
      name: of the corpus.
      workers: processes; 0 for one a core.
      strict: raise an error where a file cannot be used, after all were tried.
      timeout: seconds that one utterance may take.
      make: from a word and parameters to an extractor; a function of a module, as it
        is sent to other processes.

    Returns:
      The corpus and the list of problems, which `problems.csv` holds too.

    Raises:
      CorpusError: the columns are not sound, the folder holds features made in another
        way, no file can be used, or, if `strict`, one cannot.
    """
    # What would be refused at the end is refused before the work.
    check(Corpus(name, columns, {}, {})).dialogues()
    folder = epath.Path(folder)
    settings = settings_of(columns, features, make)
    claim(folder, settings)
    items = _items(columns, root, settings)
    task = Task(
        folder=os.fspath(folder / "parts"),
        features=json.dumps(features),
        make=make,
        timeout=timeout,
    )
    _make_parts(task, items, workers or usable_cores())
    parts = _parts(folder / "parts")
    problems = find_problems(columns, parts)
    write_problems(folder / "problems.csv", problems)
    _report(folder / "problems.csv", problems, len(items), strict)
    made = extractors(make, task.features)
    table = join_tables(Corpus(name, columns, {}, {}, settings), made, parts)
    return Extraction(check(_arrays(folder / "arrays", table, made, parts)), problems)


def _items(
    columns: Mapping[str, np.ndarray],
    root: epath.PathLike | Mapping[str, epath.PathLike],
    settings: Mapping[str, Any],
) -> list[Item]:
    empty = np.full(len(columns["utt_id"]), "")
    rates = {made["sample_rate"] for made in settings["features"].values()}
    needed = {"text"} if None in rates else set()
    needed |= {"file"} if rates - {None} else set()
    for column in needed - set(columns):
        raise CorpusError(f"the features need a column {column!r}")
    roots = root if isinstance(root, Mapping) else None
    names = ("file", "start", "end", "text", "corpus")
    rows = zip(*(columns.get(name, empty).tolist() for name in names), strict=True)
    return [
        Item(
            row=row,
            path=os.path.join(roots[corpus] if roots else root, file) if file else "",
            start=float(start or 0),
            end=float(end) if end else None,
            text=text,
        )
        for row, (file, start, end, text, corpus) in enumerate(rows)
    ]


def _make_parts(task: Task, items: Sequence[Item], workers: int) -> None:
    """Write the parts that are not there."""
    done = _done(_parts(epath.Path(task.folder)))
    left = [item for item in items if item.row not in done]
    if not left:
        return
    if done:
        _log.info("going on: %d of %d utterances are done", len(done), len(items))
    chunks = _chunks(left, workers)
    with Progress(
        "features", total=len(items), unit="utterance", done=len(done)
    ) as progress:
        for number in write_parts(task, chunks, min(workers, len(chunks))):
            progress.update(number)


def _done(parts: Sequence[Part]) -> set[int]:
    """The rows that are done; those with errors are tried again."""
    return {int(row) for part in parts for row in part.arrays["row"]}


def _chunks(items: Sequence[Item], workers: int) -> list[list[Item]]:
    """Longest first, and not much in any: so that all processes end together."""
    cost = {item: _cost(item) for item in items}
    share = sum(cost.values()) / (16 * workers)
    chunks: list[list[Item]] = [[]]
    for item in sorted(items, key=lambda item: (-cost[item], item.row)):
        full = len(chunks[-1]) == _CHUNK or sum(map(cost.get, chunks[-1])) >= share
        if chunks[-1] and full:
            chunks.append([])
        chunks[-1].append(item)
    return chunks


def _cost(item: Item) -> float:
    """About proportional to the work: seconds of a cut, else bytes of the file."""
    if item.end is not None:
        return (item.end - item.start) * 32000
    try:
        return float(os.stat(item.path).st_size)
    except (OSError, ValueError):
        return 0.0


def _parts(folder: epath.Path) -> list[Part]:
    """Every part that can be read, without its feature vectors."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        part = read_part(path)
        if part is None:
            # A machine that lost power may leave one; its work is done again.
            path.unlink()
        else:
            found.append(part)
    return found


def _report(
    path: epath.Path, problems: Sequence[Problem], utterances: int, strict: bool
) -> None:
    """Say how many problems there are; refuse what cannot go on."""
    errors = [problem for problem in problems if problem.severity == "error"]
    same = {problem.utt_id for problem in problems if problem.reason.startswith(SAME)}
    if same:
        _log.warning("%d utterances are the same sound as another", len(same))
    warned = {problem.utt_id for problem in problems} - same
    warned -= {problem.utt_id for problem in errors}
    if warned:
        _log.warning("%d utterances are silent, clipped, short or long", len(warned))
    if problems:
        _log.warning("until the store is there, the list is %s", path)
    if not errors:
        return
    first = errors[0]
    text = (
        f"{len(errors)} of {utterances} utterances cannot be used, such as "
        f"{first.utt_id!r} ({first.reason})"
    )
    if strict or len(errors) == utterances:
        raise CorpusError(f"{text}; all of them are in {path}")
    _log.warning("%s; they are left out", text)


def _arrays(
    folder: epath.Path, table: Corpus, made: Sequence[Extractor], parts: Sequence[Part]
) -> Corpus:
    """The corpus, from the folder if an earlier run got as far."""
    if folder.exists():
        corpus = open_arrays(folder)
        if np.array_equal(corpus.columns["utt_id"], table.columns["utt_id"]):
            return corpus
        # A file was mended since.
        folder.rmtree()
    return write_arrays(folder, table, shapes(made, parts), join_values(made, parts))
