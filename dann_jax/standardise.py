"""Feature standardisation, fitted on the rows that a fold may learn from."""

from collections.abc import Mapping

import numpy as np
from sklearn.preprocessing import StandardScaler

from dann_jax.corpora.corpus import Corpus
from dann_jax.protocols import Protocol, Role

Standardiser = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Modality -> mean and scale, each float32 `[F, dim]`."""


def fit_standardiser(corpus: Corpus, protocol: Protocol) -> Standardiser:
    """Mean and standard deviation of each fold's labelled rows, and of no others.

    A feature that is constant there gets scale 1.
    """
    fitted = {}
    for name, array in corpus.features.items():
        means, scales = [], []
        for roles in protocol.roles:
            scaler = StandardScaler().fit(
                array[(roles == Role.LABELLED) & corpus.present[name]]
            )
            means.append(scaler.mean_)
            scales.append(scaler.scale_)
        fitted[name] = (np.float32(means), np.float32(scales))
    return fitted
