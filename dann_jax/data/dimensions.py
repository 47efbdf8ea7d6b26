"""Binary arousal and valence of emotion categories, as columns to learn from."""

import dataclasses
import functools
import importlib.resources

import numpy as np
from etils import epath

from dann_jax.data.corpus import Corpus
from dann_jax.data.manifest import read_manifest

DIMENSIONS = ("binary_arousal", "binary_valence")
"""`high` or `low`; `positive` or `negative`. Manifests may hold ratings under the names
`arousal` and `valence`, so these are other names."""


def with_dimensions(corpus: Corpus) -> Corpus:
    """The corpus with the columns `DIMENSIONS`, made from its column `emotion`.

    What each emotion is, is data: `dimensions.csv`. An emotion that is not in it has
    neither, and columns that the corpus has already are kept.

    Args:
      corpus: any; one without emotions comes back as it is.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> columns = with_dimensions(synthetic_conversations()).columns
      >>> angry = columns["emotion"] == "anger"
      >>> {name: set(columns[name][angry].tolist()) for name in DIMENSIONS}
      {'binary_arousal': {'high'}, 'binary_valence': {'negative'}}

    References:
      Schuller et al., "Cross-Corpus Acoustic Emotion Recognition: Variances and
      Strategies", IEEE Transactions on Affective Computing 1 (2010), for the seven
      emotions and boredom (there disgust has low arousal, and neutral is positive for
      want of a third class). Russell, "A Circumplex Model of Affect", Journal of
      Personality and Social Psychology 39 (1980), for calm, frustration and excitement.
    """
    if "emotion" not in corpus.columns:
        return corpus
    columns = {
        name: np.array([words.get(word, "") for word in corpus.columns["emotion"]])
        for name, words in _table().items()
        if name not in corpus.columns
    }
    return dataclasses.replace(corpus, columns={**corpus.columns, **columns})


@functools.cache
def _table() -> dict[str, dict[str, str]]:
    """Column -> emotion -> its value."""
    file = importlib.resources.files("dann_jax.data") / "dimensions.csv"
    with importlib.resources.as_file(file) as path:
        table = read_manifest(epath.Path(path), required=("emotion", *DIMENSIONS))
    emotions = table["emotion"].tolist()
    return {
        name: dict(zip(emotions, table[name].tolist(), strict=True))
        for name in DIMENSIONS
    }
