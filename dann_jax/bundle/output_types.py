"""What a bundle predicts of an utterance: class probabilities, or values."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from dann_jax.types import Array


class Prediction(NamedTuple):
    """The class of one utterance.

    Attributes:
      label: the most probable class.
      probabilities: class -> probability.
    """

    label: str
    probabilities: dict[str, float]

    def cells(self) -> dict[str, Any]:
        """Column of a table -> value."""
        probabilities = self.probabilities.items()
        return {
            "label": self.label,
            **{f"p_{label}": round(value, 6) for label, value in probabilities},
        }


class Rating(NamedTuple):
    """The attributes of one utterance (valence, activation, ...).

    Attributes:
      values: target -> value, in the unit of the ratings in training.
    """

    values: dict[str, float]

    def cells(self) -> dict[str, Any]:
        """Column of a table -> value."""
        return {name: round(value, 6) for name, value in self.values.items()}


class OutputType(NamedTuple):
    """How the outputs of a network become predictions.

    Attributes:
      of_outputs: `[..., outputs] -> [..., outputs]` for each member of an ensemble, in
        NumPy; the prediction is made from the mean over the members.
      traced: the same in JAX.
      to_prediction: names of the outputs, and the mean `[outputs]` -> a prediction.
      columns: names of the outputs -> names of the cells of a prediction.
    """

    of_outputs: Callable[[np.ndarray], np.ndarray]
    traced: Callable[[Array], Array]
    to_prediction: Callable[[Sequence[str], np.ndarray], Prediction | Rating]
    columns: Callable[[Sequence[str]], list[str]]


def _probabilities(logits: np.ndarray) -> np.ndarray:
    from scipy.special import softmax

    return softmax(logits, axis=-1)


def _to_class(labels: Sequence[str], row: np.ndarray) -> Prediction:
    probabilities = dict(zip(labels, row.tolist(), strict=True))
    return Prediction(labels[int(row.argmax())], probabilities)


OUTPUT_TYPES = {
    "classes": OutputType(
        of_outputs=_probabilities,
        traced=jax.nn.softmax,
        to_prediction=_to_class,
        columns=lambda labels: ["label", *(f"p_{label}" for label in labels)],
    ),
    "values": OutputType(
        of_outputs=lambda values: values,
        traced=lambda values: values,
        to_prediction=lambda names, row: Rating(
            dict(zip(names, row.tolist(), strict=True))
        ),
        columns=list,
    ),
}
"""Key `answer` of a bundle's description -> how its outputs are read."""

FEATURES = "features"
"""The key `answer` of a model of which only the features are compared."""
