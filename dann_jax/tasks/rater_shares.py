"""Shares of the raters who named each class, as soft labels."""

from collections.abc import Sequence

import numpy as np

from dann_jax.data.raters import read_votes
from dann_jax.types import UNKNOWN


def label_shares(
    votes: np.ndarray, label: np.ndarray, labels: Sequence[str]
) -> np.ndarray:
    """What to learn of rows that raters labelled: the share of each class.

    Votes for other emotions do not count. A labelled row without any vote for a class
    is all of its own class.

    Args:
      votes: strings `[N]`, as `raters.read_votes` reads them.
      label: int `[N]`, the hard label, `UNKNOWN` where there is none.
      labels: the classes.

    Returns:
      Float64 `[N, labels]`; NaN in rows without a hard label.

    Example:
      >>> votes = np.array(["anger:2;fear:1;sadness:1", "", "anger:1;sadness:1"])
      >>> label_shares(votes, np.array([0, 1, -1]), ("anger", "sadness")).round(2)
      array([[0.67, 0.33],
             [0.  , 1.  ],
             [ nan,  nan]])

    Reference: Fayek et al., "Modeling Subjectiveness in Emotion Recognition", IJCNN
    2016, section III.
    """
    values, index = np.unique(votes, return_inverse=True)
    counts = np.array([[read_votes(v).get(n, 0.0) for n in labels] for v in values])
    shares = counts.reshape(len(values), len(labels))[index]
    empty = shares.sum(1) == 0
    shares[empty] = np.eye(len(labels))[label[empty]]
    shares /= shares.sum(1, keepdims=True)
    shares[label == UNKNOWN] = np.nan
    return shares
