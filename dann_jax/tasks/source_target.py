"""Splits from source to target: the values that train differ from those tested."""

from collections.abc import Sequence

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.roles import ProtocolError, Split
from dann_jax.utils.words import listed, shorten


def fixed_split(
    corpus: Corpus,
    column: str,
    train: Sequence[str],
    test: Sequence[str],
    adapt_on: str = "",
) -> list[Split]:
    """One fold: rows with these values train, rows with those test.

    With `column="corpus"` or `"language"` this is source -> target; for `adapt_on` see
    `ordered_pairs`.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> fixed_split(corpus, "session", train=["1"], test=["2", "3"])[0].name
      '1 -> 2,3'
    """
    values = corpus.column(column)
    known = np.unique(values[values != ""])
    unknown = sorted({*train, *test} - set(known.tolist()))
    if unknown or not len(train) or not len(test):
        raise ProtocolError(
            f"column {column!r} has no value {', '.join(unknown) or '(none named)'}; "
            f"it has {listed(map(shorten, known), 10)}"
        )
    both = sorted({*train} & {*test})
    if both:
        raise ProtocolError(
            f"{', '.join(both)} of {column!r} would train and be tested"
        )
    groups = corpus.column(adapt_on) if adapt_on else None
    return [_source_to_target(values, tuple(train), tuple(test), groups)]


def ordered_pairs(
    corpus: Corpus, column: str, values: Sequence[str] = (), adapt_on: str = ""
) -> list[Split]:
    """A fold for every ordered pair of values: train on one, test the other.

    With `column="corpus"` or `"language"` this is the N x N table, all of it trained
    at once.

    Args:
      corpus: all rows.
      column: what source and target differ in.
      values: of the column to pair; all of them by default.
      adapt_on: a column, such as `speaker`. Every second one of a target's values of it
        (in sorted order, from the first) is set aside for adaptation, without labels
        but those of `labelled_target`, and only the rest is scored, so that what is
        scored is never seen in training.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> len(ordered_pairs(corpus, "session"))
      6
    """
    values_of_rows = corpus.column(column)
    values = tuple(values) or tuple(
        np.unique(values_of_rows[values_of_rows != ""]).tolist()
    )
    if len(values) < 2:
        raise ProtocolError(
            f"pairs over {column!r} need two values, got {', '.join(values) or 'none'}"
        )
    return [
        _source_to_target(
            values_of_rows,
            (source,),
            (target,),
            corpus.column(adapt_on) if adapt_on else None,
        )
        for source in values
        for target in values
        if source != target
    ]


def _source_to_target(
    values: np.ndarray,
    source: tuple[str, ...],
    target: tuple[str, ...],
    groups: np.ndarray | None = None,
) -> Split:
    train, test = np.isin(values, source), np.isin(values, target)
    if not train.any() or not test.any():
        raise ProtocolError(f"no rows of {', '.join(source)} or of {', '.join(target)}")
    adapt = np.zeros(len(values), bool)
    if groups is not None:
        # A row without a value may belong to either side.
        test = test & (groups != "")
        adapt = test & np.isin(groups, np.unique(groups[test])[::2])
        test = test & ~adapt
    return Split(f"{','.join(source)} -> {','.join(target)}", train, test, adapt)
