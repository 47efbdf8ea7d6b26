"""From splits to a protocol: the table of roles, checked by the guards.

A protocol is `role[fold, utterance]`. Masks, erased labels, guards and reports all
derive from it. Splits come from `splits`; what is here turns them into roles and
refuses those that would flatter the result.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.harmonise import emotion_map, match_labels
from dann_jax.data.identifiers import IDENTIFIERS, codes
from dann_jax.data.raters import VOTES
from dann_jax.tasks.corpus_labels import corpus_labels
from dann_jax.tasks.domains import value_ids
from dann_jax.tasks.fold_roles import (
    few_rows,
    hold_out_copies,
    require_pools,
    roles_of_sides,
    set_validation_aside,
)
from dann_jax.tasks.guards import (
    require_classes,
    require_disjoint,
    require_open_set,
    require_values,
    rows_without_value,
    without_unused_labels,
)
from dann_jax.tasks.oracle import oracle_roles, oracle_splits
from dann_jax.tasks.protocol_names import protocol_name
from dann_jax.tasks.rater_shares import label_shares
from dann_jax.tasks.roles import TARGET, Protocol, Role
from dann_jax.tasks.splits import SPLITS, ProtocolError, Split
from dann_jax.types import UNKNOWN
from dann_jax.utils.arguments import CountOrNone, Seed, call_checked, require


def assign_roles(
    corpus: Corpus,
    splits: Sequence[Split],
    *,
    name: str,
    labels: Sequence[str],
    unlabelled: Sequence[str] = (),
    validation_column: str = "speaker",
    validation_folds: CountOrNone = 8,
    seed: Seed = 0,
    disjoint: Sequence[str] = ("speaker",),
    allowed_leaks: Sequence[str] = (),
    label_column: str = "emotion",
    open_set: bool = False,
    labelled_target: CountOrNone = 0,
    targets: Sequence[str] = (),
    label_speakers: CountOrNone = 0,
    rater_shares: bool = True,
) -> Protocol:
    """Turn splits into a protocol, and check it for leaks.

    Args:
      corpus: where the rows come from.
      splits: from a function of `SPLITS`.
      name: for tables.
      labels: values of `label_column` that are classes; other rows are unlabelled. By
        default all that some fold may train on. A value may be written in another way
        (`harmonise.match_labels`), unless the column is one of `IDENTIFIERS`.
      unlabelled: any of `UNLABELLED_POOLS`. With `"test"` the protocol is
        transductive, and validation rows are treated as test rows are.
      validation_column: validation rows never share a value of it with labelled rows.
      validation_folds: one in so many training groups validates; 0 for none.
      seed: of the choice of validation groups.
      disjoint: columns that labelled and test rows must not share a value of. Rows
        without a value of them are neither labelled nor tested.
      allowed_leaks: those of `disjoint` that may be shared after all; every table
        that comes of it says so.
      label_column: the column that holds the labels.
      open_set: test all rows with a value of `label_column`, each of a value that its
        fold has not trained on: speakers to be verified, not classes to be named.
      labelled_target: so many rows of each class, drawn by the seed from what a split
        sets aside for adaptation, are labelled too. A larger number adds to the rows
        of a smaller one. They never validate, nor do rows that share a value of
        `validation_column` with them.
      targets: rating columns, numbers to predict instead of classes; a row that has
        any of them is known.
      label_speakers: where `labels` are left to the corpus, those of at least so many
        training speakers in every fold.
      rater_shares: learn the shares of the raters, where the corpus has their votes
        (`label_shares`) and the labels are emotions; scores are by the hard labels.

    Raises:
      ProtocolError: labelled and test rows share a speaker, a class is absent from
        a side of a fold or has too few rows set aside for adaptation, a target does
        not vary on a side of a fold, or an argument makes no sense.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> from dann_jax.tasks.splits import leave_one_out
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> protocol = assign_roles(
      ...     corpus,
      ...     leave_one_out(corpus, "session"),
      ...     name="leave-one-session-out",
      ...     labels=("anger", "neutral"),
      ...     validation_folds=0,
      ... )
      >>> sorted(set(protocol.roles[0][corpus.column("session") == "1"].tolist()))
      [0, 4]
    """
    require_pools(unlabelled)
    require("protocol.labels", labels, Sequence[str])
    shares = None
    if targets:
        if labels or open_set or labelled_target:
            raise ProtocolError(
                f"targets ({', '.join(targets)}) are numbers to predict; labels, "
                f"open_set and labelled_target are for classes: leave them empty"
            )
        label, value = np.full(len(corpus), UNKNOWN, np.int32), _values(corpus, targets)
        known = scored = ~np.isnan(value).all(1)
    else:
        column, value = corpus.column(label_column), None
        labels = labels or corpus_labels(corpus, label_column, splits, label_speakers)
        label = _indices(column, labels, exact=label_column in IDENTIFIERS)
        if rater_shares and VOTES in corpus.columns and label_column == "emotion":
            shares = label_shares(corpus.column(VOTES), label, labels)
        known = label != UNKNOWN
        scored = column != "" if open_set else known
    if open_set:
        disjoint = (*disjoint, label_column)
    apart = set(disjoint) - set(allowed_leaks)
    unnamed = rows_without_value(corpus, apart)
    known, scored = known & ~unnamed, scored & ~unnamed
    names = tuple(split.name for split in splits)
    roles = np.empty((len(splits), len(corpus)), np.int8)
    for fold, split in enumerate(splits):
        roles[fold] = roles_of_sides(known, scored, split, unlabelled, unnamed)
        # A rehearsal of an adaptation sets nothing aside.
        if labelled_target and (split.name == TARGET or TARGET not in names):
            named = np.where(unnamed, UNKNOWN, label)
            drawn = few_rows(named, split, labels, labelled_target, (seed, fold))
            roles[fold, drawn] = Role.LABELLED
    if "audio_hash" in corpus.columns:
        hashes = codes(corpus.column("audio_hash"))
        for fold_roles, split in zip(roles, splits, strict=True):
            hold_out_copies(fold_roles, hashes, split.adapt & (split.name == TARGET))
    if validation_folds:
        hidden = Role.UNLABELLED if "test" in unlabelled else Role.HELD_OUT
        cv_groups = codes(corpus.column(validation_column))
        for fold_roles, split in zip(roles, splits, strict=True):
            set_validation_aside(
                fold_roles,
                split.adapt,
                label,
                cv_groups,
                validation_folds,
                seed,
                hidden,
            )
    protocol = Protocol(
        name=name,
        folds=names,
        roles=roles,
        labels=labels,
        label=label,
        test_side=np.stack([split.test for split in splits]),
        adapt_side=np.stack([split.adapt for split in splits]),
        transductive="test" in unlabelled,
        allowed_leaks=tuple(allowed_leaks),
        label_column=label_column,
        open_set=open_set,
        targets=tuple(targets),
        value=value,
        shares=shares,
    )
    if protocol.target_fold is not None:
        protocol = without_unused_labels(protocol)
    if not open_set:
        require_values(protocol) if targets else require_classes(protocol)
    for shared in sorted(apart):
        require_disjoint(protocol, corpus, shared)
    if open_set:
        require_open_set(protocol, corpus)
    return protocol


def _indices(values: np.ndarray, labels: Sequence[str], *, exact: bool) -> np.ndarray:
    """Index of each value among the labels, int32 `[N]`; `UNKNOWN` for another one.

    Unless `exact`, a value may be written in another way than its label.
    """
    if not exact:
        known = {
            spelling: name for spelling, name in emotion_map("manifest").items() if name
        }
        values = match_labels(values, labels, known)
    return value_ids(values, labels)


def _values(corpus: Corpus, targets: Sequence[str]) -> np.ndarray:
    """The targets of every row, float64 `[N, targets]`, NaN where it has none."""
    value = np.stack([corpus.numbers(name) for name in targets], axis=1)
    if np.isinf(value).any():
        names = np.asarray(targets)[np.isinf(value).any(0)]
        raise ProtocolError(f"targets must be finite: {', '.join(names)} is not")
    return value


def make_protocol(
    corpus: Corpus,
    *,
    split: str,
    split_args: Mapping[str, Any],
    name: str = "",
    oracle: str = "",
    **roles: Any,
) -> Protocol:
    """A protocol from a name in `SPLITS` and arguments of `assign_roles`.

    Args:
      corpus: where the rows come from.
      split: its name.
      split_args: arguments of it.
      name: for tables; empty for one that says what the split does. Another one must
        not contradict it.
      oracle: a column for an oracle of the target (see `oracle_splits`), which
        `allowed_leaks` must name; empty, as by default, without leaks.
      **roles: arguments of `assign_roles`.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> protocol = make_protocol(
      ...     synthetic_conversations(),
      ...     split="leave_one_out",
      ...     split_args={"column": "session"},
      ...     labels=("anger", "neutral"),
      ...     validation_folds=0,
      ... )
      >>> protocol.name, protocol.folds[0], protocol.transductive
      ('leave-one-session-out', 'session 1', False)
    """
    if split not in SPLITS:
        raise ProtocolError(f"unknown split {split!r}; choose from {', '.join(SPLITS)}")
    splits = call_checked(f"split {split!r}", SPLITS[split], corpus, **split_args)
    folds = [split.name for split in splits]
    roles["name"] = protocol_name(name, split, split_args, folds)
    roles = oracle_roles(oracle, roles)
    if oracle:
        label_column = roles.get("label_column", "emotion")
        splits = oracle_splits(corpus, splits, oracle, label_column)
    return call_checked("protocol", assign_roles, corpus, splits, **roles)
