"""What a table of recordings says, to be looked at before anything is computed."""

import logging
import shlex
from collections import Counter

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.items import Columns
from dann_jax.data.manifest import read_manifest, write_manifest
from dann_jax.utils.text import encodable, one_line
from dann_jax.utils.words import shorten

_SPEAKERS = 12
_EXAMPLES = 3

_log = logging.getLogger(__name__)


def overview(columns: Columns) -> str:
    """Counts by speaker and emotion, and the first recording of some emotions.

    Args:
      columns: column -> string array `[N]`, as `read_audio_corpus` returns them.

    Example:
      >>> row = {"file": "a/1.wav", "emotion": "joy", "emotion_word": "J"}
      >>> row["speaker"] = ""
      >>> print(overview({name: np.array([value]) for name, value in row.items()}))
        speaker   joy   all
        (none)      1     1
      a/1.wav: emotion joy ('J'), no speaker
    """
    speakers, emotions = columns["speaker"], columns["emotion"]
    counts = Counter(zip(speakers.tolist(), emotions.tolist(), strict=True))
    words = [word for word, _ in Counter(emotions.tolist()).most_common()]
    people = np.unique(speakers).tolist()
    shown = people if len(people) <= _SPEAKERS else people[: _SPEAKERS - 2]
    rows = [[name, *(counts[name, word] for word in words)] for name in shown]
    if rest := people[len(shown) :]:
        of_rest = [sum(counts[name, word] for name in rest) for word in words]
        rows.append([f"{len(rest)} more", *of_rest])
    if len(rows) > 1:
        rows.append(["all", *(int((emotions == word).sum()) for word in words)])
    header = ["speaker", *(word or "(no emotion)" for word in words), "all"]
    lines = [
        [one_line(shorten(name)) or "(none)", *map(str, numbers), str(sum(numbers))]
        for name, *numbers in rows
    ]
    return "\n".join([*_aligned([header, *lines]), *_examples(columns)])


def write_table(path: epath.Path, columns: Columns, source: epath.PathLike) -> None:
    """Write the table of a folder as a manifest that a person can correct; say so.

    Args:
      path: of the manifest.
      columns: as in `overview`; `emotion` is written as the folder has it.
      source: the folder.

    Raises:
      CorpusError: as `write_once`.
    """
    names = [name for name in columns if name != "emotion_word"]
    table = {name: columns[name] for name in names}
    table["emotion"] = columns["emotion_word"]
    again = shlex.join(["--corpus=manifest", f"--source={source}", f"--table={path}"])
    write_once(path, table, source, again)
    _log.info(
        "this table is %s; to correct it, edit it and say %s, not --corpus=folders",
        *(path, again),
    )


def write_once(
    path: epath.Path, table: Columns, source: epath.PathLike, again: str
) -> None:
    """Write a manifest, unless it is there: a person may have corrected it.

    Args:
      path: of the manifest.
      table: column -> string array `[N]`.
      source: what the table is from.
      again: flags that read the manifest as it is, for the message.

    Raises:
      CorpusError: there is one that says something else.
    """
    # A name that is no text gets escapes; no store can hold it, as problems.csv says.
    table = {n: np.array([encodable(v) for v in table[n].tolist()]) for n in table}
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_manifest(path, table)
    elif not _same(read_manifest(path, required=()), table):
        raise CorpusError(
            f"{path} says something else than {source}: {again} reads it as it is; "
            f"remove it to have it written anew"
        )


def _same(there: Columns, table: Columns) -> bool:
    return {name: values.tolist() for name, values in there.items()} == {
        name: values.tolist() for name, values in table.items()
    }


def _aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return [
        f"  {first:<{widths[0]}}  "
        + "".join(
            f" {cell:>{width}}  " for cell, width in zip(rest, widths[1:], strict=True)
        ).rstrip()
        for first, *rest in lines
    ]


def _examples(columns: Columns) -> list[str]:
    """The first recording of the first emotions."""
    first = np.unique(columns["emotion"], return_index=True)[1][:_EXAMPLES]
    lines = []
    for row in first.tolist():
        name, word = columns["emotion"][row], columns["emotion_word"][row]
        emotion = f"emotion {name} ({str(word)!r})" if name else "no emotion"
        speaker = columns["speaker"][row]
        lines.append(
            f"{one_line(shorten(columns['file'][row]))}: {emotion}, "
            f"{f'speaker {shorten(speaker)}' if speaker else 'no speaker'}"
        )
    return lines
