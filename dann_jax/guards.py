"""Guards: each raises `ProtocolError` where a protocol would not show what it says."""

import numpy as np

from dann_jax.corpora.corpus import Corpus
from dann_jax.roles import Protocol, Role
from dann_jax.splits import ProtocolError


def require_classes(protocol: Protocol) -> None:
    """Two classes or more, each with a labelled utterance in every fold."""
    if len(set(protocol.labels)) < max(len(protocol.labels), 2):
        raise ProtocolError(
            f"the labels must be two or more different ones, got "
            f"{', '.join(protocol.labels) or 'none'}"
        )
    for fold, name in enumerate(protocol.folds):
        for role in (Role.LABELLED, Role.TEST):
            found = set(protocol.label[protocol.roles[fold] == role])
            absent = [
                word for index, word in enumerate(protocol.labels) if index not in found
            ]
            others = [word for word in protocol.labels if word not in absent]
            if absent and (
                role == Role.LABELLED or len(absent) == len(protocol.labels)
            ):
                raise ProtocolError(
                    f"fold {name!r} has no {role.name.lower()} utterance of "
                    f"{', '.join(absent)}, but of {', '.join(others) or 'nothing'}: "
                    f"protocol.labels must be what every fold can learn"
                )


def require_values(protocol: Protocol) -> None:
    """Something to learn, and something to be right or wrong about, in every fold."""
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
            f"in an open set no row of an unheard {column!r} can be validated by its "
            f"label: set validation_folds to 0"
        )
    values = corpus.column(column)
    for fold, name in enumerate(protocol.folds):
        roles = protocol.roles[fold]
        heard = np.unique(values[roles == Role.LABELLED])
        unheard = np.setdiff1d(values[roles == Role.TEST], heard)
        if min(len(heard), len(unheard)) < 2:
            raise ProtocolError(
                f"fold {name!r}: an open set needs two labelled values of {column!r} "
                f"and two others to test; there are {len(heard)} and {len(unheard)}"
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
