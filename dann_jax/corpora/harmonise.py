"""One set of names for the emotions of all corpora.

Which word of which corpus means what is data: `emotions/CORPUS.csv`, with the columns
`word` and `emotion`. A word with an empty emotion is known to name none ("no
agreement").
"""

import importlib.resources
from collections import Counter
from collections.abc import Mapping

import numpy as np
from etils import epath

from dann_jax.corpora.corpus import CorpusError
from dann_jax.corpora.manifest import read_manifest

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
      The map; every name in `EMOTIONS` stands for itself unless a row says otherwise.

    Raises:
      CorpusError: the own map cannot be read, or gives a word two emotions.

    Example:
      >>> emotion_map("emodb")["w"]
      'anger'
    """
    file = importlib.resources.files("dann_jax.corpora") / f"emotions/{corpus}.csv"
    with importlib.resources.as_file(file) as path:
        known = _read_map(epath.Path(path))
    itself = {name: name for name in EMOTIONS}
    return itself | known | (_read_map(epath.Path(own)) if own else {})


def harmonise(words: np.ndarray, mapping: Mapping[str, str]) -> np.ndarray:
    """The emotion of each word; empty where the word is empty or not in the map.

    Args:
      words: strings `[N]`; case and surrounding space do not matter.
      mapping: of `emotion_map`.

    Example:
      >>> harmonise(np.array(["W", "L", "?"]), emotion_map("emodb")).tolist()
      ['anger', 'boredom', '']
    """
    return np.array([mapping.get(_plain(word), "") for word in words])


def unknown_words(words: np.ndarray, mapping: Mapping[str, str]) -> dict[str, int]:
    """The words that the map lacks, most frequent first, and how often they occur.

    >>> unknown_words(np.array(["W", "?", "x", "?"]), emotion_map("emodb"))
    {'?': 2, 'x': 1}
    """
    missing = (str(word) for word in words if word and _plain(word) not in mapping)
    return dict(Counter(missing).most_common())


def _read_map(path: epath.Path) -> dict[str, str]:
    if not path.exists():
        raise CorpusError(f"no such file: {path}")
    columns = read_manifest(path, required=("word", "emotion"))
    mapping: dict[str, str] = {}
    for word, emotion in zip(columns["word"], columns["emotion"], strict=True):
        if mapping.setdefault(_plain(word), str(emotion)) != emotion:
            raise CorpusError(
                f"{path}: the word {word!s} is both {mapping[_plain(word)]!r} and "
                f"{emotion!s}"
            )
    return mapping


def _plain(word: str) -> str:
    return str(word).strip().casefold()
