"""Select rows by the values of columns."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from dann_jax.data.corpus import Corpus, CorpusError, corpus_name
from dann_jax.data.frames import Frames
from dann_jax.utils.words import listed, shorten


def rows_with(corpus: Corpus, wanted: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Rows with one of the wanted values in every column of `wanted`, bool `[N]`.

    Args:
      corpus: any.
      wanted: column -> values; all rows where it is empty.

    Raises:
      CorpusError: there is no such column, it has no such value, or values are not a
        sequence of words.
    """
    chosen = np.ones(len(corpus), bool)
    for column, words in wanted.items():
        values_of_rows = corpus.column(column)
        if isinstance(words, str):
            raise CorpusError(
                f"values of {column!r} must be a list such as ({words!r},), "
                f"not the word {words!r}"
            )
        unknown = sorted({*map(str, words)} - set(values_of_rows.tolist()))
        if unknown or not len(words):
            raise CorpusError(
                f"column {column!r} of corpus {corpus.name!r} has no value "
                f"{listed(map(repr, map(shorten, unknown))) or '(none named)'}; it has "
                f"{listed(map(shorten, np.unique(values_of_rows)), 10)}"
            )
        chosen &= np.isin(values_of_rows, list(words))
    return chosen


def keep_rows(corpus: Corpus, wanted: Mapping[str, Sequence[str]]) -> Corpus:
    """The corpus of these rows alone; it is as if the others had never been recorded.

    They take no part at all: not as unlabelled data, not as turns of a dialogue, not
    in statistics. To keep rows as unlabelled data, leave their values out of the
    labels of the protocol instead.

    Args:
      corpus: any; `Frames` of the rows that stay are read into memory.
      wanted: as in `rows_with`.

    Raises:
      CorpusError: as in `rows_with`, or no row is left.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> corpus = synthetic_conversations()
      >>> calm = keep_rows(corpus, {"emotion": ("neutral", "sadness")})
      >>> set(calm.columns["emotion"].tolist()) == {"neutral", "sadness"}
      True
    """
    chosen = rows_with(corpus, wanted)
    if chosen.all():
        return corpus
    if not chosen.any():
        filters = " and ".join(f"{name} in {list(wanted[name])}" for name in wanted)
        raise CorpusError(f"corpus {corpus.name!r} has no row with {filters}")
    rows = np.flatnonzero(chosen)
    columns = {name: column[rows] for name, column in corpus.columns.items()}
    # A name that lists the corpora lists those that are left.
    derived = corpus.name == corpus_name(corpus.columns)
    return dataclasses.replace(
        corpus,
        name=corpus_name(columns) if derived else corpus.name,
        columns=columns,
        features={
            name: array.take(rows) if isinstance(array, Frames) else array[rows]
            for name, array in corpus.features.items()
        },
        present={name: flags[rows] for name, flags in corpus.present.items()},
    )
