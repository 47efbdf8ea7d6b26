"""Standardise by speaker: from a speaker's clips to a mean and a scale.

Each speaker's own statistics replace those of all training rows. Nothing but the labels
of a fold's labelled rows is ever looked at, and those by `label_aware` alone: a new
person's clips need none, so that one function serves the tested speakers of a fold and
the person whom a bundle enrols.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np

from dann_jax.data.frames import Frames
from dann_jax.tasks.moments import (
    ROUNDING,
    Fit,
    Moments,
    merged,
    or_one,
    utterance_means,
)
from dann_jax.tasks.speaker_offset import OffsetModel, fit_offsets
from dann_jax.utils.arguments import Range

KINDS = ("z", "shrunk", "label_aware")
DEFAULT_K = 5.0


class Standardisation(NamedTuple):
    """By what features are standardised, and how.

    Attributes:
      column: whose values are the domains, such as `speaker`.
      kind: `z`: the mean and the deviation of the domain's own rows; `shrunk`: these,
        drawn towards those of the training speakers; `label_aware`: less the offset of
        the speaker, told from the emotions by a model of both (`OffsetModel`).
      k: a mean of `n` clips weighs n / (n + k), a deviation (n - 1) / (n - 1 + k).
    """

    column: str
    kind: str = "z"
    k: float = DEFAULT_K


def standardisation(
    *,
    standardise_by: str = "",
    standardise_kind: Literal[*KINDS] = "z",
    standardise_k: Annotated[float, Range(0), Range(high=1e6)] = DEFAULT_K,
) -> Standardisation | None:
    """What keys of `config.data` say; None where nothing is standardised by a column.

    Example:
      >>> standardisation(standardise_by="speaker", standardise_kind="shrunk")
      Standardisation(column='speaker', kind='shrunk', k=5.0)
    """
    if not standardise_by:
        return None
    return Standardisation(standardise_by, standardise_kind, float(standardise_k))


class Clips(NamedTuple):
    """What is known of a speaker.

    Attributes:
      count: of the clips, at least 1.
      moments: of the clips (or of all of their frames).
      vectors: of each clip, float64 `[n, dim]`; None where no kind asks for it.
    """

    count: int
    moments: Moments
    vectors: np.ndarray | None = None


class Prior(NamedTuple):
    """What a fold's labelled rows say of a speaker before the first clip.

    A value `x` becomes `((x - mean) / scale - centre) / spread`, with the mean and the
    scale of its speaker. Each array is float64 `[dim]`.

    Attributes:
      mean: of all labelled rows.
      scale: the deviation within their speakers; of all of them for `label_aware`.
      centre: mean of the labelled rows, once they are standardised by speaker.
      spread: deviation of these.
      offsets: the model of `label_aware`; None for other kinds.
    """

    mean: np.ndarray
    scale: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    offsets: OffsetModel | None = None


def clips_of(
    how: Standardisation, array: np.ndarray | Frames, fit: Fit, rows: np.ndarray
) -> Clips:
    """What a modality says of the utterances in these rows, int `[n]`, n at least 1."""
    vectors = utterance_means(array, rows) if how.kind == "label_aware" else None
    return Clips(len(rows), fit(rows), vectors)


def speaker_scale(
    prior: Prior, how: Standardisation, clips: Clips | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale `[dim]` of a speaker; those of the training speakers of no clips.

    One clip has no deviation, and two say little about it: it is shrunk by the degrees
    of freedom, so that no scale is ever near 0 unless `k` is.
    """
    if clips is None:
        return prior.mean, prior.scale
    if prior.offsets is not None:
        units = (clips.vectors - prior.mean) / prior.scale
        return prior.mean + prior.scale * prior.offsets.offset(units), prior.scale
    if how.kind == "z":
        return clips.moments.mean, clips.moments.scale
    weight, spread = _weight(clips.count, how.k), _weight(clips.count - 1, how.k)
    mean = weight * clips.moments.mean + (1 - weight) * prior.mean
    scale = spread * clips.moments.deviation + (1 - spread) * prior.scale
    return mean, or_one(mean, scale)


def with_labelled(
    prior: Prior, own: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale `[dim]` of a speaker that make labelled rows standard as well."""
    mean, scale = own
    return mean + scale * prior.centre, scale * prior.spread


def fit_prior(
    how: Standardisation,
    labelled: Mapping[int, Clips],
    labels: Mapping[int, np.ndarray],
    num_labels: int,
) -> Prior:
    """The prior of a fold; its `centre` and `spread` change nothing yet.

    Args:
      how: the column and the kind.
      labelled: domain -> its labelled clips; at least one.
      labels: domain -> their classes, int `[n]`.
      num_labels: how many classes there are.
    """
    together = merged([clips.moments for clips in labelled.values()])
    within = _within([clips.moments for clips in labelled.values()], together)
    nothing = np.zeros_like(together.mean), np.ones_like(together.mean)
    if how.kind != "label_aware":
        return Prior(together.mean, or_one(together.mean, within), *nothing)
    units = {
        domain: (clips.vectors - together.mean) / together.scale
        for domain, clips in labelled.items()
    }
    offsets = fit_offsets(units, labels, num_labels)
    return Prior(together.mean, together.scale, *nothing, offsets)


def fit_after(
    prior: Prior,
    labelled: Sequence[tuple[Moments, tuple[np.ndarray, np.ndarray]]],
) -> Prior:
    """The prior with `centre` and `spread`: the labelled rows have mean 0, deviation 1.

    Args:
      prior: from `fit_prior`.
      labelled: moments of a domain's labelled rows, and its mean and scale `[dim]`.
    """
    after = merged(
        [
            Moments(rows.count, (rows.mean - mean) / scale, rows.deviation / scale)
            for rows, (mean, scale) in labelled
        ]
    )
    # What is rounding, is so of the values themselves.
    constant = after.deviation * prior.scale <= ROUNDING * np.abs(prior.mean)
    spread = np.where(constant, 1.0, after.deviation)
    return prior._replace(centre=after.mean, spread=spread)


def _weight(count: int, k: float) -> float:
    return count / (count + k) if count > 0 else 0.0


def _within(parts: Sequence[Moments], together: Moments) -> np.ndarray:
    """Deviation within the domains, `[dim]`; of all where none has two rows."""
    freedom = sum(part.count - 1 for part in parts)
    if freedom <= 0:
        return together.deviation
    return np.sqrt(sum(p.count * np.square(p.deviation) for p in parts) / freedom)
