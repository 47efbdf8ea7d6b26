"""From a corpus and its roles to batches: a pure function of the step number.

A `Plan` decides which dialogues make up which batch; `Assembler.index_batch` makes an
index of them, a `Batch` with masks, labels and, for inputs, places in tables of
features; `gather_features` makes the finished batch of it, with standardised features
for inputs, on the host or on a device that keeps the tables. `training.batch_loader`
does both. Nothing is remembered between steps, so a run can start at any of them.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.tasks.roles import Protocol
from dann_jax.tasks.standardise import Standardiser, Units, standardised_values
from dann_jax.types import UNKNOWN, Array, Batch


@dataclasses.dataclass(frozen=True)
class Assembler:
    """Batches of dialogues: standardised features, masks and erased labels.

    Attributes:
      corpus: features and dialogues.
      visible: bool `[F, N]`.
      label: int32 `[F, N]`, already erased.
      domain: adversary -> int32 `[F, N]`.
      standardiser: of each fold.
      shapes: bucket -> padded turns and frames, from `padded_shapes`. A bucket that
        is not in it is a number of turns, and frames are padded to the most there are.
      norm_domain: int32 `[N]`, for `Batch.norm_domain`; None for none.
      value: float32 `[F, N, targets]`, for `Batch.value`, already erased and
        standardised; None for none.
      feature_domain: int32 `[N]`, for `Batch.feature_domain`; None for none.
      shares: float32 `[F, N, labels]`, for `Batch.shares`, erased; None for none.
    """

    corpus: Corpus
    visible: np.ndarray
    label: np.ndarray
    domain: Mapping[str, np.ndarray]
    standardiser: Standardiser
    shapes: Mapping[int, tuple[int, int]] = dataclasses.field(default_factory=dict)
    norm_domain: np.ndarray | None = None
    value: np.ndarray | None = None
    feature_domain: np.ndarray | None = None
    shares: np.ndarray | None = None

    def __post_init__(self) -> None:
        # Looked up for every batch, computed once.
        object.__setattr__(self, "_dialogues", self.corpus.dialogues())
        object.__setattr__(self, "_parties", self.corpus.parties())

    def __call__(
        self, dialogues: np.ndarray, bucket: int, folds: Sequence[int] | np.ndarray
    ) -> Batch:
        """The finished batch `[G, B, T]`: dialogues `[G, B]`, each row under a fold.

        The leading axis is that of replica groups; a fold may stand in it repeatedly.
        """
        index = self.index_batch(dialogues, bucket, folds)
        return gather_features(index, self.tables(), self.standardiser_of(folds))

    def index_batch(
        self, dialogues: np.ndarray, bucket: int, folds: Sequence[int] | np.ndarray
    ) -> Batch:
        """The index of a batch: all but its inputs, which are places in `tables`.

        What is not visible, not present or padding has no place (`UNKNOWN`), so that no
        later step can look it up.
        """
        num_turns, max_frames = self.shapes.get(bucket) or (
            bucket,
            int(self.corpus.num_frames().max()),
        )
        rows = np.full((*dialogues.shape, num_turns), UNKNOWN, np.int32)
        for group, place in np.argwhere(dialogues != UNKNOWN):
            turns = self._dialogues[dialogues[group, place]]
            rows[group, place, : len(turns)] = turns
        real, fold = rows != UNKNOWN, np.asarray(folds)[:, None, None]

        def of_fold(table: np.ndarray, fill: int | bool) -> np.ndarray:
            return np.where(real, table[fold, rows], fill)

        def numbers(table: np.ndarray | None) -> np.ndarray | None:
            if table is None:
                return None
            return np.where(real[..., None], table[fold, rows], np.nan)

        def of_row(table: np.ndarray | None, fill: int) -> np.ndarray | None:
            return None if table is None else np.where(real, table[rows], fill)

        visible = of_fold(self.visible, False)
        present = {
            name: visible & flags[rows] for name, flags in self.corpus.present.items()
        }
        places, num_frames = {}, {}
        for name, features in self.corpus.features.items():
            places[name] = np.where(present[name], rows, UNKNOWN)
            if isinstance(features, Frames):
                places[name], num_frames[name] = features.places(
                    places[name], max_frames
                )
        return Batch(
            inputs=places,
            present=present,
            visible=visible,
            party=np.where(real, self._parties[rows], 0),
            label=of_fold(self.label, UNKNOWN),
            domain={
                name: of_fold(ids, UNKNOWN) for name, ids in sorted(self.domain.items())
            },
            row=rows,
            num_frames=num_frames,
            value=numbers(self.value),
            norm_domain=of_row(self.norm_domain, UNKNOWN),
            feature_domain=of_row(self.feature_domain, 0),
            shares=numbers(self.shares),
        )

    def tables(self) -> dict[str, np.ndarray]:
        """Modality -> features of all utterances (or their frames), `[n, dim]`."""
        return {
            name: features.values if isinstance(features, Frames) else features
            for name, features in self.corpus.features.items()
        }

    def standardiser_of(
        self, folds: Sequence[int] | np.ndarray
    ) -> dict[str, tuple[np.ndarray, ...]]:
        """Modality -> mean and scale of each group, `[G, dim]` or `[G, D, dim]`.

        Then, where there are any, directions to remove, `[G, count, dim]`.
        """
        chosen = np.asarray(folds)
        return {
            name: tuple(part[chosen] for part in parts)
            for name, parts in self.standardiser.items()
        }


def gather_features(
    index: Batch,
    tables: Mapping[str, Array],
    standardiser: Mapping[str, tuple[Array, ...]],
) -> Batch:
    """Turn an index into a finished batch, with standardised features for inputs.

    They are zero where a row is not visible or lacks the modality. The arrays may be
    NumPy's or JAX's.

    Args:
      index: from `Assembler.index_batch`: of each modality places in its table
        `[G, B, T]` (of frames `[G, B, T, frames]`); or, of one that `tables` lacks, the
        features at these places, `[G, B, T, dim]`, read from the table before.
      tables: from `Assembler.tables`.
      standardiser: from `Assembler.standardiser_of`.
    """
    inputs = {}
    for name, places in index.inputs.items():
        xp = places.__array_namespace__()
        values = tables[name][places] if name in tables else places
        real = index.present[name]
        if name in index.num_frames:
            frames = xp.arange(values.shape[-2])
            real = frames < index.num_frames[name][..., None]
        *moments, directions = (*standardiser[name], None)[:3]
        mean, scale = (
            _of_rows(part, index.feature_domain, values.ndim) for part in moments
        )
        values = (values - mean) / scale
        if directions is not None:
            flat = values.reshape(len(values), -1, values.shape[-1])
            values = without_directions(flat, directions).reshape(values.shape)
        # What a row does not show must not be there at all.
        inputs[name] = xp.where(real[..., None], values, 0.0).astype(xp.float32)
    return index._replace(inputs=inputs, feature_domain=None)


def without_directions(values: Array, directions: Array) -> Array:
    """What is left of vectors `[..., n, dim]` without directions `[..., count, dim]`.

    Example:
      >>> without_directions(np.array([[3.0, 4.0]]), np.array([[1.0, 0.0]])).tolist()
      [[0.0, 4.0]]
    """
    return values - values @ directions.swapaxes(-1, -2) @ directions


def _of_rows(statistic: Array, feature_domain: Array | None, ndim: int) -> Array:
    """A statistic of each group, or of the domain of each of its rows, to broadcast.

    Args:
      statistic: `[G, dim]`, or `[G, D, dim]` of `D` domains.
      feature_domain: int32 `[G, B, T]`; needed for the latter.
      ndim: of the values, of which a row is a vector, or frames.
    """
    size = statistic.shape[-1]
    if statistic.ndim == 2:
        return statistic.reshape(-1, *(1,) * (ndim - 2), size)
    xp = statistic.__array_namespace__()
    # A gather with a batch axis, so that groups stay on their devices.
    flat = feature_domain.reshape(len(feature_domain), -1, 1)
    own = xp.take_along_axis(statistic, flat, axis=1)
    frames = (1,) * (ndim - feature_domain.ndim - 1)
    return own.reshape(*feature_domain.shape, *frames, size)


def training_assembler(
    corpus: Corpus,
    protocol: Protocol,
    domain: Mapping[str, np.ndarray],
    standardiser: Standardiser,
    shapes: Mapping[int, tuple[int, int]] | None = None,
    norm_domain: np.ndarray | None = None,
    units: Units | None = None,
    feature_domain: np.ndarray | None = None,
) -> Assembler:
    """The view of a training step: visible rows, labels of labelled rows only.

    `units` standardise the ratings, where the protocol has `targets`.
    """
    return Assembler(
        corpus,
        protocol.visible(),
        protocol.erased_labels(),
        domain,
        standardiser,
        shapes or {},
        norm_domain,
        None if units is None else standardised_values(protocol, units),
        feature_domain,
        protocol.erased_shares(),
    )


def evaluation_assembler(
    corpus: Corpus,
    protocol: Protocol,
    domain: Mapping[str, np.ndarray],
    standardiser: Standardiser,
    shapes: Mapping[int, tuple[int, int]] | None = None,
    norm_domain: np.ndarray | None = None,
    feature_domain: np.ndarray | None = None,
) -> Assembler:
    """The view of an evaluation: all turns are visible, no label is there."""
    nothing = np.full(protocol.roles.shape, UNKNOWN, np.int32)
    return Assembler(
        corpus,
        np.ones(protocol.roles.shape, bool),
        nothing,
        dict.fromkeys(domain, nothing),
        standardiser,
        shapes or {},
        norm_domain,
        feature_domain=feature_domain,
    )
