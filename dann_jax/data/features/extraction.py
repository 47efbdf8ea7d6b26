"""Compute the features of a corpus of recordings, in parallel and resumable.

A working folder holds `settings.json`, `parts/` and, at the end, `problems.csv`,
`recordings.json` and `arrays/`, the corpus. What ends up in them depends on the
recordings and the settings alone, not on the number of processes or on interruptions.
"""

import json
import logging
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.beam import BeamRunner
from dann_jax.data.corpus import Corpus, CorpusError, check
from dann_jax.data.features.catalogue import make_extractor
from dann_jax.data.features.current import Kept
from dann_jax.data.features.extraction_worker import (
    ExtractionJob,
    FeatureSpecs,
    MakeExtractor,
    extractors,
)
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.items import Columns, Root, items_of
from dann_jax.data.features.joining import (
    SAME,
    Problem,
    find_problems,
    join_tables,
    join_values,
    many_lost,
    shapes,
    unusable,
    write_problems,
)
from dann_jax.data.features.origin import ORIGIN, origin_json
from dann_jax.data.features.part_writers import make_parts
from dann_jax.data.features.settings import claim, settings_of
from dann_jax.data.features.shards import gather
from dann_jax.data.store.arrays import write_arrays
from dann_jax.utils.files import write_whole

TIMEOUT = 300.0
"""Seconds that one utterance may take."""

_log = logging.getLogger(__name__)


class Extraction(NamedTuple):
    """A corpus of features, and the problems of its recordings.

    Attributes:
      corpus: the utterances that could be used, in the order of the manifest, their
        features memory-mapped, with the columns `duration` and `audio_hash` added.
      problems: in the order of the manifest.
    """

    corpus: Corpus
    problems: Sequence[Problem]


class Computed(NamedTuple):
    """What became of the utterances of a table.

    Attributes:
      is_usable: bool `[N]`, whether there are features of each.
      problems: in the order of the table.
    """

    is_usable: np.ndarray
    problems: Sequence[Problem]


def extract(
    columns: Columns,
    root: Root,
    features: FeatureSpecs,
    folder: epath.PathLike,
    *,
    name: str,
    workers: int = 0,
    strict: bool = False,
    timeout: float = TIMEOUT,
    make: MakeExtractor = make_extractor,
    beam: BeamRunner | None = None,
) -> Extraction:
    """Compute the features of a corpus of audio.

    Args:
      columns: column -> string array `[N]`, with `utt_id`, `speaker` and `file` (for
        features of text also `text`). Where there is a `start` and an `end`, they are
        a cut of the file in seconds.
      root: the folder that `file` is relative to, or one for each value of the column
        `corpus`.
      features: name of an extractor -> its parameters.
      folder: working folder on a local disk; work of an earlier call there is
        continued.
      name: of the corpus.
      workers: processes; 0 for one a core.
      strict: raise an error where a file cannot be used, after all were tried.
      timeout: seconds that one utterance may take.
      make: from a name and parameters to an extractor; a function of a module, as it
        is sent to other processes.
      beam: to compute by Apache Beam; its workers must see the folder and the files.

    Returns:
      The corpus and the list of problems, which `problems.csv` holds too.

    Raises:
      CorpusError: the columns are not sound, the folder holds features made in another
        way, no file can be used, or, if `strict`, one cannot.
    """
    # Fail before the work, not after it.
    check(Corpus(name, columns, {}, {})).dialogues()
    folder = epath.Path(folder)
    settings = settings_of(columns, features, make)
    claim(folder, settings)
    gather(folder)
    items = items_of(columns, root, settings)
    job = ExtractionJob(
        os.fspath(folder / "parts"), json.dumps(features), make, timeout
    )
    kept = make_parts(job, items, workers, beam)
    problems = find_problems(columns, kept)
    write_problems(folder / "problems.csv", problems)
    write_whole(folder / ORIGIN, origin_json(columns, kept))
    _report(folder / "problems.csv", problems, len(items), strict)
    used = extractors(make, job.features)
    table = join_tables(Corpus(name, columns, {}, {}, settings), used, kept)
    return Extraction(check(_arrays(folder / "arrays", table, used, kept)), problems)


def compute(
    columns: Columns,
    root: Root,
    features: FeatureSpecs,
    folder: epath.PathLike,
    *,
    workers: int = 0,
) -> Computed:
    """Compute features into parts alone: to know what can be used, or to join later.

    Args:
      columns: as in `extract`.
      root: as in `extract`.
      features: name of an extractor -> its parameters.
      folder: to work in; work of an earlier call there is continued.
      workers: processes; 0 for one a core.
    """
    parts = epath.Path(folder) / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    job = ExtractionJob(os.fspath(parts), json.dumps(features), make_extractor, TIMEOUT)
    items = items_of(columns, root, settings_of(columns, features))
    kept = make_parts(job, items, workers)
    is_usable = np.zeros(len(items), bool)
    for part in kept:
        is_usable[part.rows] = True
    return Computed(is_usable, find_problems(columns, kept))


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
        loud = many_lost(len(errors), utterances)
        _log.warning(
            "%s%s; they are left out",
            *(f"WARNING: {loud}: " * bool(loud), unusable(problems, utterances)),
        )


def _arrays(
    folder: epath.Path, table: Corpus, used: Sequence[Extractor], kept: Sequence[Kept]
) -> Corpus:
    if folder.exists():
        # Of an earlier run, maybe of what has changed since.
        folder.rmtree()
    return write_arrays(folder, table, shapes(used, kept), join_values(used, kept))
