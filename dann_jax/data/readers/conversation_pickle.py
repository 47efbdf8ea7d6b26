"""Features of conversations in the pickled tuples of published work.

Each entry is a dict, dialogue -> one item an utterance, or a list of dialogues:

```
(utterance ids, speakers, labels, text, audio, visual, sentences, train ids, test ids)
```

`LAYOUTS` lists the tuples that are known; which of them a file holds shows in the
number of entries and in which of them are dicts.

Reference: Majumder et al., DialogueRNN, AAAI 2019 (IEMOCAP); Poria et al., MELD, ACL
2019; the tuples are those of the public code of these and of later papers.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import Corpus, CorpusError, check
from dann_jax.data.harmonise import emotion_map, harmonise
from dann_jax.data.identifiers import clean_columns
from dann_jax.data.readers.plain_pickle import read_plain_pickle

_SPLITS = ("train", "test")
_METADATA = ("ids", "speakers", "labels", "sentences", "")


def _iemocap_speaker(dialogue: str, voice: Any) -> str:
    """`Ses01F_impro01` and `M` make `Ses01M`: the dialogue says who wore markers."""
    return f"{dialogue[:5]}{voice}"


def _local_speaker(dialogue: str, party: Any) -> str:
    """Parties are one-hot and known within the dialogue only."""
    return f"{dialogue}/{int(np.argmax(party))}"


class PickleLayout(NamedTuple):
    """A tuple of features.

    Attributes:
      corpus: name of the corpus.
      emotions: name of the map from label numbers to emotions, in `data/emotions/`.
      speaker: (dialogue, entry of `speakers`) -> speaker.
      fields: what each entry of the tuple is: `ids`, `speakers`, `labels`, `sentences`,
        `train`, `test`, a modality, or empty if it is not read.
    """

    corpus: str
    emotions: str
    speaker: Callable[[str, Any], str]
    fields: Sequence[str]


_IEMOCAP = ("iemocap", "iemocap_conversations", _iemocap_speaker)
_MELD = ("meld", "meld_conversations", _local_speaker)
_HEAD, _TAIL = ("ids", "speakers", "labels"), ("sentences", "train", "test")
_ROBERTA = ("text", "text2", "text3", "text4", "audio", "visual")

LAYOUTS: Mapping[str, PickleLayout] = {
    "iemocap": PickleLayout(*_IEMOCAP, (*_HEAD, "text", "audio", "visual", *_TAIL)),
    "iemocap_roberta": PickleLayout(*_IEMOCAP, (*_HEAD, *_ROBERTA, *_TAIL)),
    "meld": PickleLayout(*_MELD, (*_HEAD, "text", "audio", *_TAIL, "")),
    "meld_visual": PickleLayout(
        *_MELD, (*_HEAD, "text", "audio", "visual", *_TAIL, "")
    ),
    "meld_roberta": PickleLayout(*_MELD, (*_HEAD, *_ROBERTA, *_TAIL, "")),
}
"""Tuples that papers on IEMOCAP and MELD share, by name."""


def read_conversation_pickle(
    path: epath.PathLike, layout: PickleLayout | None = None
) -> Corpus:
    """Read a tuple of conversation features; nothing of the pickle is run.

    Args:
      path: of the pickle.
      layout: of the tuple; by default, the one of `LAYOUTS` that fits.

    Returns:
      A checked corpus, one row an utterance, dialogue by dialogue, with the columns
      `utt_id`, `dialogue`, `turn`, `speaker`, `emotion`, `emotion_word` (the number),
      `text`, `corpus`, `language` and `split` (train, test or neither). The speakers of
      MELD are numbers and are taken as known within a dialogue only: the same actor
      has another name in each, so that no protocol can keep people apart.

    Raises:
      CorpusError: the file cannot be read, asks for more than plain values, fits no
        layout or several, or its entries do not fit each other.
    """
    path = epath.Path(path)
    entries = read_plain_pickle(path, most=_most_bytes(path))
    layout = layout or _layout(path, entries)
    if not isinstance(entries, tuple | list) or not _fits(entries, layout):
        raise CorpusError(f"{path} does not hold ({', '.join(layout.fields)})")
    parts = dict(zip(layout.fields, entries, strict=True))
    try:
        lengths = _lengths(path, parts)
        columns = _columns(parts, layout, lengths)
    except (TypeError, LookupError, AttributeError, OverflowError) as error:
        raise CorpusError(
            f"{path} has other entries than the layout of {layout.corpus}: {error!r}"
        ) from None
    arrays = {
        name: _modality(path, name, parts[name], lengths)
        for name in layout.fields
        if name not in (*_METADATA, *_SPLITS)
    }
    return check(
        Corpus(
            name=layout.corpus,
            columns=clean_columns({n: np.array(c) for n, c in columns.items()}),
            features={name: values for name, (values, _) in arrays.items()},
            present={name: there for name, (_, there) in arrays.items()},
            provenance={
                "layout": "conversation pickle",
                "file": path.name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "dims": {name: v.shape[1] for name, (v, _) in arrays.items()},
            },
        )
    )


def _most_bytes(path: epath.Path) -> float:
    """What values may come to: features share texts, but not one another."""
    return max(50 * path.stat().length, 2**20) if path.exists() else math.inf


def _layout(path: epath.Path, entries: Any) -> PickleLayout:
    if not isinstance(entries, tuple | list):
        raise CorpusError(f"{path} holds a {type(entries).__name__}, not a tuple")
    fitting = [name for name in LAYOUTS if _fits(entries, LAYOUTS[name])]
    if len(fitting) != 1:
        kinds = ", ".join(type(entry).__name__ for entry in entries[:20])
        raise CorpusError(
            f"{path} holds {len(entries)} entries ({kinds}), which fit "
            f"{' and '.join(fitting) or 'no known layout'}; give the layout, as in "
            f"LAYOUTS"
        )
    return LAYOUTS[fitting[0]]


def _fits(entries: Sequence[Any], layout: PickleLayout) -> bool:
    return len(entries) == len(layout.fields) and all(
        isinstance(entry, dict) != (field in _SPLITS)
        for entry, field in zip(entries, layout.fields, strict=True)
        if field
    )


def _lengths(path: epath.Path, parts: Mapping[str, Any]) -> dict[Any, int]:
    """Dialogue -> utterances, which every list of the dialogue must have."""
    lengths = {dialogue: len(labels) for dialogue, labels in parts["labels"].items()}
    if not any(lengths.values()):
        raise CorpusError(f"{path} holds no utterances")
    for name, part in parts.items():
        for dialogue in lengths if name and name not in _SPLITS else ():
            # A modality may lack a dialogue; the speakers may not.
            if dialogue not in part and name not in _METADATA:
                continue
            if dialogue not in part or len(part[dialogue]) != lengths[dialogue]:
                raise CorpusError(
                    f"{path}: dialogue {dialogue!r} has {lengths[dialogue]} labels and "
                    f"{len(part.get(dialogue, ()))} {name}"
                )
    return lengths


def _columns(
    parts: Mapping[str, Any], layout: PickleLayout, lengths: Mapping[Any, int]
) -> dict[str, list[str]]:
    rows = [
        _row(parts, layout, dialogue, turn)
        for dialogue, length in lengths.items()
        for turn in range(length)
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    mapping = emotion_map(layout.emotions)
    emotions = harmonise(np.array(columns["emotion_word"]), mapping)
    return columns | {"emotion": emotions.tolist()}


def _row(
    parts: Mapping[str, Any], layout: PickleLayout, dialogue: Any, turn: int
) -> dict[str, str]:
    name = str(dialogue)
    utt_id = parts["ids"][dialogue][turn]
    splits = [split for split in _SPLITS if dialogue in parts[split]]
    return {
        "utt_id": utt_id if isinstance(utt_id, str) else f"{name}_{turn}",
        "dialogue": name,
        "turn": str(turn),
        "speaker": layout.speaker(name, parts["speakers"][dialogue][turn]),
        "emotion_word": str(int(parts["labels"][dialogue][turn])),
        "text": str(parts["sentences"][dialogue][turn]),
        "split": splits[0] if splits else "",
        "corpus": layout.corpus,
        "language": "en",
    }


def _modality(
    path: epath.Path, name: str, part: Mapping[Any, Any], lengths: Mapping[Any, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Features `[N, dim]` and which rows have them, bool `[N]`."""
    matrices = dict(_matrices(path, name, part, lengths))
    dims = {matrix.shape[1] for matrix in matrices.values()}
    if len(dims) != 1:
        raise CorpusError(
            f"{path}: {name} features have {len(dims)} sizes ({sorted(dims)[:5]})"
        )
    dim = dims.pop()
    values = [
        matrices.get(dialogue, np.zeros((length, dim), np.float32))
        for dialogue, length in lengths.items()
    ]
    there = [np.full(length, d in matrices) for d, length in lengths.items()]
    return np.concatenate(values), np.concatenate(there)


def _matrices(
    path: epath.Path, name: str, part: Mapping[Any, Any], lengths: Mapping[Any, int]
) -> Iterator[tuple[Any, np.ndarray]]:
    for dialogue in lengths:
        if dialogue in part:
            try:
                # What is too large becomes infinite, which the check refuses.
                with np.errstate(over="ignore"):
                    rows = [np.asarray(vector) for vector in part[dialogue]]
                    matrix = np.array(rows, np.float32)
            except (TypeError, ValueError):
                matrix = np.zeros(0)
            if matrix.ndim != 2:
                raise CorpusError(
                    f"{path}: the {name} features of dialogue {dialogue!r} are no "
                    f"vectors of one size"
                )
            yield dialogue, matrix
