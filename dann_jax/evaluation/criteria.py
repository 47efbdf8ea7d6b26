"""Label-free criteria, and the oracle, for every replica of a run at once."""

from collections.abc import Iterable

import numpy as np

from dann_jax.evaluation.evaluated import as_evaluated
from dann_jax.evaluation.metrics import classification_scores
from dann_jax.evaluation.unsupervised import CRITERIA, FROM_LOGITS, ORACLE, View
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.training.run import Predictions, Run
from dann_jax.types import PyTree

MOST_ROWS = 400
"""Of each role in a fold, for criteria that fit a classifier on features."""


def criterion_scores(
    words: Iterable[str], params: PyTree, run: Run
) -> dict[str, np.ndarray]:
    """What every criterion thinks of every replica; all scores must rise.

    Only `ORACLE` looks at a label of a tested row. All others look at tested rows
    without their labels, so that what they choose is transductive.

    Args:
      words: of `CRITERIA`, or `ORACLE`.
      params: of every replica, `[groups, arms]`, as training has them.
      run: of the replicas.

    Returns:
      Word -> float32 `[groups, arms]`, without fillers.
    """
    words, task, layout = list(words), run.task, run.layout
    from_logits = [word for word in words if word in (*FROM_LOGITS, ORACLE)]
    from_features = [word for word in words if word not in from_logits]
    table: dict[str, np.ndarray] = {}
    if from_logits:
        tested = task.protocol.target_roles() == Role.TEST
        rows, _, logits = _predicted(("label_logits",), tested, params, run)
        for group, arm in np.ndindex(*logits.shape[:2]):
            in_fold = tested[layout.fold_of[group], rows]
            label = task.protocol.label[rows[in_fold]]
            scores = _from_logits(from_logits, logits[group, arm, in_fold], label)
            _enter(table, scores, (group, arm), logits.shape[:2])
    if from_features:
        chosen = few_of_each(task.protocol)
        outputs = ("features", "label_logits")
        rows, features, logits = _predicted(outputs, chosen, params, run)
        for group, arm in np.ndindex(*logits.shape[:2]):
            in_fold = chosen[layout.fold_of[group], rows]
            view = view_of(
                features[group, arm, in_fold],
                logits[group, arm, in_fold],
                task.protocol.label[rows[in_fold]],
                task.protocol.target_roles()[layout.fold_of[group], rows[in_fold]],
            )
            scores = {word: CRITERIA[word](view) for word in from_features}
            _enter(table, scores, (group, arm), logits.shape[:2])
    return table


def _from_logits(
    words: list[str], logits: np.ndarray, label: np.ndarray
) -> dict[str, float]:
    """Criteria of tested rows; their labels are for the oracle alone."""
    nothing = np.zeros((0, 0))
    view = View(nothing, nothing, nothing, nothing, nothing, logits)
    scores = {word: CRITERIA[word](view) for word in words if word != ORACLE}
    if ORACLE in words:
        guess = logits.argmax(-1)
        scores[ORACLE] = classification_scores(label, guess, logits.shape[-1])["ua"]
    return scores


def view_of(
    features: np.ndarray, logits: np.ndarray, label: np.ndarray, roles: np.ndarray
) -> View:
    """What criteria may see of rows, by their roles: of tested ones no label.

    Args:
      features: float `[n, width]`.
      logits: float `[n, classes]`.
      label: int `[n]`.
      roles: int `[n]`.
    """
    validation, target = roles == Role.VALIDATION, roles == Role.TEST
    return View(
        train_features=features[roles == Role.LABELLED],
        validation_features=features[validation],
        validation_logits=logits[validation],
        validation_label=label[validation],
        target_features=features[target],
        target_logits=logits[target],
    )


def few_of_each(protocol: Protocol, most: int = MOST_ROWS) -> np.ndarray:
    """At most so many labelled, validation and test rows of each fold, bool `[F, N]`.

    Drawn at random, always the same; whatever their labels are.
    """
    chosen = np.zeros(protocol.roles.shape, bool)
    for fold, roles in enumerate(protocol.target_roles()):
        for role in (Role.LABELLED, Role.VALIDATION, Role.TEST):
            rows = np.flatnonzero(roles == role)
            drawn = np.random.default_rng([fold, role]).permutation(rows)[:most]
            chosen[fold, drawn] = True
    return chosen


def _predicted(
    outputs: tuple[str, ...], rows: np.ndarray, params: PyTree, run: Run
) -> Predictions:
    """Outputs for chosen rows, bool `[F, N]`, of parameters as training has them."""
    return run.predict(as_evaluated(params, Role.TEST, run), rows, outputs)


def _enter(
    table: dict[str, np.ndarray],
    scores: dict[str, float],
    place: tuple[int, ...],
    shape: tuple[int, ...],
) -> None:
    for word, value in scores.items():
        table.setdefault(word, np.zeros(shape, np.float32))[place] = value
