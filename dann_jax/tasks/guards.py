"""Guards: each raises `ProtocolError` for a protocol with misleading results."""

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.doubts import unique_names
from dann_jax.data.identifiers import codes
from dann_jax.tasks.oracle import ORACLE
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError
from dann_jax.types import UNKNOWN
from dann_jax.utils.words import listed, shorten

_log = logging.getLogger(__name__)


def require_classes(protocol: Protocol) -> None:
    """Two classes or more, each with a labelled utterance in every fold."""
    if len(set(protocol.labels)) < max(len(protocol.labels), 2):
        raise ProtocolError(
            f"the labels must be two or more different ones, got "
            f"{', '.join(protocol.labels) or 'none'}"
        )
    for fold, name in enumerate(protocol.folds):
        tests = fold != protocol.target_fold or protocol.test_side[fold].any()
        for role in (Role.LABELLED, Role.TEST)[: 1 + tests]:
            # Unknown labels are -1.
            counts = np.bincount(
                protocol.label[protocol.roles[fold] == role] + 1,
                minlength=len(protocol.labels) + 1,
            )
            absent = [
                label
                for label, count in zip(protocol.labels, counts[1:], strict=True)
                if not count
            ]
            others = [label for label in protocol.labels if label not in absent]
            if absent and (
                role == Role.LABELLED or len(absent) == len(protocol.labels)
            ):
                raise ProtocolError(
                    f"fold {name!r} has no {role.name.lower()} utterance of "
                    f"{', '.join(absent)}, but of {', '.join(others) or 'nothing'}: "
                    f"protocol.labels must be what every fold can learn"
                    f"{_OF_NO_LABELS * (role == Role.TEST)}"
                    f"{_OF_REHEARSALS * (protocol.target_fold not in (None, fold))}"
                )


_OF_NO_LABELS = (
    ". To adapt to rows that have no labels, and not to score them, use "
    "protocol.split=adapt (docs/adaptation.md)"
)


_OF_REHEARSALS = (
    "; to rehearse an adaptation it takes two speakers of the source who show it: "
    "leave it out of protocol.labels, or rehearse nothing: protocol.split_args.folds=0"
)


def without_unused_labels(protocol: Protocol) -> Protocol:
    """The protocol of an adaptation without labels of the target that nobody asked for.

    Neither a report nor a map can show them then. Those that train
    (`labelled_target`) or score (`score_target` of the split) stay.

    Raises:
      ProtocolError: it predicts numbers or verifies speakers.
    """
    if protocol.kind != "classification":
        raise ProtocolError(
            f"protocol.split=adapt adapts classes; it cannot adapt {protocol.kind} yet"
        )
    roles = protocol.roles[protocol.target_fold]
    target = protocol.adapt_side[protocol.target_fold]
    unused = target & (roles != Role.LABELLED) & (protocol.label != UNKNOWN)
    if unused.any():
        _log.warning(
            "%d rows of the target have labels, which are not used: "
            "protocol.labelled_target=n trains on n of each class, "
            "protocol.split_args.score_target=True scores by them",
            unused.sum(),
        )
    label = np.where(unused, UNKNOWN, protocol.label)
    return dataclasses.replace(protocol, label=label)


def require_values(protocol: Protocol) -> None:
    """At least two different labelled values and test values in every fold."""
    for fold, name in enumerate(protocol.folds):
        for role in (Role.LABELLED, Role.VALIDATION, Role.TEST):
            rows = protocol.roles[fold] == role
            if role == Role.VALIDATION and not rows.any():
                continue
            for target, value in zip(
                protocol.targets, protocol.value[rows].T, strict=True
            ):
                if len(np.unique(value[~np.isnan(value)])) < 2:
                    raise ProtocolError(
                        f"fold {name!r} has no two {role.name.lower()} utterances "
                        f"that differ in {target!r}"
                    )


def require_open_set(protocol: Protocol, corpus: Corpus) -> None:
    """Two values to train on and two others to test, in every fold."""
    column = protocol.label_column
    if (protocol.roles == Role.VALIDATION).any():
        raise ProtocolError(
            f"in an open set no row of an unseen {column!r} can be validated by its "
            f"label: set validation_folds to 0"
        )
    values = corpus.column(column)
    for fold, name in enumerate(protocol.folds):
        roles = protocol.roles[fold]
        trained = np.unique(values[roles == Role.LABELLED])
        unseen = np.setdiff1d(values[roles == Role.TEST], trained)
        if min(len(trained), len(unseen)) < 2:
            raise ProtocolError(
                f"fold {name!r}: an open set needs two labelled values of {column!r} "
                f"and two others to test; there are {len(trained)} and {len(unseen)}"
            )


def require_disjoint(protocol: Protocol, corpus: Corpus, column: str) -> None:
    """Raise `ProtocolError` where labelled and test rows share a value of `column`.

    So they might where rows of both have none.
    """
    values, ids = corpus.column(column), codes(corpus.column(column))
    for fold, name in enumerate(protocol.folds):
        roles, side = protocol.roles[fold], "tested"
        if fold == protocol.target_fold:
            # What it adapts to must be somebody else as well, scored or not.
            target = protocol.test_side[fold] | protocol.adapt_side[fold]
            roles, side = np.where(target, Role.TEST, roles), "of the target"
        labelled, tested = (
            np.bincount(ids[roles == role] + 1, minlength=ids.max() + 2) > 0
            for role in (Role.LABELLED, Role.TEST)
        )
        both = labelled & tested
        if both[0]:
            raise ProtocolError(
                f"fold {name!r}: rows without {column!r} are both labelled and {side}, "
                f"so they may share one"
            )
        if both.any():
            rows = both[ids + 1] & np.isin(roles, (Role.LABELLED, Role.TEST))
            raise ProtocolError(
                f"fold {name!r}: {both.sum()} values of {column!r} are both labelled "
                f"and {side} ({listed(map(shorten, np.unique(values[rows])))}); "
                f"{_remedy(corpus, column, rows, roles)}"
            )


def _remedy(corpus: Corpus, column: str, rows: np.ndarray, roles: np.ndarray) -> str:
    """What to do about rows (bool `[N]`) that share values of a column."""
    if column != "corpus" and "corpus" in corpus.columns:
        homes = corpus.columns["corpus"]
        labelled, tested = (
            np.unique(homes[rows & (roles == role)])
            for role in (Role.LABELLED, Role.TEST)
        )
        if not np.isin(labelled, tested).any():
            return (
                f"the labelled ones are in {listed(labelled)} and the tested ones in "
                f"{listed(tested)}: "
                f"{unique_names(shorten(corpus.column(column)[rows][0]), labelled[0])}"
            )
    return (
        f"the score would not hold for unseen ones. To run it all the same, with a "
        f"note in every table, put {column!r} into allowed_leaks"
    )


def rows_without_value(corpus: Corpus, columns: Sequence[str]) -> np.ndarray:
    """Rows without a value, which may share it with others, bool `[N]`.

    Args:
      corpus: all rows.
      columns: that labelled and tested rows must not share a value of.

    Raises:
      ProtocolError: all rows are such rows.
    """
    unnamed = np.zeros(len(corpus), bool)
    for column in sorted(columns):
        missing = corpus.column(column) == ""
        if missing.all():
            raise ProtocolError(
                f"{len(corpus)} rows of corpus {corpus.name!r} have no value of "
                f"{column!r}, which labelled and tested rows must not share. To run it "
                f"all the same, with a note in every table, put {column!r} into "
                f"allowed_leaks"
            )
        if missing.any():
            _log.warning(
                "%d of %d rows have no %s, so that it is unknown whom they share it "
                "with: their labels neither train nor test",
                *(missing.sum(), len(corpus), column),
            )
        unnamed |= missing
    return unnamed


def refuse_unused_leak_allowances(
    protocol: Protocol, corpus: Corpus, disjoint: Sequence[str]
) -> None:
    """Refuse an allowed leak that does not occur: tables would report it.

    Args:
      protocol: with its `allowed_leaks`.
      corpus: the columns.
      disjoint: the columns that it would not share values of otherwise.

    Raises:
      ProtocolError: a leak is none of them, or in no fold do labelled and test rows
        share a value of it.
    """
    for column in sorted(set(protocol.allowed_leaks) - {ORACLE}):
        if column not in disjoint:
            raise ProtocolError(
                f"allowed_leaks names {column!r}, and nothing keeps rows apart by it: "
                f"disjoint is {', '.join(disjoint) or 'empty'}; leave it out"
            )
        values = corpus.column(column)
        if not any(
            np.isin(values[roles == Role.LABELLED], values[roles == Role.TEST]).any()
            for roles in protocol.target_roles()
        ):
            raise ProtocolError(
                f"allowed_leaks names {column!r}, and in no fold do labelled and test "
                f"rows share a value of it; leave it out, or every table reports "
                f"a leak"
            )
