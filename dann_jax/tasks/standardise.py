"""Feature standardisation, fitted on the labelled rows of each fold."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.moments import moments_of, or_one
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError

Standardiser = Mapping[str, tuple[np.ndarray, ...]]
"""Modality -> mean and scale, each float32 `[F, dim]`; where domains have their own,
`[F, D + 1, dim]`, as in `domain_standardiser`. Then, where there are any, directions to
remove, `[F, count, dim]`, as in `nuisance`."""


def fit_standardiser(corpus: Corpus, protocol: Protocol) -> Standardiser:
    """Mean and standard deviation of each fold's labelled rows, and of no others.

    A feature that is constant there gets scale 1. Frames of all utterances count
    alike, so that a long utterance has more of a say.
    """
    fitted = {}
    for name, array in corpus.features.items():
        fit = moments_of(array)
        folds = [fit(rows) for rows in labelled_rows(corpus, protocol, name)]
        fitted[name] = (
            np.array([moments.mean for moments in folds], np.float32),
            np.array([moments.scale for moments in folds], np.float32),
        )
    return fitted


class Units(NamedTuple):
    """Units of the rating columns of each fold: a value is `mean + scale * x`.

    Attributes:
      mean: float32 `[F, targets]`.
      scale: float32 `[F, targets]`.
    """

    mean: np.ndarray
    scale: np.ndarray


def fit_units(protocol: Protocol) -> Units:
    """Mean and standard deviation of the targets of each fold's labelled rows.

    Fitted to erased values, so that no others can enter.
    """
    values = protocol.erased_values()
    mean = np.nanmean(values, 1)
    scale = or_one(mean, np.nanstd(values, 1))
    return Units(mean.astype(np.float32), scale.astype(np.float32))


def standardised_values(protocol: Protocol, units: Units) -> np.ndarray:
    """Targets as a training step gets them, float32 `[F, N, targets]`; else NaN."""
    values = np.empty((*protocol.roles.shape, len(protocol.targets)), np.float32)
    # One after the other: all of them in float64 would be twice as large again.
    for fold, roles in enumerate(protocol.roles):
        value = np.where((roles == Role.LABELLED)[:, None], protocol.value, np.nan)
        values[fold] = (value - units.mean[fold]) / units.scale[fold]
    return values


def labelled_rows(corpus: Corpus, protocol: Protocol, name: str) -> np.ndarray:
    """The labelled rows of each fold that show a modality, bool `[F, N]`."""
    chosen = (protocol.roles == Role.LABELLED) & corpus.present[name]
    if not chosen.any(1).all():
        raise ProtocolError(
            f"fold {protocol.folds[int(chosen.any(1).argmin())]!r}: no labelled "
            f"utterance has the modality {name!r}; data.modalities can leave it out"
        )
    return chosen
