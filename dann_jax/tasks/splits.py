"""Splits: which rows train and which are tested in each fold.

What the rows are to a fold beyond that is decided in `protocols`.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.identifiers import codes
from dann_jax.data.selection import rows_with
from dann_jax.utils.words import listed, shorten

_log = logging.getLogger(__name__)


class ProtocolError(ValueError):
    """The protocol cannot be built on this corpus, or its result would mislead."""


class Split(NamedTuple):
    """One fold.

    Attributes:
      name: of the fold.
      train: bool `[N]`, rows that may be labelled.
      test: bool `[N]`, rows that are scored.
      adapt: bool `[N]`, rows of the target that are not scored and may be seen in
        training without their labels, or a few of them with (`labelled_target` of
        `assign_roles`).
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    adapt: np.ndarray


def leave_one_out(
    corpus: Corpus,
    column: str,
    train: Mapping[str, Sequence[str]] = {},
    test: Mapping[str, Sequence[str]] = {},
) -> list[Split]:
    """One fold for each value of `column`: speaker, session, corpus, language, ...

    Args:
      corpus: all rows.
      column: whose values are left out in turn.
      train: column -> values; only rows with these train.
      test: column -> values; only rows with these are tested. Those that are not left
        out and do not train are set aside for adaptation: with `train={"style":
        ["script"]}` and `test={"style": ["impro"]}`, improvised speech of the
        sessions whose scripted speech trains.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> [split.name for split in leave_one_out(corpus, "session")]
      ['session 1', 'session 2', 'session 3']
    """
    values = _require_values(corpus, column, 2)
    groups = codes(corpus.column(column))
    source, target = rows_with(corpus, train), rows_with(corpus, test)
    # Rows without a value belong to no fold. One empty mask serves all folds.
    kept, nothing = groups >= 0, np.zeros(len(groups), bool)
    splits = []
    for group, value in enumerate(values):
        left_out = groups == group
        rest = kept & ~left_out
        adapt = rest & target & ~source if train else nothing
        splits.append(
            Split(f"{column} {value}", rest & source, left_out & target, adapt)
        )
    return splits


def group_k_fold(
    corpus: Corpus, column: str, k: int, at_most: bool = False
) -> list[Split]:
    """`k` folds that never share a value of `column`.

    Args:
      corpus: all rows.
      column: whose values stay together.
      k: how many folds.
      at_most: leave the values out one by one where there are no more than `k`.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> folds = group_k_fold(corpus, "speaker", 3)
      >>> [len(set(corpus.column("speaker")[fold.test])) for fold in folds]
      [2, 2, 2]
    """
    from sklearn.model_selection import GroupKFold

    values = _require_values(corpus, column, 2 if at_most else k)
    if at_most and len(values) <= k:
        return leave_one_out(corpus, column)
    groups = codes(corpus.column(column))
    rows = np.flatnonzero(groups >= 0)
    splitter = GroupKFold(n_splits=k).split(rows, groups=groups[rows])
    splits = []
    for index, (train, test) in enumerate(splitter):
        masks = np.zeros((3, len(corpus)), bool)
        masks[0, rows[train]] = masks[1, rows[test]] = True
        splits.append(Split(f"fold {index + 1}", *masks))
    return splits


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
      adapt_on: a column, such as `speaker`. Every other one of a target's values of it
        (in sorted order) is set aside for adaptation, without labels, and only the
        rest is scored, so that what is scored is never seen in training.

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


def _require_values(corpus: Corpus, column: str, least: int) -> list[str]:
    """The values of a column that has enough of them, sorted."""
    values = corpus.column(column)
    missing = int((values == "").sum())
    if missing == len(values):
        raise ProtocolError(
            f"{missing} rows of corpus {corpus.name!r} have no value of {column!r}; "
            f"they belong to no fold"
        )
    if missing:
        _log.warning(
            "%d of %d rows have no %s and belong to no fold",
            *(missing, len(values), column),
        )
    distinct = np.unique(values[values != ""]).tolist()
    if len(distinct) < max(least, 2):
        raise ProtocolError(
            f"{least} folds over {column!r} need at least {least} different values; "
            f"corpus {corpus.name!r} has {len(distinct)}: "
            f"{listed(map(shorten, distinct))}"
        )
    return distinct


SPLITS = {
    "leave_one_out": leave_one_out,
    "group_k_fold": group_k_fold,
    "fixed_split": fixed_split,
    "ordered_pairs": ordered_pairs,
}
"""Name in a config -> the constructor of splits."""
