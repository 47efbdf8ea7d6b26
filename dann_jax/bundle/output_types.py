"""What a bundle says of an utterance: a class with its probabilities, or values."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from dann_jax.types import Array


class Prediction(NamedTuple):
    """What one utterance sounds like, in classes.

    Attributes:
      label: the most probable class.
      probabilities: class -> probability.
    """

    label: str
    probabilities: dict[str, float]

    def cells(self) -> dict[str, Any]:
        """Column of a table -> value."""
        chances = self.probabilities.items()
        return {
            "label": self.label,
            **{f"p_{label}": round(value, 6) for label, value in chances},
        }


class Rating(NamedTuple):
    """What one utterance sounds like, in numbers.

    Attributes:
      values: target -> value, in the unit of the ratings that were learned from.
    """

    values: dict[str, float]

    def cells(self) -> dict[str, Any]:
        """Column of a table -> value."""
        return {name: round(value, 6) for name, value in self.values.items()}


class Answer(NamedTuple):
    """How the outputs of a network are read.

    Attributes:
      of_outputs: what a member says, `[..., outputs] -> [..., outputs]`, in numpy;
        the answer of an ensemble is the mean over its members.
      traced: the same in JAX.
      named: names of the outputs and one row of the mean -> a prediction.
      columns: names of the outputs -> those of the cells of a prediction.
    """

    of_outputs: Callable[[np.ndarray], np.ndarray]
    traced: Callable[[Array], Array]
    named: Callable[[Sequence[str], np.ndarray], Prediction | Rating]
    columns: Callable[[Sequence[str]], list[str]]


def _probabilities(logits: np.ndarray) -> np.ndarray:
    from scipy.special import softmax

    return softmax(logits, axis=-1)


def _named_class(labels: Sequence[str], row: np.ndarray) -> Prediction:
    named = dict(zip(labels, row.tolist(), strict=True))
    return Prediction(labels[int(row.argmax())], named)


ANSWERS = {
    "classes": Answer(
        of_outputs=_probabilities,
        traced=jax.nn.softmax,
        named=_named_class,
        columns=lambda labels: ["label", *(f"p_{label}" for label in labels)],
    ),
    "values": Answer(
        of_outputs=lambda values: values,
        traced=lambda values: values,
        named=lambda names, row: Rating(dict(zip(names, row.tolist(), strict=True))),
        columns=list,
    ),
}
"""The word in a bundle's description -> how its network is read."""

FEATURES = "features"
"""What a description says instead where only features are to be compared."""
