"""Everything in which protocols of classes, ratings and unseen speakers differ.

What scores a run brings scikit-learn, for which the first train step must not wait: it
is imported when it is called.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from dann_jax.evaluation.agreement import scores_of_moments, value_moments
from dann_jax.evaluation.metrics import classification_scores
from dann_jax.evaluation.unsupervised import CRITERIA, ORACLE
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.training.run import Predictions, Run
from dann_jax.training.state import TrainState
from dann_jax.types import Array, PyTree


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


class Scorer(NamedTuple):
    """How one kind of protocol is scored, selected by, and read.

    Attributes:
      score: `(predictions, state, run) -> keys of results.json`, with what `predict`
        returned.
      output: the field of `Outputs` that is scored.
      roles: of the rows that are scored, or needed to score others.
      selection_metric: the word of a selection -> the score that must rise.
      validation_scores: `(outputs [n, outputs], rows [n], protocol) -> scores` of a
        replica on corpus rows that validate; None where none can.
      answer: the word for this kind in a bundle's description.
      to_prediction: names of the outputs and one row of `activation`, averaged over
        members -> a prediction; None where features are compared instead.
      activation: what a member says, `[..., outputs] -> [..., outputs]`, in NumPy.
      traced_activation: the same in JAX.
      columns: names of the outputs -> columns of a table of predictions.
    """

    score: Callable[[Predictions, TrainState, Run], dict[str, Any]]
    output: str
    roles: tuple[Role, ...]
    selection_metric: Mapping[str, str]
    validation_scores: (
        Callable[[np.ndarray, np.ndarray, Protocol], dict[str, float]] | None
    )
    answer: str
    to_prediction: Callable[[Sequence[str], np.ndarray], Prediction | Rating] | None
    activation: Callable[[np.ndarray], np.ndarray] = lambda values: values
    traced_activation: Callable[[Array], Array] = lambda values: values
    columns: Callable[[Sequence[str]], list[str]] = list

    def predict(self, run: Run, params: PyTree) -> Predictions:
        """Outputs for all that `score` looks at; tested rows go through nets once."""
        rows = np.isin(run.task.protocol.target_roles(), self.roles)
        return run.predict(params, rows, (self.output,))


def _score_classes(*of_run: Any) -> dict[str, Any]:
    from dann_jax.evaluation.scorers.classes import score_classes

    return score_classes(*of_run)


def _score_values(*of_run: Any) -> dict[str, Any]:
    from dann_jax.evaluation.scorers.values import score_values

    return score_values(*of_run)


def _score_trials(*of_run: Any) -> dict[str, Any]:
    from dann_jax.evaluation.scorers.trials import score_speakers

    return score_speakers(*of_run)


def _validate_classes(
    logits: np.ndarray, rows: np.ndarray, protocol: Protocol
) -> dict[str, float]:
    from scipy.special import log_softmax

    truth = protocol.label[rows]
    scores = classification_scores(truth, logits.argmax(-1), len(protocol.labels))
    likelihood = np.take_along_axis(log_softmax(logits, -1), truth[:, None], 1)
    return {
        "wa": scores["wa"],
        "ua": scores["ua"],
        "negative_loss": likelihood.mean(),
    }


def _validate_values(
    predicted: np.ndarray, rows: np.ndarray, protocol: Protocol
) -> dict[str, float]:
    everybody = np.zeros(len(rows), int)
    moments = value_moments(protocol.value[rows], predicted, everybody, 1)
    scores = scores_of_moments(moments[0], protocol.targets)
    # The loss is 1 - ccc.
    return {
        "ccc": scores["ccc"],
        "rmse": scores["rmse"],
        "negative_loss": scores["ccc"] - 1.0,
    }


def _probabilities(logits: np.ndarray) -> np.ndarray:
    from scipy.special import softmax

    return softmax(logits, axis=-1)


def _to_class(labels: Sequence[str], row: np.ndarray) -> Prediction:
    named = dict(zip(labels, row.tolist(), strict=True))
    return Prediction(labels[int(row.argmax())], named)


def _to_rating(names: Sequence[str], row: np.ndarray) -> Rating:
    return Rating(dict(zip(names, row.tolist(), strict=True)))


SCORERS = {
    "classification": Scorer(
        score=_score_classes,
        output="label_logits",
        roles=(Role.TEST,),
        selection_metric={
            "source-validation": "ua",
            "source-validation-loss": "negative_loss",
            **{word: word for word in (*CRITERIA, ORACLE)},
        },
        validation_scores=_validate_classes,
        answer="classes",
        to_prediction=_to_class,
        activation=_probabilities,
        traced_activation=jax.nn.softmax,
        columns=lambda labels: ["label", *(f"p_{label}" for label in labels)],
    ),
    "regression": Scorer(
        score=_score_values,
        output="label_logits",
        roles=(Role.TEST,),
        selection_metric={
            "source-validation": "ccc",
            "source-validation-loss": "negative_loss",
        },
        validation_scores=_validate_values,
        answer="values",
        to_prediction=_to_rating,
    ),
    "verification": Scorer(
        score=_score_trials,
        output="features",
        roles=(Role.LABELLED, Role.TEST),
        selection_metric={},
        validation_scores=None,
        answer="features",
        to_prediction=None,
    ),
}
"""`Protocol.kind` -> what scores it, selects by it, and reads its network."""

ANSWERS = {scorer.answer: scorer for scorer in SCORERS.values()}
"""The same by the word that a bundle's description has."""
