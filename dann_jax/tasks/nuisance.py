"""Directions in which training speakers differ within a class, to be removed.

Nuisance attribute projection: standardised features `x` become `x - V'Vx`, with the
leading directions `V` of the scatter of speakers about their classes' means. Nothing
but the labelled rows of a fold is looked at, so that it is inductive: a new speaker
needs no clips.

Reference: Solomonoff, Campbell and Boardman, "Advances in Channel Compensation for SVM
Speaker Recognition", ICASSP 2005; Campbell, Sturim, Reynolds and Solomonoff, "SVM Based
Speaker Verification Using a GMM Supervector Kernel and NAP Variability Compensation",
ICASSP 2006. There the speaker is kept and the session removed; here the emotion is kept
and the speaker removed.
"""

import logging

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.identifiers import codes
from dann_jax.tasks.moments import utterance_means
from dann_jax.tasks.roles import Protocol
from dann_jax.tasks.splits import ProtocolError
from dann_jax.tasks.standardise import Standardiser, labelled_rows
from dann_jax.utils.arguments import CountOrNone

_log = logging.getLogger(__name__)

_NOTHING = 1e-6
"""Share of the largest singular value below which another one is rounding."""


def with_directions(
    corpus: Corpus,
    protocol: Protocol,
    standardiser: Standardiser,
    nuisance_directions: CountOrNone,
) -> Standardiser:
    """The standardiser with directions to remove, fitted in each fold.

    Args:
      corpus: the features, and the column `speaker`.
      protocol: of classes.
      standardiser: from `fit_standardiser`.
      nuisance_directions: how many; of frames, those of their utterances' means.

    Returns:
      Modality -> mean, scale and directions, the last float32 `[F, count, dim]`,
      orthonormal. Where the speakers of a fold differ in fewer, the rest are zero.

    Raises:
      ProtocolError: there are no classes, or no more values than directions.
    """
    if protocol.kind != "classification":
        raise ProtocolError(
            "config.data.nuisance_directions needs classes that labelled and tested "
            "rows share: leave it at 0"
        )
    speaker, fitted = codes(corpus.column("speaker")), {}
    for name, (mean, scale) in standardiser.items():
        array = corpus.features[name]
        if nuisance_directions >= array.shape[-1]:
            raise ProtocolError(
                f"config.data.nuisance_directions is {nuisance_directions}, and the "
                f"features {name!r} have {array.shape[-1]} values: nothing would be "
                f"left"
            )
        directions = np.zeros((len(mean), nuisance_directions, mean.shape[-1]))
        for fold, labelled in enumerate(labelled_rows(corpus, protocol, name)):
            rows = np.flatnonzero(labelled & (speaker >= 0))
            vectors = (utterance_means(array, rows) - mean[fold]) / scale[fold]
            found = leading_directions(
                vectors, protocol.label[rows], speaker[rows], nuisance_directions
            )
            directions[fold, : len(found)] = found
            if len(found) < nuisance_directions:
                _log.warning(
                    "fold %r: training speakers differ within classes in %d directions "
                    "of %r, fewer than config.data.nuisance_directions, %d",
                    *(protocol.folds[fold], len(found), name, nuisance_directions),
                )
        fitted[name] = (mean, scale, np.float32(directions))
    return fitted


def leading_directions(
    vectors: np.ndarray, label: np.ndarray, speaker: np.ndarray, count: int
) -> np.ndarray:
    """Where means of speakers lie about the mean of their class, the farthest first.

    Args:
      vectors: float `[n, dim]`.
      label: int `[n]`, not negative.
      speaker: int `[n]`, not negative.
      count: of directions, at most; there are no more than pairs of a speaker and a
        class, less the classes.

    Returns:
      float64 `[found, dim]`, orthonormal rows.

    Example:
      >>> vectors = np.array([[1.0, 5.0], [-1.0, 5.0], [2.0, 0.0], [-2.0, 0.0]])
      >>> label, speaker = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
      >>> np.abs(leading_directions(vectors, label, speaker, 2)).round(3).tolist()
      [[1.0, 0.0]]
    """
    pairs, pair = np.unique(np.stack([label, speaker]), axis=1, return_inverse=True)
    counts = np.bincount(pair.ravel())
    means = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(means, pair.ravel(), vectors)
    means /= counts[:, None]
    for one in np.unique(label):
        own = pairs[0] == one
        means[own] -= np.average(means[own], axis=0, weights=counts[own])
    _, sizes, directions = np.linalg.svd(
        np.sqrt(counts)[:, None] * means, full_matrices=False
    )
    there = sizes > _NOTHING * max(sizes.max(initial=0.0), 1.0)
    return directions[there][:count]
