"""Folds within folds: training speakers held out in turn, as tested ones are.

What is compared on the inner folds, and not on the tested speakers, can be chosen
without them (Cawley and Talbot, "On over-fitting in model selection and subsequent
selection bias in performance evaluation", JMLR 11, 2010).
"""

import dataclasses
import logging
from typing import NamedTuple

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.identifiers import codes
from dann_jax.tasks.fold_roles import hold_out_copies
from dann_jax.tasks.guards import require_classes, require_disjoint
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError

_log = logging.getLogger(__name__)


class Nested(NamedTuple):
    """The inner folds of every outer one, as one protocol.

    Attributes:
      protocol: its folds are called such as `speaker 03 / inner 2`.
      outer: index of the outer fold of each inner one, int `[inner folds]`.
    """

    protocol: Protocol
    outer: np.ndarray


def nested_protocol(protocol: Protocol, corpus: Corpus, *, folds: int) -> Nested:
    """Split the training speakers of every fold into inner folds.

    The tested speakers of a fold take no part in its inner folds at all. Speakers who
    talk to each other are held out together. A speaker who is held out is treated as
    a tested one is outside: transductive rows are seen without labels, and copies of
    recordings under other names are left out.

    What is held out is what other folds test, wherever these divide the training
    speakers: so many people, with their own shares of the classes. A method that
    looks at unlabelled rows may thrive on many people who show all classes in equal
    parts and fail on the two that a fold tests. Elsewhere training speakers are
    divided into parts with equal shares of the classes.

    Args:
      protocol: of classes, without the leak of speakers.
      corpus: its rows.
      folds: inner ones of each outer fold, of more that there could be; fewer where
        there are fewer speakers.

    Raises:
      ProtocolError: a fold trains on one speaker alone, an inner fold lacks a class,
        or the protocol is of another kind.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> from dann_jax.tasks.protocols import make_protocol
      >>> corpus = synthetic_conversations(sessions=4, dialogues=3, turns=12)
      >>> protocol = make_protocol(
      ...     corpus,
      ...     split="leave_one_out",
      ...     split_args={"column": "session"},
      ...     labels=("anger", "neutral"),
      ...     validation_folds=0,
      ... )
      >>> nested = nested_protocol(protocol, corpus, folds=3)
      >>> nested.protocol.folds[0], nested.outer.tolist()[:4]
      ('session 1 / inner 1', [0, 0, 0, 1])
    """
    _require_kind(protocol)
    groups = together(corpus)
    names, outer, roles, test_sides, adapt_sides = [], [], [], [], []
    for fold, name in enumerate(protocol.folds):
        apart = _outside(protocol, corpus, fold)
        labelled = (protocol.roles[fold] == Role.LABELLED) & ~apart
        parts = _parts(protocol, labelled, groups, fold, folds)
        for index, held in enumerate(parts):
            names.append(f"{name} / inner {index + 1}")
            outer.append(fold)
            held = np.isin(groups, held) & ~apart
            roles.append(_roles(protocol, corpus, fold, held, apart))
            test_sides.append(held)
            adapt_sides.append(protocol.adapt_side[fold] & ~held & ~apart)
    inner = dataclasses.replace(
        protocol,
        name=f"{protocol.name}, training speakers held out in turn",
        folds=tuple(names),
        roles=np.stack(roles),
        test_side=np.stack(test_sides),
        adapt_side=np.stack(adapt_sides),
    )
    require_classes(inner)
    require_disjoint(inner, corpus, "speaker")
    _require_validation(protocol, inner)
    return Nested(inner, np.array(outer))


def together(corpus: Corpus) -> np.ndarray:
    """Speakers who are linked by dialogues, int `[N]`; -1 for a row without speaker.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> groups = together(corpus)
      >>> sessions = corpus.column("session")
      >>> [len(set(groups[sessions == name].tolist())) for name in "123"]
      [1, 1, 1]
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    speaker = codes(corpus.column("speaker"))
    named = np.flatnonzero(speaker >= 0)
    count = speaker.max() + 1
    dialogue = np.empty(len(corpus), int)
    for index, rows in enumerate(corpus.dialogues()):
        dialogue[rows] = count + index
    size = dialogue.max() + 1
    links = coo_matrix(
        (np.ones(len(named)), (speaker[named], dialogue[named])), (size, size)
    )
    component = connected_components(links, directed=False)[1]
    return np.where(speaker < 0, -1, component[speaker])


def _require_kind(protocol: Protocol) -> None:
    if protocol.kind != "classification":
        raise ProtocolError(
            f"settings are chosen by the recalls of classes, and this is "
            f"{protocol.kind}: leave config.choose.folds at 0"
        )
    if "speaker" in protocol.allowed_leaks or "oracle" in protocol.allowed_leaks:
        raise ProtocolError(
            f"protocol.allowed_leaks names {', '.join(protocol.allowed_leaks)}: where "
            f"labelled and tested rows share a speaker, nothing can be chosen on "
            f"speakers held out; leave config.choose.folds at 0"
        )


def _outside(protocol: Protocol, corpus: Corpus, fold: int) -> np.ndarray:
    """Rows of what a fold tests, copies of them included, bool `[N]`."""
    speaker, tested = codes(corpus.column("speaker")), protocol.test_side[fold]
    apart = tested | np.isin(speaker, np.setdiff1d(speaker[tested], -1))
    if "audio_hash" in corpus.columns:
        copies = codes(corpus.column("audio_hash"))
        apart |= np.isin(copies, np.setdiff1d(copies[tested], -1))
    return apart


def _parts(
    protocol: Protocol, labelled: np.ndarray, groups: np.ndarray, fold: int, folds: int
) -> list[np.ndarray]:
    """The groups that each inner fold holds out."""
    rows, name = np.flatnonzero(labelled & (groups >= 0)), protocol.folds[fold]
    available = len(np.unique(groups[rows]))
    if available < 2:
        raise ProtocolError(
            f"fold {name!r} trains on {available} speaker (or speakers who all talk to "
            f"each other): to choose settings on training speakers held out takes two "
            f"at least; set config.choose.folds to 0"
        )
    label = protocol.label[rows]
    for index, word in enumerate(protocol.labels):
        having = len(np.unique(groups[rows[label == index]]))
        if having < 2 or (label == index).sum() < folds:
            raise ProtocolError(
                f"fold {name!r} has {(label == index).sum()} labelled utterances of "
                f"{word!r}, of {having} speakers: too few for {folds} inner folds; "
                f"leave it out of config.protocol.labels"
            )
    if available < folds:
        _log.warning(
            "fold %r has %d training speakers, so %d inner folds instead of %d",
            *(name, available, available, folds),
        )
    others = _tested_by_others(protocol, rows, groups, fold)
    if len(others) > 1:
        count = min(folds, len(others))
        return [others[index * len(others) // count] for index in range(count)]
    # It brings much else, and few need it.
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(n_splits=min(folds, available))
    parts = splitter.split(rows, label, groups[rows])
    return [np.unique(groups[rows[held]]) for _, held in parts]


def _tested_by_others(
    protocol: Protocol, rows: np.ndarray, groups: np.ndarray, fold: int
) -> list[np.ndarray]:
    """The groups of `rows` that each other fold tests, from the next fold on.

    Nothing where these are no parts of the rows. Those without which a class would
    have no row are left out.
    """
    count, found = len(protocol.folds), []
    for other in (np.arange(1, count) + fold) % count:
        found.append(np.unique(groups[rows[protocol.test_side[other, rows]]]))
    everyone = np.unique(groups[rows])
    if not np.array_equal(np.sort(np.concatenate(found or [[]])), everyone):
        return []
    parts = []
    for held in found:
        kept = rows[~np.isin(groups[rows], held)]
        if len(held) and len(np.unique(protocol.label[kept])) == len(protocol.labels):
            parts.append(held)
    return parts


def _roles(
    protocol: Protocol, corpus: Corpus, fold: int, held: np.ndarray, apart: np.ndarray
) -> np.ndarray:
    """Roles of an inner fold, int8 `[N]`, from those of its outer fold."""
    outer = protocol.roles[fold]
    known = np.isin(outer, (Role.LABELLED, Role.VALIDATION))
    unseen = Role.UNLABELLED if protocol.transductive else Role.HELD_OUT
    roles = np.where(held, np.where(known, Role.TEST, unseen), outer)
    roles = np.where(apart, Role.HELD_OUT, roles).astype(np.int8)
    if "audio_hash" in corpus.columns:
        hold_out_copies(roles, codes(corpus.column("audio_hash")))
    return roles


def _require_validation(outer: Protocol, inner: Protocol) -> None:
    """Validation rows in every inner fold, if there are any outside."""
    validates = (inner.roles == Role.VALIDATION).any(1)
    if (outer.roles == Role.VALIDATION).any() and not validates.all():
        raise ProtocolError(
            f"fold {inner.folds[int(validates.argmin())]!r} has no validation rows "
            f"left: use a larger config.protocol.validation_folds, or 0"
        )
