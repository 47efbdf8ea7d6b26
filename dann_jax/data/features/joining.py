"""Join parts to one corpus in the order of its manifest, with a list of problems."""

import csv
import dataclasses
import io
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import Corpus
from dann_jax.data.features.current import Kept
from dann_jax.data.features.extraction_worker import read_values
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.items import Columns
from dann_jax.data.frames import Frames
from dann_jax.data.identifiers import is_unknown_name
from dann_jax.data.store.arrays import ModalityShape, Piece
from dann_jax.utils.files import write_whole
from dann_jax.utils.text import table_cell

SAME = "same sound as "
"""How the reason of a duplicate begins."""

MANY_LOST = 0.05
"""A share of recordings that cannot be used of which one is warned loudly."""

OF_TABLE = ("no speaker", "no emotion")
"""How the reasons of `table_problems` begin."""


class Problem(NamedTuple):
    """A problem of an utterance: an `error` excludes it, a `warning` does not."""

    utt_id: str
    file: str
    severity: str
    reason: str


def find_problems(columns: Columns, kept: Sequence[Kept]) -> list[Problem]:
    """All problems in the order of the manifest, duplicates among them."""
    done = set(_joined(kept).tolist())
    problems = [
        problem
        for part in kept
        for problem in part.problems
        if problem[1] == "warning" or problem[0] not in done
    ]
    problems += _duplicates(columns["utt_id"], kept)
    files = columns.get("file", columns["utt_id"])
    return [
        Problem(str(columns["utt_id"][row]), str(files[row]), severity, reason)
        for row, severity, reason in sorted(set(problems))
    ]


def table_problems(columns: Columns) -> list[Problem]:
    """A warning for each row that is not labelled for want of a name or a known word.

    Example:
      >>> row = {"utt_id": "a", "speaker": "ann", "emotion": "", "emotion_word": "Wut"}
      >>> columns = {name: np.array([value]) for name, value in row.items()}
      >>> [problem.reason for problem in table_problems(columns)]
      ["no emotion: the map has none for the word 'Wut'"]
    """
    ids = columns["utt_id"]
    files, words = columns.get("file", ids), columns.get("emotion_word", ids)
    found = []
    for row, utt_id in enumerate(ids.tolist()):
        reasons, word = [], str(words[row])
        if not columns["speaker"][row]:
            reasons.append(f"{OF_TABLE[0]}: neither labelled nor tested")
        if not columns["emotion"][row] and not is_unknown_name(word):
            reasons.append(f"{OF_TABLE[1]}: the map has none for the word {word!r}")
        file = str(files[row])
        found += [Problem(utt_id, file, "warning", reason) for reason in reasons]
    return found


def write_problems(path: epath.Path, problems: Sequence[Problem]) -> None:
    """Write the problems as CSV, or a header alone."""
    write_whole(path, problems_csv(problems))


def read_problems(path: epath.Path) -> list[Problem]:
    """Read a file of `write_problems`."""
    text = io.StringIO(path.read_bytes().decode(), newline="")
    return [Problem(**row) for row in csv.DictReader(text)]


def unusable(problems: Sequence[Problem], utterances: int) -> str | None:
    """How many of the utterances cannot be used, and why; None for none.

    Example:
      >>> unusable([Problem("a", "a.wav", "error", "the file is empty")], 9)
      "1 of 9 utterances cannot be used, such as 'a' (the file is empty)"
      >>> unusable([Problem(n, f"{n}.wav", "error", "empty") for n in "ab"], 9)
      '2 of 9 utterances cannot be used: empty (2)'
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    if not errors:
        return None
    why = f": {', '.join(count_reasons(errors, limit=5))}"
    if len(errors) == 1:
        why = f", such as {errors[0].utt_id!r} ({errors[0].reason})"
    return f"{len(errors)} of {utterances} utterances cannot be used{why}"


def many_lost(lost: int, utterances: int) -> str:
    """What to shout where so many recordings cannot be used; empty where few cannot.

    Example:
      >>> many_lost(3, 10), many_lost(1, 100)
      ('30 % OF ALL RECORDINGS ARE LOST', '')
    """
    if lost <= MANY_LOST * utterances:
        return ""
    return f"{100 * lost / utterances:.0f} % OF ALL RECORDINGS ARE LOST"


def count_reasons(problems: Sequence[Problem], limit: int = 8) -> list[str]:
    """How often each reason occurs, the most frequent first.

    Reasons that differ in their numbers alone are one, with `..` for the numbers.

    Example:
      >>> problems = [Problem(n, f"{n}.wav", "error", "empty") for n in "abc"]
      >>> count_reasons([*problems, Problem("d", "d.wav", "error", "of 3 Hz")])
      ['empty (3)', 'of 3 Hz (1)']
    """
    reasons: dict[str, list[str]] = {}
    for problem in problems:
        reason = problem.reason
        reason = f"{SAME}another" if reason.startswith(SAME) else reason
        reasons.setdefault(re.sub(r"\d+(\.\d+)?", "..", reason), []).append(reason)
    kinds = sorted(reasons.items(), key=lambda kind: -len(kind[1]))
    lines = [
        f"{(kind if len({*same}) > 1 else same[0])[:160]} ({len(same)})"
        for kind, same in kinds
    ]
    rest = sum(len(same) for _, same in kinds[limit:])
    return [*lines[:limit], *([f"other reasons ({rest})"] if rest else [])]


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
    # The name of a file may be no text, or a formula.
    writer.writerows([table_cell(cell) for cell in problem] for problem in problems)
    return text.getvalue()


def join_tables(
    table: Corpus, extractors: Sequence[Extractor], kept: Sequence[Kept]
) -> Corpus:
    """The table of the rows that can be used, without features.

    Args:
      table: all rows.
      extractors: of the features.
      kept: between them, every row that can be used, once.
    """
    rows = np.sort(_joined(kept))
    columns = {name: column[rows] for name, column in table.columns.items()}
    if any(extractor.sample_rate for extractor in extractors):
        seconds = in_order(kept, "duration")
        columns["duration"] = np.array([f"{second:.6f}" for second in seconds])
        columns["audio_hash"] = in_order(kept, "audio_hash")
    present = {e.name: in_order(kept, f"{e.name}/present") for e in extractors}
    return dataclasses.replace(table, columns=columns, present=present)


def shapes(
    extractors: Sequence[Extractor], kept: Sequence[Kept]
) -> dict[str, ModalityShape]:
    """Shapes of the features of the rows that can be used."""
    return {
        e.name: ModalityShape(
            *(e.dim, e.framewise, in_order(kept, f"{e.name}/lengths")),
            dtype="float16" if e.half else "float32",
        )
        for e in extractors
    }


def join_values(
    extractors: Sequence[Extractor], kept: Sequence[Kept]
) -> Iterator[Piece]:
    """The feature vectors of each part, with their row indices in the corpus."""
    rows = np.sort(_joined(kept))
    names = [extractor.name for extractor in extractors]
    for part in kept:
        if len(part.rows):
            values = read_values(part.part, names)
            chosen = {
                name: Frames(array, part.part.arrays[f"{name}/lengths"])
                .take(part.indices)
                .values
                for name, array in values.items()
            }
            yield Piece(np.searchsorted(rows, part.rows), chosen)


def in_order(kept: Sequence[Kept], name: str) -> np.ndarray:
    """One array of all parts, `[N, ...]` in the order of the corpus."""
    arrays = [part.values(name) for part in kept if len(part.rows)]
    values = np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
    return values[np.argsort(_joined(kept))]


def _joined(kept: Sequence[Kept]) -> np.ndarray:
    """The rows of all parts, in the order of the parts."""
    return np.concatenate([np.zeros(0, int), *(part.rows for part in kept)])


def _duplicates(
    utt_ids: np.ndarray, kept: Sequence[Kept]
) -> Iterator[tuple[int, str, str]]:
    """A warning for every utterance that has the same audio as another."""
    rows = np.sort(_joined(kept))
    has_audio = any("audio_hash" in part.part.arrays for part in kept)
    hashes = in_order(kept, "audio_hash") if has_audio else []
    groups: dict[str, list[int]] = {}
    for row, audio_hash in zip(rows, hashes, strict=False):
        groups.setdefault(str(audio_hash), []).append(int(row))
    for group in groups.values():
        for row in group:
            others = [str(utt_ids[other]) for other in group if other != row]
            if others:
                yield row, "warning", SAME + ", ".join(others)
