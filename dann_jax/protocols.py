"""Who is trained on, who is adapted to, who is tested: one table of roles.

A protocol is `role[fold, utterance]`. Masks, erased labels, guards and reports all
derive from it. Splits come from scikit-learn; what is here turns them into roles and
refuses those that would flatter the result.
"""

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedGroupKFold

from dann_jax.corpora.corpus import Corpus
from dann_jax.types import UNKNOWN


class ProtocolError(ValueError):
    """The protocol cannot be built on this corpus, or its result would mislead."""


class Role(enum.IntEnum):
    """What an utterance is to one fold."""

    HELD_OUT = 0
    """Takes no part at all."""
    LABELLED = 1
    """Trained on, with its label."""
    UNLABELLED = 2
    """Seen in training; its label, if it has one, is not."""
    VALIDATION = 3
    """From the training side; its label only chooses the step to keep."""
    TEST = 4
    """Its label only scores."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The roles of every utterance in every fold, and what they were made from.

    Attributes:
      name: for tables, such as `leave-one-session-out`.
      folds: name of each of the `F` folds.
      roles: int8 `[F, N]` of `Role`.
      labels: the class names.
      label: int32 `[N]`, index into `labels`, `UNKNOWN` where it is none of them.
        Never hand this to a training step: use `erased_labels`.
      transductive: test and validation rows are seen in training, without labels.
      allowed_leaks: columns in which labelled and test rows share a value, by name.
    """

    name: str
    folds: tuple[str, ...]
    roles: np.ndarray
    labels: tuple[str, ...]
    label: np.ndarray
    transductive: bool
    allowed_leaks: tuple[str, ...] = ()

    def erased_labels(self) -> np.ndarray:
        """Labels for training, int32 `[F, N]`: `UNKNOWN` unless the row is labelled."""
        return np.where(self.roles == Role.LABELLED, self.label, UNKNOWN).astype(
            np.int32
        )

    def visible(self) -> np.ndarray:
        """Which rows a training step may look at, bool `[F, N]`."""
        seen = [Role.LABELLED, Role.UNLABELLED]
        if self.transductive:
            seen += [Role.VALIDATION, Role.TEST]
        return np.isin(self.roles, seen)


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
    name = f"{','.join(train)} -> {','.join(test)}"
    return [(name, np.isin(values, list(train)), np.isin(values, list(test)))]


def _masks(rows: int, train: np.ndarray, test: np.ndarray) -> tuple:
    masks = np.zeros((2, rows), bool)
    masks[0, train] = masks[1, test] = True
    return masks[0], masks[1]


def _require_values(corpus: Corpus, column: str, least: int) -> None:
    found = np.unique(corpus.column(column))
    if len(found) < least:
        raise ProtocolError(
            f"{least} folds over {column!r} need at least {least} different values; "
            f"corpus {corpus.name!r} has {len(found)}: {', '.join(found[:5])}"
        )


UNLABELLED_POOLS = ("other", "test")
"""Where unlabelled rows may come from: other-label rows of the training side, and the
test side without its labels (transductive)."""


def assign_roles(
    corpus: Corpus,
    splits: Sequence[Split],
    *,
    name: str,
    labels: Sequence[str],
    unlabelled: Sequence[str] = (),
    validation_column: str = "speaker",
    validation_folds: int = 8,
    seed: int = 0,
    disjoint: Sequence[str] = ("speaker",),
    allowed_leaks: Sequence[str] = (),
    label_column: str = "emotion",
) -> Protocol:
    """Turn splits into a protocol, and refuse it if it is not honest.

    Args:
      corpus: where the rows come from.
      splits: from `leave_one_out`, `group_k_fold` or `fixed_split`.
      name: for tables.
      labels: values of `label_column` to tell apart; other rows are unlabelled.
      unlabelled: any of `UNLABELLED_POOLS`. With `"test"` the protocol is
        transductive, and validation rows are treated as test rows are.
      validation_column: validation rows never share a value of it with labelled rows.
      validation_folds: one in so many training groups validates; 0 for none.
      seed: of the choice of validation groups.
      disjoint: columns that labelled and test rows must not share a value of.
      allowed_leaks: those of `disjoint` that may be shared after all; every table
        that comes of it says so.
      label_column: the column that holds the labels.

    Raises:
      ProtocolError: labelled and test rows share a speaker, a class is absent from
        a side of a fold, or an argument makes no sense.
    """
    wrong = sorted(set(unlabelled) - set(UNLABELLED_POOLS))
    if wrong:
        raise ProtocolError(
            f"unknown pool of unlabelled rows {wrong}; the pools are {UNLABELLED_POOLS}"
        )
    values = corpus.column(label_column)
    label = np.full(len(corpus), UNKNOWN, np.int32)
    for index, word in enumerate(labels):
        label[values == word] = index
    transductive = "test" in unlabelled
    roles = np.zeros((len(splits), len(corpus)), np.int8)
    for fold, (_, train, test) in enumerate(splits):
        known = label != UNKNOWN
        roles[fold, train & known] = Role.LABELLED
        roles[fold, train & ~known] = (
            Role.UNLABELLED if "other" in unlabelled else Role.HELD_OUT
        )
        roles[fold, test & known] = Role.TEST
        roles[fold, test & ~known] = Role.UNLABELLED if transductive else Role.HELD_OUT
        if validation_folds:
            groups = corpus.column(validation_column)
            rows = _validation_rows(
                np.flatnonzero(train & known), label, groups, validation_folds, seed
            )
            roles[fold, rows] = Role.VALIDATION
    protocol = Protocol(
        name=name,
        folds=tuple(split[0] for split in splits),
        roles=roles,
        labels=tuple(labels),
        label=label,
        transductive=transductive,
        allowed_leaks=tuple(allowed_leaks),
    )
    _require_classes(protocol)
    for column in set(disjoint) - set(allowed_leaks):
        require_disjoint(protocol, corpus, column)
    return protocol


def _validation_rows(
    rows: np.ndarray, label: np.ndarray, groups: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    found = len(np.unique(groups[rows]))
    if not 2 <= folds <= found:
        raise ProtocolError(
            f"validation_folds must be 0 or between 2 and the number of training "
            f"groups ({found}), got {folds}"
        )
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    _, chosen = next(splitter.split(rows, label[rows], groups[rows]))
    return rows[chosen]


def _require_classes(protocol: Protocol) -> None:
    for fold, name in enumerate(protocol.folds):
        for role in (Role.LABELLED, Role.TEST):
            found = set(protocol.label[protocol.roles[fold] == role])
            absent = [
                word for index, word in enumerate(protocol.labels) if index not in found
            ]
            if absent and (
                role == Role.LABELLED or len(absent) == len(protocol.labels)
            ):
                raise ProtocolError(
                    f"fold {name!r} has no {role.name.lower()} utterance of "
                    f"{', '.join(absent)}"
                )


def require_disjoint(protocol: Protocol, corpus: Corpus, column: str) -> None:
    """Raise `ProtocolError` where labelled and test rows share a value of `column`."""
    values = corpus.column(column)
    for fold, name in enumerate(protocol.folds):
        roles = protocol.roles[fold]
        shared = np.intersect1d(
            values[roles == Role.LABELLED], values[roles == Role.TEST]
        )
        if len(shared):
            raise ProtocolError(
                f"fold {name!r}: {len(shared)} values of {column!r} are both labelled "
                f"and tested ({', '.join(shared[:5])}); the score would not speak for "
                f"unheard ones. To run it all the same, and have every table say so, "
                f"put {column!r} into allowed_leaks"
            )


def domain_ids(
    protocol: Protocol, corpus: Corpus, *, column: str, rows: str = "visible"
) -> tuple[np.ndarray, int]:
    """What an adversary tells apart, int32 `[F, N]`, and how many values it has.

    Args:
      protocol: the roles.
      corpus: the columns.
      column: a column of the corpus; or `"role"` for labelled against unlabelled.
      rows: `"visible"`, every row that training may look at; or `"labelled"`.

    Returns:
      Ids, `UNKNOWN` where a row takes no part, and the number of domains.
    """
    choices: dict[str, Callable[[], np.ndarray]] = {
        "visible": protocol.visible,
        "labelled": lambda: protocol.roles == Role.LABELLED,
    }
    if rows not in choices:
        raise ProtocolError(f"unknown rows {rows!r}; choose from {', '.join(choices)}")
    if column == "role":
        ids, count = (protocol.roles != Role.LABELLED).astype(np.int32), 2
    else:
        values = corpus.column(column)
        names = np.unique(values[values != ""])
        # An empty value is one that is not known, not a domain of its own.
        ids = np.where(values == "", UNKNOWN, np.searchsorted(names, values))
        ids, count = np.broadcast_to(ids, protocol.roles.shape), len(names)
    if count < 2:
        raise ProtocolError(
            f"an adversary over {column!r} has nothing to tell apart: there is one value"
        )
    return np.where(choices[rows](), ids, UNKNOWN).astype(np.int32), count


SPLITS = {
    "leave_one_out": leave_one_out,
    "group_k_fold": group_k_fold,
    "fixed_split": fixed_split,
}
"""The word in a config -> the constructor of splits."""


def make_protocol(
    corpus: Corpus, *, split: str, split_args: Mapping[str, Any], **roles: Any
) -> Protocol:
    """A protocol from words: `split` of `SPLITS`, then `assign_roles`.

    Example:
      >>> from dann_jax.corpora import synthetic_conversations
      >>> protocol = make_protocol(
      ...     synthetic_conversations(),
      ...     split="leave_one_out",
      ...     split_args={"column": "session"},
      ...     name="leave-one-session-out",
      ...     labels=("anger", "neutral"),
      ...     validation_folds=0,
      ... )
      >>> protocol.folds[0], protocol.transductive
      ('session 1', False)
    """
    if split not in SPLITS:
        raise ProtocolError(f"unknown split {split!r}; choose from {', '.join(SPLITS)}")
    return assign_roles(corpus, SPLITS[split](corpus, **split_args), **roles)
