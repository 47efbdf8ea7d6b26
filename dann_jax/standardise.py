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


def standardise_by(corpus: Corpus, column: str) -> Corpus:
    """Standardise the features within each value of `column`, such as the speaker.

    A strong and cheap rival of adversarial training. It uses all of a test speaker's
    recordings at once, so what comes of it is transductive.
    """
    groups = np.unique(corpus.column(column), return_inverse=True)[1]
    features = {}
    for name, array in corpus.features.items():
        features[name] = np.array(array, np.float32)
        for group in range(groups.max() + 1):
            rows = (groups == group) & corpus.present[name]
            if rows.any():
                features[name][rows] = StandardScaler().fit_transform(array[rows])
    made = {**corpus.provenance, "standardised_by": column}
    return Corpus(corpus.name, corpus.columns, features, corpus.present, made)
