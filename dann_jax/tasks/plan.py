"""Which dialogues make up which batch: a pure function of the step number."""

import dataclasses

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.types import UNKNOWN


def length_buckets(
    lengths: np.ndarray, num_buckets: int, *, multiple: int = 8
) -> tuple[int, ...]:
    """Up to `num_buckets` padded lengths, at the quantiles of `lengths` `[N]`.

    All but the longest are rounded up to a multiple of `multiple`.

    Example:
      >>> length_buckets(np.array([3, 9, 10, 30]), 2)
      (16, 30)
    """
    quantiles = np.quantile(
        lengths, np.arange(1, num_buckets + 1) / num_buckets, method="inverted_cdf"
    )
    rounded = np.minimum(-(-quantiles // multiple) * multiple, np.max(lengths))
    return tuple(int(x) for x in np.unique(rounded))


def padded_shapes(
    corpus: Corpus, num_buckets: int, max_frames: int
) -> tuple[np.ndarray, dict[int, tuple[int, int]]]:
    """Bucket dialogues by their size: turns, times the frames of the longest turn.

    Args:
      corpus: with frame features or without.
      num_buckets: at most so many shapes.
      max_frames: what is longer is cut to its `padded_frames`, the same at both ends.

    Returns:
      The size of each dialogue, int `[D]`, and bucket (the largest size in it) ->
      padded turns and frames. Without frame features a size is a number of turns,
      the bucket is the padded number itself and there are 0 frames.
    """
    dialogues = corpus.dialogues()
    turns = np.array([len(rows) for rows in dialogues])
    lengths = corpus.num_frames()
    lengths = np.minimum(lengths, max_frames or lengths.max())
    frames = np.array([lengths[rows].max() for rows in dialogues])
    sizes = turns * np.maximum(frames, 1)
    buckets = length_buckets(sizes, num_buckets)
    if not frames.any():
        return sizes, {bucket: (bucket, 0) for bucket in buckets}
    member = np.searchsorted(buckets, sizes)
    return sizes, {
        bucket: (
            int(turns[member == index].max(initial=1)),
            padded_frames(frames[member == index].max(initial=1)),
        )
        for index, bucket in enumerate(buckets)
    }


def padded_frames(frames: int) -> int:
    """The next multiple of 8; utterances are cut to that of `max_frames`."""
    return int(-(-frames // 8) * 8)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which dialogues make up which batch, for every fold at once.

    All groups have the same shape at the same step, so that they form one array.

    Attributes:
      lengths: int `[D]`, size of each dialogue; its turns, without frame features.
      members: bool `[F, D]`, the dialogues that a fold goes through.
      batch_size: dialogues in a batch.
      buckets: padded sizes, rising; the last is at least the largest dialogue.
    """

    lengths: np.ndarray
    members: np.ndarray
    batch_size: int
    buckets: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.lengths.max() > self.buckets[-1]:
            raise ValueError(
                f"a dialogue of size {self.lengths.max()} fits none of the buckets "
                f"{self.buckets}"
            )

    def shapes(self) -> list[tuple[int, int]]:
        """One epoch's batches as (bucket, index within the bucket)."""
        counts = [
            int(self.members[:, bucket == self.bucket_of].sum(1).max(initial=0))
            for bucket in range(len(self.buckets))
        ]
        return [
            (bucket, index)
            for bucket, count in enumerate(counts)
            for index in range(-(-count // self.batch_size))
        ]

    @property
    def bucket_of(self) -> np.ndarray:
        """The bucket of each dialogue, int `[D]`."""
        return np.searchsorted(self.buckets, self.lengths)

    @property
    def steps_per_epoch(self) -> int:
        return len(self.shapes())

    def batch(
        self, step: int, fold: int, seed: int, *, shuffle: bool = True
    ) -> tuple[np.ndarray, int]:
        """Dialogues `[batch_size]` (`UNKNOWN` where a place is empty), and the bucket.

        Every epoch goes once through every member. The order of shapes depends on the
        epoch alone, the dialogues within them on (seed, fold, epoch).
        """
        shapes = self.shapes()
        epoch, position = divmod(step, len(shapes))
        if shuffle:
            position = np.random.default_rng([0, epoch]).permutation(len(shapes))[
                position
            ]
        bucket, index = shapes[position]
        inside = np.flatnonzero(self.members[fold] & (self.bucket_of == bucket))
        if shuffle:
            rng = np.random.default_rng([1, seed, fold, epoch, bucket])
            inside = rng.permutation(inside)
        parts = sum(1 for other, _ in shapes if other == bucket)
        chosen = np.array_split(inside, parts)[index]
        padded = np.full(self.batch_size, UNKNOWN)
        padded[: len(chosen)] = chosen
        return padded, self.buckets[bucket]
