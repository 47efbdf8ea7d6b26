"""Which part of a speaker's mean is the speaker, and which the emotions shown.

A two-way additive model of a vector: the mean of its class, plus an offset of its
speaker, plus a residual. A new speaker's offset and the classes of their clips are
estimated in turn (expectation maximisation: Dempster, Laird and Rubin, JRSS B 1977), so
that who shows one emotion only is not centred on it, as by their plain mean.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, softmax

_ROUNDS = 10
"""Of both alternations: offsets move by less than a hundredth after five."""

_LEAST = 0.02
"""Of the residual's variance: an offset is not shrunk more than by n / (n + 50)."""

_PARTS = 3
"""Of the training speakers, each left out in turn to find a temperature."""

_TEMPERATURES = np.geomspace(1.0, 256.0, 9)

_NEVER = 1e-12
"""The share of a class that no labelled clip shows, of which there is no logarithm."""


class OffsetModel(NamedTuple):
    """Fitted to labelled rows; float arrays, stacked `[M, ...]` for several members.

    Attributes:
      class_means: `[classes, dim]`, without offsets.
      weights: `[classes, dim]`, of linear discriminant analysis: a residual's
        covariance (Ledoit and Wolf, J. Multivariate Analysis 2004) goes into them.
      bias: `[classes]`.
      ratio: `[dim]`, variance of a residual over that of an offset.
    """

    class_means: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    ratio: np.ndarray

    def offset(self, vectors: np.ndarray) -> np.ndarray:
        """The offset of the speaker of these clips `[n, dim]`, float `[dim]`.

        It is the mean of what is left of the clips without their classes, shrunk by
        n / (n + ratio): the posterior mean of a normal offset.
        """
        offset = np.zeros(vectors.shape[1])
        logits = vectors @ self.weights.T + self.bias
        for _ in range(_ROUNDS):
            classes = softmax(logits - self.weights @ offset, axis=1)
            rest = (vectors - classes @ self.class_means).sum(0)
            offset = rest / (len(vectors) + self.ratio)
        return offset


def fit_offsets(
    vectors: Mapping[int, np.ndarray],
    labels: Mapping[int, np.ndarray],
    num_labels: int,
) -> OffsetModel:
    """Class means, offsets and their variances, of labelled clips.

    In many dimensions discriminants are far surer of a class than they are right about
    new speakers, and then offsets follow their errors: the logits are divided by the
    temperature (Guo et al., ICML 2017) that suits speakers who are left out.

    Args:
      vectors: speaker -> their clips, `[n, dim]`, in units of variance 1.
      labels: speaker -> the classes of these, int `[n]`.
      num_labels: how many classes there are.
    """
    speakers = list(vectors)
    speaker = np.repeat(np.arange(len(speakers)), [len(vectors[s]) for s in speakers])
    values = np.concatenate([vectors[s] for s in speakers])
    label = np.concatenate([labels[s] for s in speakers])
    model = _fit(values, speaker, label, num_labels)
    heat = _temperature(values, speaker, label, num_labels)
    return model._replace(weights=model.weights / heat, bias=model.bias / heat)


def _fit(
    values: np.ndarray, speaker: np.ndarray, label: np.ndarray, num_labels: int
) -> OffsetModel:
    # Imported here: training passes by long before it needs it.
    from sklearn.covariance import ledoit_wolf

    one_hot, who = np.eye(num_labels)[label], np.unique(speaker, return_inverse=True)[1]
    members = np.eye(who.max() + 1)[who]
    offsets = np.zeros((members.shape[1], values.shape[1]))
    for _ in range(_ROUNDS):
        class_means = _means(values - offsets[who], one_hot)
        rest = values - class_means[label]
        offsets = _means(rest, members)
    residual = rest - offsets[who]
    freedom = max(len(values) - len(offsets) - num_labels + 1, 1)
    covariance = ledoit_wolf(residual, assume_centered=True)[0] * len(values) / freedom
    variance = np.square(residual).sum(0) / freedom
    # A mean of n residuals is no offset.
    between = np.square(offsets).mean(0) - variance * (1 / members.sum(0)).mean()
    weights = np.linalg.solve(covariance, class_means.T).T
    shares = np.maximum(one_hot.mean(0), _NEVER)
    bias = np.log(shares) - 0.5 * (weights * class_means).sum(1)
    # A value that never varies has no offset either.
    least = np.maximum(_LEAST * variance, _NEVER)
    ratio = np.maximum(variance, _NEVER) / np.maximum(between, least)
    return OffsetModel(class_means, weights, bias, ratio)


def _temperature(
    values: np.ndarray, speaker: np.ndarray, label: np.ndarray, num_labels: int
) -> float:
    """By which the logits of speakers who are left out are best divided; 1 of one."""
    parts = min(_PARTS, speaker.max() + 1)
    if parts < 2:
        return 1.0
    loss = np.zeros(len(_TEMPERATURES))
    for part in range(parts):
        out = speaker % parts == part
        model = _fit(values[~out], speaker[~out], label[~out], num_labels)
        logits = values[out] @ model.weights.T + model.bias
        for place, heat in enumerate(_TEMPERATURES):
            chances = log_softmax(logits / heat, axis=1)
            loss[place] -= chances[np.arange(len(logits)), label[out]].sum()
    return float(_TEMPERATURES[loss.argmin()])


def _means(values: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Means of the rows of each group, `[groups, dim]`; `member` is `[n, groups]`."""
    return member.T @ values / np.maximum(member.sum(0), 1)[:, None]
