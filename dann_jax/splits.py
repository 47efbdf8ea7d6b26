"""Splits: who trains and who is tested in each fold. scikit-learn cuts.

What the rows are to a fold beyond that is decided in `protocols`.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

from dann_jax.corpora.corpus import Corpus


class ProtocolError(ValueError):
    """The protocol cannot be built on this corpus, or its result would mislead."""


Split = tuple[str, np.ndarray, np.ndarray]
"""Fold name, training rows (bool `[N]`), test rows (bool `[N]`)."""


def leave_one_out(corpus: Corpus, column: str) -> list[Split]:
    """One fold for each value of `column`: speaker, session, corpus, language, ..."""
    groups = corpus.column(column)
    _require_values(corpus, column, 2)
    rows = np.arange(len(corpus))
    splits = []
    for train, test in LeaveOneGroupOut().split(rows, groups=groups):
        splits.append((f"{column} {groups[test[0]]}", *_masks(len(rows), train, test)))
    return splits


def group_k_fold(corpus: Corpus, column: str, k: int) -> list[Split]:
    """`k` folds that never share a value of `column`."""
    _require_values(corpus, column, k)
    splitter = GroupKFold(n_splits=k).split(
        np.arange(len(corpus)), groups=corpus.column(column)
    )
    return [
        (f"fold {index + 1}", *_masks(len(corpus), train, test))
        for index, (train, test) in enumerate(splitter)
    ]


def fixed_split(
    corpus: Corpus, column: str, train: Sequence[str], test: Sequence[str]
) -> list[Split]:
    """One fold: rows with these values train, rows with those test.

    With `column="corpus"` or `"language"` this is source -> target.
    """
    values = corpus.column(column)
    unknown = sorted({*train, *test} - set(values))
    if unknown or not len(train) or not len(test):
        raise ProtocolError(
            f"column {column!r} has no value {unknown}; it has {sorted(set(values))}"
        )
    both = sorted({*train} & {*test})
    if both:
        raise ProtocolError(
            f"{', '.join(both)} of {column!r} would train and be tested"
        )
    name = f"{','.join(train)} -> {','.join(test)}"
    return [(name, np.isin(values, list(train)), np.isin(values, list(test)))]


def _masks(rows: int, train: np.ndarray, test: np.ndarray) -> tuple:
    masks = np.zeros((2, rows), bool)
    masks[0, train] = masks[1, test] = True
    return masks[0], masks[1]


def _require_values(corpus: Corpus, column: str, least: int) -> None:
    values = corpus.column(column)
    if (values == "").any():
        raise ProtocolError(
            f"{(values == '').sum()} rows of corpus {corpus.name!r} have no value of "
            f"{column!r}; they belong to no fold"
        )
    found = np.unique(values)
    if len(found) < max(least, 2):
        raise ProtocolError(
            f"{least} folds over {column!r} need at least {least} different values; "
            f"corpus {corpus.name!r} has {len(found)}: {', '.join(found[:5])}"
        )


SPLITS = {
    "leave_one_out": leave_one_out,
    "group_k_fold": group_k_fold,
    "fixed_split": fixed_split,
}
"""The word in a config -> the constructor of splits."""
