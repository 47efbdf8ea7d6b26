"""Turn a store back into parts, so that unchanged features are not computed again."""

from collections.abc import Collection, Iterator

import numpy as np
from etils import epath

from dann_jax.data.corpus import Corpus
from dann_jax.data.features.extraction_worker import save_part
from dann_jax.data.features.items import Item
from dann_jax.data.features.joining import OF_TABLE, SAME, read_problems
from dann_jax.data.features.origin import Origin
from dann_jax.data.store.arrays import shape_of, vectors

_ROWS = 256


def write_parts_of(
    corpus: Corpus,
    origin: Origin,
    items: list[Item],
    problems: epath.Path,
    folder: epath.Path,
    keys: Collection[str] | None = None,
) -> None:
    """Write the features of a store as parts of a working folder.

    Args:
      corpus: the content of the store.
      origin: of the store.
      items: the utterances of `origin`, row by row.
      problems: the store's `problems.csv`.
      folder: of the parts.
      keys: of the utterances to write; None for all.
    """
    used = origin.rows(used=True)
    wanted = [keys is None or items[row].key in keys for row in used]
    chosen = np.flatnonzero(wanted)
    warnings = _warnings(problems)
    for first in range(0, len(chosen), _ROWS):
        rows = chosen[first : first + _ROWS]
        part_problems = [
            (items[row].key, "warning", reason)
            for row in used[rows]
            for reason in warnings.get(str(origin.columns["utt_id"][row]), [])
        ]
        arrays = dict(_arrays(corpus, origin, rows))
        arrays["key"] = np.array([items[row].key for row in used[rows]])
        save_part(folder, arrays, part_problems)


def _arrays(
    corpus: Corpus, origin: Origin, rows: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    files = [origin.files[row] for row in origin.rows(used=True)[rows]]
    yield "size", np.array([file.size for file in files])
    yield "mtime", np.array([file.mtime for file in files])
    yield "digest", np.array([file.digest for file in files])
    if any(file.digest for file in files):
        yield "duration", corpus.columns["duration"][rows].astype(np.float64)
        yield "audio_hash", corpus.columns["audio_hash"][rows]
    for name, array in corpus.features.items():
        yield f"{name}/values", vectors(array, rows)
        yield f"{name}/lengths", shape_of(array).lengths[rows]
        yield f"{name}/present", corpus.present[name][rows]


def _warnings(problems: epath.Path) -> dict[str, list[str]]:
    """Utterance id -> its warnings, but those of the table and of other utterances."""
    warnings: dict[str, list[str]] = {}
    for problem in read_problems(problems):
        of_others = problem.reason.startswith((SAME, *OF_TABLE))
        if problem.severity == "warning" and not of_others:
            warnings.setdefault(problem.utt_id, []).append(problem.reason)
    return warnings
