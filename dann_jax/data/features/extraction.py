"""From files to a corpus of features: parallel, and it goes on where it stopped.

A working folder holds `settings.json`, `parts/` and, at the end, `problems.csv`,
`recordings.json` and `arrays/`, the corpus. What ends up in them depends on the
recordings and the settings alone: not on the number of processes, nor on how often the
work was interrupted.
"""

import json
import logging
import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import Corpus, CorpusError, check
from dann_jax.data.features.batched_extraction import (
    batched_extractors,
    write_batched_parts,
)
from dann_jax.data.features.catalogue import make_extractor
from dann_jax.data.features.current import Kept, keep_current
from dann_jax.data.features.extraction_worker import (
    Features,
    MakeExtractor,
    Part,
    Task,
    extractors,
    read_part,
)
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.items import Columns, Item, Root, chunks_of, items_of
from dann_jax.data.features.joining import (
    SAME,
    Problem,
    find_problems,
    join_tables,
    join_values,
    shapes,
    unusable,
    write_problems,
)
from dann_jax.data.features.origin import ORIGIN, origin_json
from dann_jax.data.features.pool import write_parts
from dann_jax.data.features.settings import claim, settings_of
from dann_jax.data.store.arrays import write_arrays
from dann_jax.utils.cores import usable_cores
from dann_jax.utils.files import write_whole
from dann_jax.utils.progress import Progress

TIMEOUT = 300.0
"""Seconds that one utterance may take."""

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
    columns: Columns,
    root: Root,
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
    items = items_of(columns, root, settings)
    task = Task(os.fspath(folder / "parts"), json.dumps(features), make, timeout)
    kept = _make_parts(task, items, workers)
    problems = find_problems(columns, kept)
    write_problems(folder / "problems.csv", problems)
    write_whole(folder / ORIGIN, origin_json(columns, kept))
    _report(folder / "problems.csv", problems, len(items), strict)
    made = extractors(make, task.features)
    table = join_tables(Corpus(name, columns, {}, {}, settings), made, kept)
    return Extraction(check(_arrays(folder / "arrays", table, made, kept)), problems)


def usable(
    columns: Columns,
    root: Root,
    features: Features,
    folder: epath.PathLike,
    *,
    workers: int = 0,
) -> np.ndarray:
    """Whether features can be computed of each utterance, bool `[N]`; it is tried.

    Args:
      columns: as in `extract`.
      root: as in `extract`.
      features: word of an extractor -> its parameters.
      folder: to work in, on a local disk.
      workers: processes; 0 for one a core.
    """
    parts = epath.Path(folder) / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    task = Task(os.fspath(parts), json.dumps(features), make_extractor, TIMEOUT)
    items = items_of(columns, root, settings_of(columns, features))
    found = np.zeros(len(items), bool)
    for kept in _make_parts(task, items, workers):
        found[kept.rows] = True
    return found


def _make_parts(task: Task, items: Sequence[Item], workers: int) -> list[Kept]:
    """Write the parts that are not there; all of them hold every row, or its error.

    Errors of an earlier call are tried again, and so is what has changed since.
    """
    workers = workers or usable_cores()
    old = _still_good(epath.Path(task.folder), items)
    done = {row for kept in old for row in kept.rows.tolist()}
    left = [item for row, item in enumerate(items) if row not in done]
    if not left:
        return old
    if done:
        _log.info("going on: %d of %d utterances are done", len(done), len(items))
    chunks = chunks_of(left, workers)
    with Progress(
        "features", total=len(items), unit="utterance", done=len(done)
    ) as progress:
        parts = write_batched_parts if batched_extractors(task) else write_parts
        for number in parts(task, chunks, min(workers, len(chunks))):
            progress.update(number)
    known = {kept.part.path.name for kept in old}
    new = _parts(epath.Path(task.folder), known)
    return old + keep_current(new, items, just_made=True)


def _still_good(folder: epath.Path, items: Sequence[Item]) -> list[Kept]:
    """Of the parts that are there, what holds; those of which nothing does are gone."""
    found = []
    for kept in keep_current(_parts(folder), items):
        if len(kept.rows):
            warnings = [each for each in kept.problems if each[1] == "warning"]
            found.append(kept._replace(problems=warnings))
        else:
            kept.part.path.unlink()
    return found


def _parts(folder: epath.Path, known: Collection[str] = ()) -> list[Part]:
    """Every part that is whole and not known yet, without its feature vectors."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        part = None if path.name in known else read_part(path)
        if part is not None:
            found.append(part)
        elif path.name not in known:
            _log.warning("%s is damaged; its utterances are computed again", path)
            path.unlink()
    return found


def _report(
    path: epath.Path, problems: Sequence[Problem], utterances: int, strict: bool
) -> None:
    """Say how many problems there are; refuse what cannot go on."""
    errors = {problem.utt_id for problem in problems if problem.severity == "error"}
    same = {problem.utt_id for problem in problems if problem.reason.startswith(SAME)}
    if same:
        _log.warning("%d utterances are the same sound as another", len(same))
    warned = {problem.utt_id for problem in problems} - same - errors
    if warned:
        _log.warning("%d utterances are silent, clipped, short or long", len(warned))
    if problems:
        _log.warning("until the store is there, the list is %s", path)
    if errors and (strict or len(errors) == utterances):
        raise CorpusError(
            f"{unusable(problems, utterances)}; all of them are in {path}"
        )
    if errors:
        _log.warning("%s; they are left out", unusable(problems, utterances))


def _arrays(
    folder: epath.Path, table: Corpus, made: Sequence[Extractor], kept: Sequence[Kept]
) -> Corpus:
    if folder.exists():
        # Of an earlier run, maybe of what has changed since.
        folder.rmtree()
    return write_arrays(folder, table, shapes(made, kept), join_values(made, kept))
