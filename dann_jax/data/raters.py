"""What several raters said of each recording, as one column of text.

```
anger:2;sadness:1
```

Of every row `VOTES` has the emotions that were named and how often (or how likely they
are). Its hard label is the emotion named most often; a tie has none, as in the corpora
of the field, whose "no agreement" it is.

References: Lotfian & Busso, "Building Naturalistic Emotionally Balanced Speech Corpus",
IEEE Transactions on Affective Computing 2019, section 3, for the plurality rule; Fayek
et al., "Modeling Subjectiveness in Emotion Recognition", IJCNN 2016, for the shares of
raters as soft labels.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dann_jax.data.corpus import CorpusError
from dann_jax.data.identifiers import is_unknown_name, spelled
from dann_jax.utils.words import listed, shorten

VOTES = "emotion_votes"
"""The column of a corpus that holds them."""

DIVIDERS = "[;|,]"
"""Between the words of several raters in one cell."""

Columns = Mapping[str, np.ndarray]


def read_votes(text: str) -> dict[str, float]:
    """Emotion word -> its votes, from `anger;anger;sadness` or `anger:2;sadness:1`.

    Args:
      text: words divided by `;`, `|` or `,`; words for unknown ones count for nothing.

    Raises:
      ValueError: a number of votes is negative or infinite.

    Example:
      >>> read_votes("anger; anger; sadness"), read_votes("anger:.7;sadness:.3")
      ({'anger': 2.0, 'sadness': 1.0}, {'anger': 0.7, 'sadness': 0.3})
    """
    votes: dict[str, float] = {}
    for part in re.split(DIVIDERS, text):
        word, divided, number = part.rpartition(":")
        weight = _number(number) if divided else None
        if weight is None:
            word, weight = part, 1.0
        if not 0 <= weight < math.inf:
            raise ValueError(f"{part.strip()!r} must have 0 votes or more")
        if weight and not is_unknown_name(word):
            votes[spelled(word)] = votes.get(spelled(word), 0.0) + weight
    return votes


def written_votes(votes: Mapping[str, float]) -> str:
    """The text of a row, as `read_votes` reads it.

    Example:
      >>> written_votes({"anger": 2.0, "sadness": 1.0})
      'anger:2;sadness:1'
    """
    return ";".join(f"{word}:{votes[word]:.6g}" for word in sorted(votes))


def most_voted(votes: Mapping[str, float]) -> str:
    """The emotion with the most votes; empty where several have as many, or none.

    Example:
      >>> most_voted({"anger": 2.0, "sadness": 1.0}), most_voted({"a": 0.5, "b": 0.5})
      ('anger', '')
    """
    most = max(votes.values(), default=0.0)
    first = [word for word, weight in votes.items() if math.isclose(weight, most)]
    return first[0] if len(first) == 1 else ""


def column_of_votes(
    columns: Columns,
    names: Sequence[str],
    emotion_of: Callable[[str], str],
    where: object,
) -> np.ndarray:
    """The column `VOTES` of a table with several raters, strings `[N]`.

    Args:
      columns: column -> strings `[N]`, with `utt_id`.
      names: columns that hold emotion words (a rater each, or all in one); or numbers:
        then a column is an emotion, and its numbers are votes or probabilities.
      emotion_of: a word's emotion, empty if it is none; a column of numbers must have
        one for its name.
      where: begins the message of an error.

    Raises:
      CorpusError: there is no such column, or a number is none.

    Example:
      >>> table = {"utt_id": np.array(["x"]), "joy": np.array(["2"])}
      >>> column_of_votes(table, ["joy"], str, "a.csv").tolist()
      ['joy:2']
    """
    chosen = {name: columns[_column(columns, name, where)] for name in names}
    written = [value for column in chosen.values() for value in column if value]
    if not written or any(_number(value) is None for value in written):
        rows = [";".join(words) for words in zip(*chosen.values(), strict=True)]
    else:
        _require_emotions(names, emotion_of, where)
        rows = [
            ";".join(f"{w}:{_number(t)}" for w, t in zip(chosen, row, strict=True) if t)
            for row in zip(*chosen.values(), strict=True)
        ]
    return mapped_votes(np.array(rows), str, columns["utt_id"], where)


def mapped_votes(
    texts: np.ndarray, rename: Callable[[str], str], ids: np.ndarray, where: object
) -> np.ndarray:
    """Votes with other words for the emotions, strings `[N]`.

    Args:
      texts: of `written_votes`, `[N]`.
      rename: a word to another; to an empty one where it means none.
      ids: of the rows, for messages, `[N]`.
      where: begins the message of an error.

    Raises:
      CorpusError: a text holds no votes.
    """
    mapped: dict[str, str] = {}
    for text, row in zip(texts.tolist(), ids.tolist(), strict=True):
        if text in mapped:
            continue
        try:
            votes = read_votes(text)
        except ValueError as error:
            raise CorpusError(f"{where}: {shorten(row)}: {error}") from None
        merged: dict[str, float] = {}
        for word, weight in votes.items():
            if name := rename(word):
                merged[name] = merged.get(name, 0.0) + weight
        mapped[text] = written_votes(merged)
    return np.array([mapped[text] for text in texts.tolist()])


def _column(columns: Columns, name: str, where: object) -> str:
    alike = [own for own in columns if own.casefold() == spelled(name).casefold()]
    if name in columns or alike:
        return name if name in columns else alike[0]
    raise CorpusError(
        f"{where}: --raters names {shorten(name)!r}, and the columns are "
        f"{listed(map(shorten, columns), 20)}"
    )


def _require_emotions(
    names: Sequence[str], emotion_of: Callable[[str], str], where: object
) -> None:
    """Refuse columns of numbers whose names say nothing, such as `rater1`."""
    strange = [name for name in names if not emotion_of(name)]
    if strange:
        raise CorpusError(
            f"{where}: column {shorten(strange[0])!r} of --raters has numbers, so its "
            f"name must be an emotion: rename it, as in --columns={strange[0]}:anger, "
            f"or add its name to the words of --emotions=MAP.csv"
        )


def _number(text: str) -> float | None:
    """A number, with a point or a comma; None of anything else."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
