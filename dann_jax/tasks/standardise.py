"""Feature standardisation, fitted on the labelled rows of each fold."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError

Standardiser = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Modality -> mean and scale, each float32 `[F, dim]`."""

Fit = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Chosen rows, bool `[N]` -> their mean and scale, each `[dim]`."""


def fit_standardiser(corpus: Corpus, protocol: Protocol) -> Standardiser:
    """Mean and standard deviation of each fold's labelled rows, and of no others.

    A feature that is constant there gets scale 1. Frames of all utterances count
    alike, so that a long utterance has more of a say.
    """
    fitted = {}
    for name, array in corpus.features.items():
        fit = _frame_statistics(array) if isinstance(array, Frames) else _of_rows(array)
        chosen = (protocol.roles == Role.LABELLED) & corpus.present[name]
        if not chosen.any(1).all():
            raise ProtocolError(
                f"fold {protocol.folds[int(chosen.any(1).argmin())]!r}: no labelled "
                f"utterance has the modality {name!r}; data.modalities can leave it out"
            )
        means, scales = zip(*(fit(rows) for rows in chosen), strict=True)
        fitted[name] = (np.array(means, np.float32), np.array(scales, np.float32))
    return fitted


class Units(NamedTuple):
    """Units of the targets of each fold: a value is `mean + scale * x`.

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
    scale = _scale(mean, np.nanstd(values, 1))
    return Units(mean.astype(np.float32), scale.astype(np.float32))


def standardised_values(protocol: Protocol, units: Units) -> np.ndarray:
    """Targets as a training step gets them, float32 `[F, N, targets]`; else NaN."""
    values = np.empty((*protocol.roles.shape, len(protocol.targets)), np.float32)
    # One after the other: all of them in float64 would be twice as large again.
    for fold, roles in enumerate(protocol.roles):
        value = np.where((roles == Role.LABELLED)[:, None], protocol.value, np.nan)
        values[fold] = (value - units.mean[fold]) / units.scale[fold]
    return values


def _of_rows(array: np.ndarray) -> Fit:
    def fit(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = array[rows].astype(np.float64)
        mean = values.mean(0)
        return mean, _scale(mean, values.std(0))

    return fit


def _scale(mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """The deviation, but 1 where it is only float32 rounding."""
    return np.where(deviation <= 1e-6 * np.abs(mean), 1.0, deviation)


def _frame_statistics(frames: Frames) -> Fit:
    """The frames are read once, an utterance at a time, whatever the number of folds.

    Chan, Golub and LeVeque's update (COMPSTAT 1982) of scikit-learn would read them
    once a fold; sums of centred values, an utterance each, add up instead.
    """
    centre = frames.row(0).mean(0, dtype=np.float64) if len(frames) else 0.0
    sums = np.zeros((2, len(frames), frames.values.shape[1]))
    for index in range(len(frames)):
        values = frames.row(index) - centre
        sums[:, index] = values.sum(0), np.square(values).sum(0)

    def fit(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = max(frames.lengths[rows].sum(), 1)
        mean, square = sums[:, rows].sum(1) / count
        deviation = np.sqrt(np.maximum(square - np.square(mean), 0.0))
        return centre + mean, _scale(centre + mean, deviation)

    return fit
