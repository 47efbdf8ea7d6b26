"""The leak of the text: what is said."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from benchmarks.studies.leaks.names import drawn_as, with_leaks
from dann_jax.data.corpus import Corpus
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError
from dann_jax.types import UNKNOWN


def disjoint_texts(
    protocol: Protocol, corpus: Corpus, *, tested: Collection[str], column: str = "text"
) -> Protocol:
    """The control of `share_texts`: these sentences are tested and nothing else.

    Corpora of acted speech have few sentences, which everybody says, so that a split
    by speaker shares all of them.

    Args:
      protocol: any.
      corpus: with `column`.
      tested: the sentences to test; rows of all others are not tested, and rows of
        these take no other part.
      column: what was said.

    Raises:
      ProtocolError: a class has no labelled row left, or no row is left to test.
    """
    is_tested = np.isin(corpus.column(column), list(tested))
    role_fits = np.where(protocol.roles == Role.TEST, is_tested, ~is_tested)
    roles = np.where(role_fits, protocol.roles, Role.HELD_OUT)
    for fold, own in enumerate(roles):
        _require_rows(protocol, fold, own, column)
    return dataclasses.replace(protocol, roles=roles.astype(protocol.roles.dtype))


def _require_rows(protocol: Protocol, fold: int, own: np.ndarray, column: str) -> None:
    """Raise `ProtocolError` unless the roles `own` still train and test the fold."""
    for role in (Role.LABELLED, Role.TEST):
        before = set(protocol.label[protocol.roles[fold] == role])
        lost = before - set(protocol.label[own == role])
        # As in `assign_roles`: a class that some fold does not test is no fault.
        if lost and (role == Role.LABELLED or lost == before):
            names = ", ".join(protocol.labels[index] for index in sorted(lost))
            raise ProtocolError(
                f"fold {protocol.folds[fold]!r}: without shared {column} no "
                f"{role.name.lower()} row of {names} is left; test other sentences"
            )


def every_text(
    protocol: Protocol,
    corpus: Corpus,
    *,
    groups: Sequence[Collection[str]],
    column: str = "text",
) -> Protocol:
    """`disjoint_texts` for each group of sentences in turn, as folds of one protocol.

    Where the groups hold all sentences, what was tested once still is.

    Args:
      protocol: with `F` folds.
      corpus: with `column`.
      groups: sentences to test, `G` groups of them.
      column: what was said.

    Returns:
      `G * F` folds, those of the first group first.

    Raises:
      ProtocolError: as in `disjoint_texts`.
    """
    parts = [
        disjoint_texts(protocol, corpus, tested=tested, column=column)
        for tested in groups
    ]
    return dataclasses.replace(
        protocol,
        folds=tuple(
            f"{fold}, {column} {number}"
            for number in range(1, len(parts) + 1)
            for fold in protocol.folds
        ),
        roles=np.vstack([part.roles for part in parts]),
        test_side=np.vstack([protocol.test_side] * len(parts)),
        adapt_side=np.vstack([protocol.adapt_side] * len(parts)),
    )


def share_texts(
    protocol: Protocol, corpus: Corpus, *, seed: int, column: str = "text"
) -> Protocol:
    """As many labelled rows of each class, drawn from tested sentences too.

    Args:
      protocol: from `disjoint_texts` or `every_text`; validation and test rows stay
        as they are.
      corpus: with `column` and `speaker`; only speakers who are trained on anyway come
        in with more sentences.
      seed: of the draw.
      column: what was said.

    Raises:
      ProtocolError: a fold has no such row.
    """
    rng, texts, speaker = (
        np.random.default_rng(seed),
        corpus.column(column),
        corpus.column("speaker"),
    )
    roles = protocol.roles.copy()
    for fold, own in enumerate(roles):
        labelled = own == Role.LABELLED
        more = (own == Role.HELD_OUT) & (protocol.label != UNKNOWN)
        more &= np.isin(texts, texts[own == Role.TEST])
        more &= np.isin(speaker, speaker[labelled]) & ~protocol.test_side[fold]
        if not more.any():
            raise ProtocolError(
                f"fold {protocol.folds[fold]!r} has no row with a tested {column} by "
                f"a speaker who is trained on; start from disjoint_texts"
            )
        pool = np.flatnonzero(labelled | more)
        own[labelled] = Role.HELD_OUT
        wanted = protocol.label[labelled]
        own[drawn_as(wanted, pool, protocol, fold, rng)] = Role.LABELLED
    return dataclasses.replace(with_leaks(protocol, column), roles=roles)
