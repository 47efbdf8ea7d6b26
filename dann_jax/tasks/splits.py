"""Splits: which rows train and which are tested in each fold.

What the rows are to a fold beyond that is decided in `protocols`.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.identifiers import codes
from dann_jax.data.selection import rows_with
from dann_jax.tasks.roles import TARGET, ProtocolError, Split
from dann_jax.tasks.source_target import fixed_split, ordered_pairs
from dann_jax.utils.arguments import CountOrNone
from dann_jax.utils.words import listed, shorten

_log = logging.getLogger(__name__)

_PLURALS = {"speaker": "speakers", "corpus": "corpora"}


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


def adapt(
    corpus: Corpus,
    column: str = "side",
    source: Sequence[str] = ("source",),
    target: Sequence[str] = ("target",),
    *,
    group: str = "speaker",
    folds: CountOrNone = 5,
    score_target: bool = False,
) -> list[Split]:
    """Folds for a target without labels: one that adapts to it, others that rehearse.

    The fold `target` trains on all of the source and sees the target without its
    labels. It tests nothing, unless `score_target` is set. Whether adapting works is
    rehearsed on the source, where labels are known: each of the other folds holds out
    some groups (speakers) of the source and adapts to them; it does not see the target.

    Args:
      corpus: all rows.
      column: what source and target differ in, such as `corpus`; `side` where
        `data.target` names the target.
      source: values of the rows that are labelled.
      target: values of the rows that are adapted to.
      group: the column that rehearsals hold out values of: `speaker`, or `corpus`,
        where the source has several and the target is of none of them.
      folds: how many rehearsals; 0 for none, then nothing is scored.
      score_target: whether the labels of the target, as far as there are any, score
        the fold `target`; they are used for nothing else.

    Returns:
      The rehearsals, then the fold `target`.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> splits = adapt(corpus, "session", ("1", "2"), ("3",), folds=2)
      >>> [split.name for split in splits], bool(splits[-1].test.any())
      (['source speakers 1', 'source speakers 2', 'target'], False)

    Reference: Zhong et al., "Cross Validation Framework to Choose amongst Models and
    Datasets for Transfer Learning", ECML 2010, on validating without target labels.
    """
    (whole,) = fixed_split(corpus, column, source, target)
    nothing = np.zeros(len(corpus), bool)
    rehearsals = []
    if folds:
        rows = np.flatnonzero(whole.train)
        columns = {name: values[rows] for name, values in corpus.columns.items()}
        only_source = dataclasses.replace(corpus, columns=columns)
        for number, part in enumerate(group_k_fold(only_source, group, folds), 1):
            sides = np.zeros((2, len(corpus)), bool)
            sides[0, rows], sides[1, rows] = part.train, part.test
            held_out = _PLURALS.get(group, group)
            rehearsals.append(
                Split(f"source {held_out} {number}", sides[0], sides[1], nothing)
            )
    sides = (whole.test, nothing) if score_target else (nothing, whole.test)
    return [*rehearsals, Split(TARGET, whole.train, *sides)]


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
    "adapt": adapt,
}
"""Name in a config -> the constructor of splits."""
