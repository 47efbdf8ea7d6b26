"""Normalisation by a column of the whole corpus (not fitted by fold)."""

import dataclasses
import logging

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.data.identifiers import codes

_log = logging.getLogger(__name__)


def standardise_by(corpus: Corpus, column: str) -> Corpus:
    """Standardise the features within each value of `column`, such as the speaker.

    A strong and cheap rival of adversarial training. It uses all of a test speaker's
    recordings at once, so what comes of it is transductive.

    Args:
      corpus: any.
      column: whose values are the groups. Rows without one are no group: they go by
        the statistics of all rows.

    Returns:
      The corpus with mean 0 and standard deviation 1 in each group, for every feature
      that is not constant there; its provenance says so.
    """
    from sklearn.preprocessing import StandardScaler

    groups = codes(corpus.column(column))
    if (groups < 0).any():
        _log.warning(
            "%d rows have no %s: they are standardised by the statistics of all",
            *((groups < 0).sum(), column),
        )
    features = {}
    for name, array in corpus.features.items():
        # Frames are standardised as frames: each belongs to its utterance's group.
        framewise = isinstance(array, Frames)
        values = np.array(array.values if framewise else array, np.float32)
        group_of = np.repeat(groups, array.lengths) if framewise else groups
        shown = np.repeat(corpus.present[name], array.lengths if framewise else 1)
        # Rows without a value are not of one speaker: all rows standardise them.
        without_value = (group_of < 0) & shown
        if without_value.any():
            fitted = StandardScaler().fit(values[shown])
            values[without_value] = fitted.transform(values[without_value])
        for group in range(groups.max() + 1):
            rows = (group_of == group) & shown
            if rows.any():
                values[rows] = StandardScaler().fit_transform(values[rows])
        features[name] = Frames(values, array.lengths) if framewise else values
    provenance = {**corpus.provenance, "standardised_by": column}
    return dataclasses.replace(corpus, features=features, provenance=provenance)
