"""Model selection without a target label: criteria of one model, from its outputs.

None of them looks at a label of the target. But all except source validation look at
target rows, so a choice made by them is transductive.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from dann_jax.evaluation.reweighting import deep_embedded_validation


class View(NamedTuple):
    """What a criterion may see of a model: everything but labels of the target.

    Attributes:
      train_features: float `[n, width]` of the rows trained on with labels.
      validation_features: float `[m, width]` of held-out rows of the source.
      validation_logits: float `[m, classes]`.
      validation_label: int `[m]`.
      target_features: float `[t, width]`.
      target_logits: float `[t, classes]`.
    """

    train_features: np.ndarray
    validation_features: np.ndarray
    validation_logits: np.ndarray
    validation_label: np.ndarray
    target_features: np.ndarray
    target_logits: np.ndarray


def entropy(logits: np.ndarray) -> float:
    """Mean entropy of the predictions in nats, in [0, log classes]; lower is surer.

    It is lowest, too, for a model that calls everything the same.

    Args:
      logits: float `[t, classes]` of target rows.

    Example:
      >>> round(entropy(np.zeros((5, 4))), 4)
      1.3863

    Reference: Morerio et al., "Minimal-Entropy Correlation Alignment for Unsupervised
    Deep Domain Adaptation", ICLR 2018, which chooses models by it.
    """
    from scipy.special import entr, softmax

    return float(entr(softmax(logits, -1)).sum(-1).mean())


def information_maximisation(logits: np.ndarray) -> float:
    """Entropy of the mean prediction minus mean entropy, in nats; higher is better.

    It is the mutual information of row and predicted class: high where each prediction
    is sure and all classes are used. Classes that really differ in frequency lower it.

    Args:
      logits: float `[t, classes]` of target rows.

    Example:
      >>> sure, alike = 50 * np.eye(4), 50 * np.eye(4)[[0, 0]]
      >>> round(information_maximisation(sure), 4), information_maximisation(alike)
      (1.3863, 0.0)

    Reference: Bridle et al., "Unsupervised Classifiers, Mutual Information and
    'Phantom Targets'", NIPS 1991; Shi and Sha, ICML 2012, for domain adaptation.
    """
    from scipy.special import entr, softmax

    mean = softmax(logits, -1).mean(0)
    return float(entr(mean).sum()) - entropy(logits)


def soft_neighbourhood_density(
    logits: np.ndarray, *, temperature: float = 0.05, rows_at_once: int = 1024
) -> float:
    """Mean entropy of each row's similarity to all others, in nats; higher is better.

    Where target rows lie in dense clusters, each has many neighbours of the same
    similarity. A model that calls everything the same, or is sure of nothing, gets the
    highest value there is, `log(t - 1)`: compare only models that classify at all.

    Args:
      logits: float `[t, classes]` of target rows, two at least.
      temperature: of the softmax over similarities, positive.
      rows_at_once: bounds the memory to so many rows of the `[t, t]` matrix.

    Example:
      >>> same = np.zeros((11, 4))
      >>> bool(np.isclose(soft_neighbourhood_density(same), np.log(10)))
      True

    Raises:
      ValueError: there are fewer than two rows.

    Reference: Saito et al., "Tune it the Right Way: Unsupervised Validation of Domain
    Adaptation via Soft Neighborhood Density", ICCV 2021, section 3.
    """
    from scipy.special import entr, softmax

    if len(logits) < 2:
        raise ValueError(f"a neighbourhood needs two rows or more, got {len(logits)}")
    points = softmax(np.asarray(logits, np.float64), -1)
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    total = 0.0
    for start in range(0, len(points), rows_at_once):
        similarity = points[start : start + rows_at_once] @ points.T / temperature
        # No row is its own neighbour.
        self_index = np.arange(len(similarity))
        similarity[self_index, start + self_index] = -np.inf
        total += entr(softmax(similarity, -1)).sum()
    return float(total / len(points))


def reverse_validation(
    target_features: np.ndarray,
    target_prediction: np.ndarray,
    validation_features: np.ndarray,
    validation_label: np.ndarray,
) -> float:
    """UA on the source of a probe taught by the model's own target predictions.

    If the predictions on the target are good, a classifier that learns from them alone
    finds its way back. Here it is a logistic regression on the frozen features, not a
    second adaptation from target to source. Higher is better.

    Args:
      target_features: float `[t, width]`.
      target_prediction: int `[t]`, the classes that the model names.
      validation_features: float `[m, width]`, held-out rows of the source.
      validation_label: int `[m]`.

    Returns:
      UA in [0, 1]; that of a constant answer if the model names one class only.

    Reference: Zhong et al., "Cross Validation Framework to Choose amongst Models and
    Datasets for Transfer Learning", ECML 2010; Ganin et al., JMLR 17 (2016), on the
    choice of hyper-parameters.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import recall_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    answer = np.full(len(validation_label), target_prediction[0])
    if len(np.unique(target_prediction)) > 1:
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        with threadpool_limits(1):
            probe.fit(target_features, target_prediction)
            answer = probe.predict(validation_features)
    return float(
        recall_score(
            validation_label,
            answer,
            labels=np.unique(validation_label),
            average="macro",
            zero_division=0,
        )
    )


def _validation_losses(view: View) -> np.ndarray:
    """Cross-entropy of each held-out row of the source, in nats."""
    from scipy.special import log_softmax

    likelihood = log_softmax(view.validation_logits, -1)
    return -np.take_along_axis(likelihood, view.validation_label[:, None], 1)[:, 0]


CRITERIA: Mapping[str, Callable[[View], float]] = {
    "entropy": lambda view: -entropy(view.target_logits),
    "information-maximisation": lambda view: information_maximisation(
        view.target_logits
    ),
    "snd": lambda view: soft_neighbourhood_density(view.target_logits),
    "dev": lambda view: (
        -deep_embedded_validation(
            view.train_features,
            view.validation_features,
            view.target_features,
            _validation_losses(view),
        )
    ),
    "reverse-validation": lambda view: reverse_validation(
        view.target_features,
        view.target_logits.argmax(-1),
        view.validation_features,
        view.validation_label,
    ),
}
"""The word in a config -> a score that must rise."""

FROM_LOGITS = ("entropy", "information-maximisation", "snd")
"""Those that look at logits of the target and at nothing else."""

ORACLE = "oracle"
"""UA on the target, by its labels: a leak, and only under this name."""


def looks_at(word: str) -> str:
    """What a choice by this word sees of the target; empty for nothing.

    Example:
      >>> looks_at("entropy"), looks_at("oracle"), looks_at("last")
      ('tested rows without their labels', 'THE LABELS OF TESTED ROWS', '')
    """
    if word == ORACLE:
        return "THE LABELS OF TESTED ROWS"
    return "tested rows without their labels" if word in CRITERIA else ""


def described_choice(word: str) -> str:
    """The word, and what it sees, for whatever tells how a model was chosen.

    Example:
      >>> described_choice("snd"), described_choice("last")
      ('snd, which looks at tested rows without their labels', 'last')
      >>> described_choice("oracle")
      'oracle, A LEAK: it looks at THE LABELS OF TESTED ROWS'
    """
    target = looks_at(word)
    if word == ORACLE:
        return f"{word}, A LEAK: it looks at {target}"
    return f"{word}, which looks at {target}" if target else word
