"""From parts to one corpus in the order of its manifest, and a list of problems."""

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.corpora.corpus import Corpus
from dann_jax.features.extractor import Extractor
from dann_jax.features.parts import Part, read_values
from dann_jax.store.arrays import Modality, Piece
from dann_jax.utils.files import write_whole

SAME = "same sound as "
"""How the reason of a duplicate begins."""


class Problem(NamedTuple):
    """What is wrong with an utterance: an `error` left it out, a `warning` did not."""

    utt_id: str
    file: str
    severity: str
    reason: str


def find_problems(
    columns: Mapping[str, np.ndarray], parts: Sequence[Part]
) -> list[Problem]:
    """All problems in the order of the manifest, duplicates among them."""
    done = set(_joined(parts, "row").tolist())
    found = [
        problem
        for part in parts
        for problem in part.problems
        if problem[1] == "warning" or problem[0] not in done
    ]
    found += _duplicates(columns["utt_id"], parts)
    files = columns.get("file", columns["utt_id"])
    return [
        Problem(str(columns["utt_id"][row]), str(files[row]), severity, reason)
        for row, severity, reason in sorted(set(found))
    ]


def write_problems(path: epath.Path, problems: Sequence[Problem]) -> None:
    """Write the problems as CSV, or a header alone."""
    write_whole(path, problems_csv(problems))


def problems_csv(problems: Sequence[Problem]) -> str:
    """The problems as CSV.

    Example:
      >>> print(problems_csv([Problem("a", "a.wav", "warning", "silent")]), end="")
      utt_id,file,severity,reason
      a,a.wav,warning,silent
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Problem._fields)
    writer.writerows(problems)
    # The name of a file may be no text.
    return text.getvalue().encode(errors="backslashreplace").decode()


def join_tables(
    table: Corpus, extractors: Sequence[Extractor], parts: Sequence[Part]
) -> Corpus:
    """The rows that can be used, still without features.

    Args:
      table: all rows.
      extractors: of the features.
      parts: between them, every row that can be used, once.
    """
    rows = np.sort(_joined(parts, "row"))
    columns = {name: column[rows] for name, column in table.columns.items()}
    if any(extractor.sample_rate for extractor in extractors):
        seconds = _in_order(parts, "duration")
        columns["duration"] = np.array([f"{second:.6f}" for second in seconds])
        columns["audio_hash"] = _in_order(parts, "audio_hash")
    present = {e.name: _in_order(parts, f"{e.name}/present") for e in extractors}
    return dataclasses.replace(table, columns=columns, present=present)


def shapes(
    extractors: Sequence[Extractor], parts: Sequence[Part]
) -> dict[str, Modality]:
    """What shape the features of the rows that can be used have."""
    return {
        e.name: Modality(e.dim, e.framewise, _in_order(parts, f"{e.name}/lengths"))
        for e in extractors
    }


def join_values(
    extractors: Sequence[Extractor], parts: Sequence[Part]
) -> Iterator[Piece]:
    """The feature vectors of each part, and where they go."""
    rows = np.sort(_joined(parts, "row"))
    names = [extractor.name for extractor in extractors]
    for part in parts:
        if len(part.arrays["row"]):
            places = np.searchsorted(rows, part.arrays["row"])
            yield Piece(places, read_values(part, names))


def _joined(parts: Sequence[Part], name: str) -> np.ndarray:
    """One array of all parts, in the order of the parts."""
    arrays = [part.arrays[name] for part in parts if name in part.arrays]
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)


def _in_order(parts: Sequence[Part], name: str) -> np.ndarray:
    return _joined(parts, name)[np.argsort(_joined(parts, "row"))]


def _duplicates(
    utt_ids: np.ndarray, parts: Sequence[Part]
) -> Iterator[tuple[int, str, str]]:
    """A warning for every utterance whose sound another one has too."""
    rows = np.sort(_joined(parts, "row"))
    sounds = _in_order(parts, "audio_hash") if _joined(parts, "audio_hash").size else []
    groups: dict[str, list[int]] = {}
    for row, sound in zip(rows, sounds, strict=False):
        groups.setdefault(str(sound), []).append(int(row))
    for group in groups.values():
        for row in group:
            others = [str(utt_ids[other]) for other in group if other != row]
            if others:
                yield row, "warning", SAME + ", ".join(others)
