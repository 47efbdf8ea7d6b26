"""What can be said of a target without its labels."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.analysis.sample import input_vectors
from dann_jax.evaluation.divergence import proxy_a_distance
from dann_jax.evaluation.harm import harms
from dann_jax.evaluation.unsupervised import CRITERIA, FROM_LOGITS, View
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.training.run import Predictions, Run
from dann_jax.training.state import TrainState
from dann_jax.types import UNKNOWN
from dann_jax.utils.words import listed

_MOST_ROWS = 500
"""Of each side, for distances."""


def describe_target(
    predictions: Predictions,
    state: TrainState,
    run: Run,
    comparisons: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Predicted balance, confidence, agreement and distances of a target.

    Args:
      predictions: `label_logits` of the tested rows, and of those of the target.
      state: of all replicas.
      run: that was trained, of a protocol with a target fold.
      comparisons: of the rehearsals, as in `results.json`.

    Returns:
      `fold`, `rows`, `speakers` and `source_rows`, what there is;
      `source_balance`, class -> share in [0, 1] of the labelled rows;
      `balance`, arm -> class -> share of the target's rows that are predicted as it;
      `arms`, arm -> `confidence` and `agreement` (see `certainty`), the same of the
      rehearsals as `rehearsed_confidence` and `rehearsed_agreement`, the criteria of
      `FROM_LOGITS`, and `a_distance` of labelled and target rows in the encoder;
      `input_a_distance`, before it; and `warnings`, sentences. All are means over
      seeds, NaN where they could not be measured.
    """
    protocol, layout = run.task.protocol, run.layout
    labels, fold = protocol.labels, protocol.target_fold
    roles = protocol.target_roles()[fold]
    target, labelled = roles == Role.TEST, roles == Role.LABELLED
    logits = predictions.label_logits[:, :, target[predictions.rows]]
    own = logits[layout.fold_of[: layout.num_groups] == fold]
    distances, at_input = _distances(state, run, target, labelled)
    rehearsed = _rehearsed(predictions, run)
    arms, balance = {}, {}
    for index, arm in enumerate(layout.arms):
        said, agreed = certainty(own[:, index])
        balance[arm] = _shares(own[:, index].argmax(-1), labels)
        arms[arm] = {
            "confidence": said,
            "agreement": agreed,
            **rehearsed[arm],
            **_criteria(own[:, index]),
            "a_distance": distances[index],
        }
    speakers = run.task.corpus.column("speaker")[target]
    record = {
        "fold": protocol.folds[fold],
        "rows": int(target.sum()),
        "speakers": len(np.unique(speakers)),
        "source_rows": int(labelled.sum()),
        "source_balance": _shares(protocol.label[labelled], labels),
        "balance": balance,
        "arms": arms,
        "input_a_distance": at_input,
    }
    unlabelled = _without_label(protocol, target)
    return {**record, "warnings": [*unlabelled, *harms(record, comparisons)]}


def _without_label(protocol: Protocol, target: np.ndarray) -> list[str]:
    """A sentence on the classes that no labelled row of a scored target has."""
    known = np.unique(protocol.label[target])
    known = known[known != UNKNOWN]
    absent = np.delete(np.array(protocol.labels), known)
    if not known.size or not absent.size:
        return []
    return [
        f"The labels of the target name no {listed(absent)}: its UA is the mean recall "
        f"of the other {known.size} classes."
    ]


def certainty(logits: np.ndarray) -> tuple[float, float]:
    """How sure predictions are, and how often two trainings agree in them.

    Args:
      logits: float `[seeds, n, classes]`.

    Returns:
      The mean probability of the predicted class, and the share of rows of which two
      seeds say the same, mean over pairs; both in [0, 1]. NaN without rows, and the
      second with a single seed.

    Example:
      >>> sure = 50 * np.eye(2)
      >>> certainty(np.stack([sure, sure[::-1], sure]))
      (1.0, 0.3333333333333333)

    Reference: Guillory et al., "Predicting with Confidence on Unseen Distributions",
    ICCV 2021; Jiang et al., "Assessing Generalization of SGD via Disagreement", ICLR
    2022: both follow the accuracy on unlabelled rows, the second in calibrated models.
    """
    from scipy.special import softmax

    if not logits.shape[1]:
        return float("nan"), float("nan")
    guess = logits.argmax(-1)
    pairs = [np.mean(a == b) for a, b in itertools.combinations(guess, 2)]
    agreed = float(np.mean(pairs)) if pairs else float("nan")
    return float(softmax(logits, -1).max(-1).mean()), agreed


def _rehearsed(predictions: Predictions, run: Run) -> dict[str, dict[str, float]]:
    """Arm -> the certainty on speakers that rehearsals held out, mean over folds."""
    protocol, layout = run.task.protocol, run.layout
    fold_of = layout.fold_of[: layout.num_groups]
    names = ("rehearsed_confidence", "rehearsed_agreement")
    found = {}
    for index, arm in enumerate(layout.arms):
        of_folds = [
            certainty(
                predictions.label_logits[fold_of == fold, index][
                    :, protocol.roles[fold, predictions.rows] == Role.TEST
                ]
            )
            for fold in protocol.rehearsals
        ]
        means = np.mean(of_folds, 0) if of_folds else (np.nan, np.nan)
        found[arm] = dict(zip(names, map(float, means), strict=True))
    return found


def _shares(classes: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    counts = np.bincount(classes.ravel(), minlength=len(labels))
    shares = counts / max(counts.sum(), 1)
    return dict(zip(labels, shares.tolist(), strict=True))


def _criteria(logits: np.ndarray) -> dict[str, float]:
    """The criteria that need nothing but logits `[seeds, n, classes]`."""
    if logits.shape[1] < 2:
        return dict.fromkeys(FROM_LOGITS, float("nan"))
    nothing = np.zeros((0, 0))
    views = [View(*[nothing] * 5, target_logits=of_seed) for of_seed in logits]
    return {
        word: float(np.mean(list(map(CRITERIA[word], views)))) for word in FROM_LOGITS
    }


def _distances(
    state: TrainState, run: Run, target: np.ndarray, labelled: np.ndarray
) -> tuple[list[float], float]:
    """Proxy A-distance of both sides in each arm's encoder, and in the input."""
    layout, fold = run.layout, run.task.protocol.target_fold
    chosen = np.zeros(run.task.protocol.roles.shape, bool)
    for side in (target, labelled):
        rows = np.flatnonzero(side)
        chosen[fold, np.random.default_rng(0).permutation(rows)[:_MOST_ROWS]] = True
    rows, features, _ = run.predict(state.best, chosen, ("features",))
    own = features[layout.fold_of[: layout.num_groups] == fold]
    side = np.where(target[rows], "target", "source")
    of_arms = [
        float(np.mean([proxy_a_distance(seed[arm], side) for seed in own]))
        for arm in range(len(layout.arms))
    ]
    return of_arms, proxy_a_distance(input_vectors(run.task.corpus, rows), side)
