"""Which parameters of a replica are kept: scores that never see a target label."""

import numpy as np
from scipy.special import log_softmax

from dann_jax.evaluation.agreement import scores_of_moments, value_moments
from dann_jax.evaluation.metrics import classification_scores
from dann_jax.protocols import Protocol, Role
from dann_jax.task import Task
from dann_jax.training.evaluated import as_evaluated
from dann_jax.training.predict import predict
from dann_jax.training.program import Program
from dann_jax.training.replicas import Layout
from dann_jax.training.state import TrainState

SELECTIONS = {
    "source-validation": {"classification": "ua", "regression": "ccc"},
    "source-validation-loss": {
        "classification": "negative_loss",
        "regression": "negative_loss",
    },
    "last": {},
}
"""The word in a config -> the validation score that must rise, by the protocol's kind;
none for `last`."""


def validation_scores(
    logits: np.ndarray, rows: np.ndarray, protocol: Protocol, layout: Layout
) -> dict[str, np.ndarray]:
    """Scores of every replica on its own fold's validation rows.

    Args:
      logits: `[groups, arms, n, outputs]` for corpus rows `rows` `[n]`.
      rows: int `[n]`.
      protocol: which of them validate in which fold.
      layout: of the replicas.

    Returns:
      Of classes `wa`, `ua` and `negative_loss` (minus the mean cross-entropy in nats);
      of values `ccc`, `rmse` and `negative_loss` (`ccc - 1`); each float32
      `[groups, arms]`.
    """
    score = {"classification": _of_classes, "regression": _of_values}[protocol.kind]
    scores: dict[str, np.ndarray] = {}
    for group, arm in np.ndindex(*logits.shape[:2]):
        chosen = protocol.roles[layout.fold_of[group], rows] == Role.VALIDATION
        found = score(logits[group, arm, chosen], rows[chosen], protocol)
        for name, value in found.items():
            table = scores.setdefault(name, np.zeros(logits.shape[:2], np.float32))
            table[group, arm] = value
    return scores


def _of_classes(
    logits: np.ndarray, rows: np.ndarray, protocol: Protocol
) -> dict[str, float]:
    truth = protocol.label[rows]
    found = classification_scores(truth, logits.argmax(-1), len(protocol.labels))
    likelihood = np.take_along_axis(log_softmax(logits, -1), truth[:, None], 1)
    return {
        "wa": found["wa"],
        "ua": found["ua"],
        "negative_loss": likelihood.mean(),
    }


def _of_values(
    predicted: np.ndarray, rows: np.ndarray, protocol: Protocol
) -> dict[str, float]:
    everybody = np.zeros(len(rows), int)
    moments = value_moments(protocol.value[rows], predicted, everybody, 1)
    found = scores_of_moments(moments[0], protocol.targets)
    # The loss is 1 - ccc.
    return {
        "ccc": found["ccc"],
        "rmse": found["rmse"],
        "negative_loss": found["ccc"] - 1.0,
    }


class Selector:
    """Scores the replicas of a run and keeps the best of each."""

    def __init__(
        self, selection: str, program: Program, task: Task, layout: Layout
    ) -> None:
        """Raise `ValueError` unless the protocol has what the selection needs."""
        if selection not in SELECTIONS:
            raise ValueError(
                f"unknown selection {selection!r}; choose from {', '.join(SELECTIONS)}"
            )
        validates = (task.protocol.roles == Role.VALIDATION).any()
        if SELECTIONS[selection] and not validates:
            raise ValueError(
                f"selection {selection!r} needs validation rows: set validation_folds "
                f"to 2 or more, or select the last step"
            )
        self._score = SELECTIONS[selection].get(task.protocol.kind, "")
        self._program, self._task, self._layout = program, task, layout
        self._plan = task.plan(task.protocol.roles == Role.VALIDATION)
        self._rows = task.rows_with(Role.VALIDATION)

    def validate(self, state: TrainState) -> tuple[TrainState, dict[str, float]]:
        """Keep what is better than before; return mean scores of each arm to log."""
        groups = len(self._layout.fold_of)
        shape = (groups, len(self._layout.arms))
        # Later is better, unless there is something to tell by.
        score = np.broadcast_to(np.float32(self._layout.get(state.step)), shape)
        found: dict[str, np.ndarray] = {}
        if len(self._rows):
            logits = predict(
                self._program.evaluate,
                as_evaluated(
                    state.average,
                    Role.VALIDATION,
                    program=self._program,
                    task=self._task,
                    layout=self._layout,
                ),
                output="label_logits",
                plan=self._plan,
                assemble=self._task.evaluation,
                layout=self._layout,
                rows=self._rows,
            )
            found = validation_scores(
                logits, self._rows, self._task.protocol, self._layout
            )
            if self._score:
                # Fillers repeat the first groups, and so do their scores.
                score = np.resize(found[self._score], shape)
        state = self._program.keep_best(state, self._layout.put(np.array(score)))
        logged = {
            f"{arm}/validation/{name}": float(values[:, index].mean())
            for index, arm in enumerate(self._layout.arms)
            for name, values in found.items()
        }
        return state, logged
