"""Batches in which a bundle predicts a corpus: few shapes, always the same."""

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.plan import Plan, padded_frames


def plan_of(
    corpus: Corpus, members: int, batch_size: int, max_frames: int = 0
) -> tuple[Plan, dict[int, tuple[int, int]]]:
    """Whole dialogues, padded to powers of two: few shapes, and the same every time.

    What is longer than `padded_frames(max_frames)` is cut to it, as in training.

    Args:
      corpus: to be predicted, of at least one utterance.
      members: of the ensemble; each predicts every dialogue.
      batch_size: dialogues in a batch.
      max_frames: of an utterance; 0 for no limit.

    Returns:
      The plan, and its buckets' padded turns and frames.
    """
    frames = corpus.num_frames()
    limit = padded_frames(max_frames) if max_frames else np.inf
    frames = np.minimum(frames, limit).astype(int)
    exponents = np.array(
        [
            (_exponent(len(turns)), _exponent(frames[turns].max()))
            for turns in corpus.dialogues()
        ]
    )
    # One number for each pair; no exponent is near a hundred.
    buckets, sizes = np.unique(exponents @ (100, 1), return_inverse=True)
    shapes = {
        int(bucket): (
            2 ** (bucket // 100),
            int(min(2 ** (bucket % 100), limit)) if frames.any() else 0,
        )
        for bucket in buckets
    }
    everyone = np.ones((members, len(sizes)), bool)
    return Plan(buckets[sizes], everyone, batch_size, tuple(shapes)), shapes


def _exponent(number: int) -> int:
    """Of the smallest power of two that is no smaller."""
    return max(int(number) - 1, 0).bit_length()
