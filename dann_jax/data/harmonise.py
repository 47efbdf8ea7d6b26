"""One set of names for the emotions of all corpora.

The emotion words of each corpus are data: `emotions/CORPUS.csv`, with the columns
`word` and `emotion`. A word with an empty emotion is known to name none ("no
agreement").
"""

import dataclasses
import importlib.resources
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from etils import epath

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.identifiers import NOBODY, is_unknown_name, spelled
from dann_jax.data.manifest import read_manifest
from dann_jax.data.raters import VOTES, mapped_votes
from dann_jax.utils.words import listed, shorten

EMOTIONS = (
    *("anger", "happiness", "sadness", "neutral", "fear", "disgust", "surprise"),
    *("calm", "boredom", "contempt", "frustration", "excitement", "other"),
)
"""The names that the maps of this package use."""


def emotion_map(corpus: str, own: epath.PathLike | None = None) -> dict[str, str]:
    """Word -> emotion, for the words of one corpus.

    Args:
      corpus: whose words; one of the files in `emotions/`.
      own: CSV (or JSON lines) with columns `word` and `emotion`, whose rows go before
        those of the package. Its emotions may be any.

    Returns:
      The map; every name in `EMOTIONS` maps to itself unless a row maps it otherwise.

    Raises:
      CorpusError: the own map cannot be read, or gives a word two emotions.

    Example:
      >>> emotion_map("emodb")["w"]
      'anger'
    """
    file = importlib.resources.files("dann_jax.data") / f"emotions/{corpus}.csv"
    with importlib.resources.as_file(file) as path:
        known = _read_map(epath.Path(path))
    itself = {name: name for name in EMOTIONS}
    return itself | known | (_read_map(epath.Path(own)) if own else {})


def harmonise(words: np.ndarray, mapping: Mapping[str, str]) -> np.ndarray:
    """The emotion of each word; empty where the word is empty or not in the map.

    Args:
      words: strings `[N]`; case, space and marks between words do not matter.
      mapping: of `emotion_map`.

    Example:
      >>> harmonise(np.array(["W", "L", "?"]), emotion_map("emodb")).tolist()
      ['anger', 'boredom', '']
    """
    values, index = np.unique(words, return_inverse=True)
    return np.array([mapping.get(plain(value), "") for value in values])[index]


def unknown_words(words: np.ndarray, mapping: Mapping[str, str]) -> dict[str, int]:
    """The words that the map lacks, most frequent first, and how often they occur.

    Placeholders for an unknown emotion, such as `?`, are not among them.

    Args:
      words: string array `[N]`.
      mapping: emotion word -> emotion.

    >>> unknown_words(np.array(["W", "y", "x", "y", "?"]), emotion_map("emodb"))
    {'y': 2, 'x': 1}
    """
    counts = Counter(np.asarray(words, str).tolist()).most_common()
    return {
        value: times
        for value, times in counts
        if not is_unknown_name(value) and plain(value) not in mapping
    }


def describe_unknown(unknown: Mapping[str, int], flag: str) -> str:
    """For messages: the words of `unknown_words`, and what to do about them.

    Example:
      >>> describe_unknown({"Wut": 58}, "--emotions").partition(";")[0]
      'unknown emotion words: Wut (58)'
    """
    words = [f"{shorten(value)} ({times})" for value, times in unknown.items()]
    return (
        f"unknown emotion words: {listed(words, 10)}; map them with {flag}=MAP.csv "
        f"(columns word,emotion)"
    )


def with_emotions(
    corpus: Corpus, labels: Sequence[str] = (), own: epath.PathLike | None = None
) -> Corpus:
    """The corpus with one word for each emotion in its column `emotion`, and its votes.

    Args:
      corpus: any; one without that column comes back as it is.
      labels: words that keep their spelling, whatever the map has for them.
      own: a map of one's own, as in `emotion_map`.

    Returns:
      The corpus; a word that is neither a label nor in the map stays as it is, a word
      for an unknown emotion becomes empty.
    """
    if "emotion" not in corpus.columns:
        return corpus
    # That an emotion is known to be none, such as "no agreement", is worth keeping.
    known = {value: name for value, name in emotion_map("manifest").items() if name}
    known |= _read_map(epath.Path(own)) if own else {}
    emotion = match_labels(corpus.columns["emotion"], labels, known)
    columns = {**corpus.columns, "emotion": emotion}
    if VOTES in columns:
        columns[VOTES] = mapped_votes(
            columns[VOTES],
            lambda word: str(match_labels(np.array([word]), labels, known)[0]),
            columns["utt_id"],
            f"corpus {corpus.name!r}",
        )
    return dataclasses.replace(corpus, columns=columns)


def match_labels(
    words: np.ndarray, labels: Sequence[str], mapping: Mapping[str, str] = {}
) -> np.ndarray:
    """Each word as a label, mapped by the table, else unchanged.

    Args:
      words: strings `[N]`.
      labels: which win: over the map, and of each other the one that is written like
        the word.
      mapping: of `emotion_map`.

    Example:
      >>> words = np.array(["Joy ", "ANGRY", "seven", "n/a"])
      >>> match_labels(words, ["joy"], emotion_map("manifest")).tolist()
      ['joy', 'anger', 'seven', '']
    """
    forms = Counter(map(plain, labels))
    likely = {plain(label): label for label in labels if forms[plain(label)] == 1}
    blank: dict[str, str] = dict.fromkeys(NOBODY, "")

    def match(value: str) -> str:
        for written in (value, spelled(value)):
            if written in labels:
                return written
        form = plain(value)
        for meant in (likely, mapping):
            if form in meant:
                return meant[form]
        return blank.get(spelled(value).casefold(), spelled(value))

    values, index = np.unique(np.asarray(words, str), return_inverse=True)
    return np.array([match(value) for value in values.tolist()])[index]


def _read_map(path: epath.Path) -> dict[str, str]:
    if not path.exists():
        raise CorpusError(f"no such file: {path}")
    columns = read_manifest(path, required=("word", "emotion"))
    mapping: dict[str, str] = {}
    for word, emotion in zip(columns["word"], columns["emotion"], strict=True):
        if mapping.setdefault(plain(word), str(emotion)) != emotion:
            raise CorpusError(
                f"{path}: the word {shorten(word)} is both "
                f"{shorten(mapping[plain(word)])!r} and {shorten(emotion)!r}"
            )
    return mapping


def plain(word: str) -> str:
    """A word as a key of the map, without case, spaces and punctuation.

    Example:
      >>> plain(" Pleasant_Surprise")
      'pleasant surprise'
    """
    text = spelled(word).casefold()
    return " ".join(re.sub(r"[_\s-]+", " ", text).split()) or text
