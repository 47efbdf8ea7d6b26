"""Names of the columns of a table: known ones, given ones, and what may be meant."""

import difflib
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dann_jax.data.corpus import CorpusError
from dann_jax.data.identifiers import spelled
from dann_jax.utils.words import listed, shorten

KNOWN = frozenset(
    (
        *("utt_id", "file", "speaker", "emotion", "word", "session", "corpus"),
        *("gender", "language", "dialogue", "turn", "start", "end", "text", "accent"),
        *("style", "valence", "activation", "arousal", "dominance", "split"),
    )
)
"""Columns that this package reads by name."""

ALIASES = {"file_name": "file"}
"""Name of a column of other tools that has one meaning -> ours, where ours is absent.

`file_name` is that of Hugging Face's `audiofolder`.
"""

MEANT: Mapping[str, Sequence[str]] = {
    "file": (
        *("path", "filename", "filepath", "audiopath", "wavpath", "wav", "wavfile"),
        *("audiofile", "audiofilepath", "audio", "clip", "recording", "name"),
    ),
    "speaker": (
        *("spk", "speakerid", "spkid", "speakername", "actor", "actorid", "subject"),
        *("subjectid", "participant", "participantid", "person", "talker", "clientid"),
    ),
    "emotion": (
        *("label", "labels", "emo", "emotionlabel", "emotions", "class", "category"),
        *("affect", "feeling", "target"),
    ),
    "utt_id": ("id", "utterance", "utteranceid", "uttid", "segment", "segmentid"),
}
"""A column -> what others call it, in small letters and without marks."""


class Names(NamedTuple):
    """What the columns of a table should be.

    Attributes:
      required: those that it must have.
      hoped: those that it may lack, unless one of another name looks like it.
      given: name in the table -> ours; None where nobody could give any.
    """

    required: Sequence[str] = ()
    hoped: Sequence[str] = ()
    given: Mapping[str, str] | None = None


def column_name(name: str) -> str:
    """The name of a column without additions of spreadsheets.

    Example:
      >>> column_name(" Speaker"), column_name("UTT ID"), column_name("Room A")
      ('speaker', 'utt_id', 'Room A')
    """
    text = spelled(name)
    folded = text.casefold().replace(" ", "_")
    return folded if folded in KNOWN else text


def count_known(header: Sequence[str], names: Names) -> int:
    """How many of these names are known, or given."""
    known = {_bare(name) for name in (*KNOWN, *ALIASES, *(names.given or ()))}
    return len({_bare(name) for name in header} & known)


def name_columns(header: Sequence[str], names: Names, where: object) -> list[str]:
    """Our name of each column, in order.

    Args:
      header: the names in the table.
      names: what they should be.
      where: begins the message of an error.

    Raises:
      CorpusError: columns are missing, with all of them in one message and the closest
        names; a given one is not there; a name is empty or occurs twice.

    Example:
      >>> name_columns(["path", "Speaker"], Names(given={"path": "file"}), "a.csv")
      ['file', 'speaker']
      >>> name_columns(["path", "spk"], Names(("file", "speaker"), given={}), "a.csv")
      Traceback (most recent call last):
      dann_jax.data.corpus.CorpusError: a.csv: no column file, speaker; it has path, \
spk. If these are meant: --columns=path:file,spk:speaker
    """
    ours = _renamed([column_name(name) for name in header], names.given or {}, where)
    ours = [
        ALIASES[name] if name in ALIASES and ALIASES[name] not in ours else name
        for name in ours
    ]
    _require(ours, names, where)
    repeated = [name for name, times in Counter(ours).items() if times > 1]
    if repeated:
        raise CorpusError(
            f"{where}: the header names {shorten(repeated[0])!r} more than once"
        )
    if "" in ours:
        raise CorpusError(f"{where}: column {ours.index('') + 1} has no name")
    return ours


def _renamed(
    header: Sequence[str], given: Mapping[str, str], where: object
) -> list[str]:
    ours = list(header)
    for theirs, name in given.items():
        same = [n for n, one in enumerate(header) if _bare(one) == _bare(theirs)]
        exact = [n for n in same if header[n] == theirs]
        if not (exact or same):
            close = difflib.get_close_matches(theirs, header, 1, 0.5)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise CorpusError(
                f"{where}: --columns names {theirs!r}, and it has "
                f"{listed(map(shorten, header), 20)}{hint}"
            )
        ours[(exact or same)[0]] = name
        if ours.count(name) > 1:
            raise CorpusError(
                f"{where}: --columns makes {theirs!r} the column {name!r}, and it has "
                f"one of that name; give that another one too, as in "
                f"--columns={name}:{name}_before,{theirs}:{name}"
            )
    return ours


def _require(header: Sequence[str], names: Names, where: object) -> None:
    missing = [name for name in names.required if name not in header]
    hoped = [name for name in names.hoped if name not in header]
    alike = _alike(header, [*missing, *hoped])
    missing += [name for name in hoped if name in alike]
    if not missing:
        return
    pairs = [(alike[name], name) for name in missing if name in alike]
    advice = ""
    if pairs and names.given is None:
        advice = f". Rename {' and '.join(f'{t!r} to {n!r}' for t, n in pairs)}"
    elif pairs:
        before = list((names.given or {}).items())
        flag = ",".join(f"{theirs}:{name}" for theirs, name in [*before, *pairs])
        advice = f". If these are meant: {shlex.quote(f'--columns={flag}')}"
    raise CorpusError(
        f"{where}: no column {', '.join(missing)}; it has "
        f"{listed(map(shorten, header), 20)}{advice}"
    )


def _alike(header: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Ours -> the closest other name of a table, for those that have one."""
    others = {_bare(name): name for name in header if name not in KNOWN and name}
    found: dict[str, str] = {}
    for name in wanted:
        free = [bare for bare, theirs in others.items() if theirs not in found.values()]
        usual = [bare for bare in MEANT.get(name, ()) if bare in free]
        close = difflib.get_close_matches(_bare(name), free, 1, 0.75)
        if usual or close:
            found[name] = others[(usual or close)[0]]
    return found


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())
