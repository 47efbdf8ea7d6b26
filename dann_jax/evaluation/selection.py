"""Which parameters of a replica are kept: scores that never see a target label.

But for the oracle, which every table names as a leak.
"""

import numpy as np

from dann_jax.evaluation.agreement import scores_of_moments, value_moments
from dann_jax.evaluation.criteria import criterion_scores
from dann_jax.evaluation.evaluated import as_evaluated
from dann_jax.evaluation.metrics import classification_scores
from dann_jax.evaluation.unsupervised import CRITERIA, FROM_LOGITS, ORACLE, looks_at
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.task import Task
from dann_jax.training.loop import epoch_means
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
    **{word: {"classification": word} for word in (*CRITERIA, ORACLE)},
}
"""The word in a config -> the score that must rise, by the protocol's kind; none for
`last`."""


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
    from scipy.special import log_softmax

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
        from_test = (*FROM_LOGITS, ORACLE)
        if SELECTIONS[selection] and selection not in from_test and not validates:
            raise ValueError(
                f"selection {selection!r} needs validation rows: set validation_folds "
                f"to 2 or more, or select the last step"
            )
        kind = task.protocol.kind
        if looks_at(selection) and kind not in SELECTIONS[selection]:
            raise ValueError(
                f"selection {selection!r} is of classes; this protocol asks for {kind}"
            )
        self._score = SELECTIONS[selection].get(kind, "")
        self._criteria = [selection] if looks_at(selection) else []
        self._program, self._task, self._layout = program, task, layout
        self._plan = task.plan(task.protocol.roles == Role.VALIDATION)
        self._rows = task.rows_with(Role.VALIDATION)

    def validate(self, state: TrainState) -> tuple[TrainState, dict[str, float]]:
        """Keep what is better than before; return mean scores of each arm to log."""
        groups = len(self._layout.fold_of)
        shape = (groups, len(self._layout.arms))
        # Later is better, unless there is something to tell by.
        score = np.broadcast_to(np.float32(self._layout.get(state.step)), shape)
        found = self.scores(state)
        if self._score:
            # Fillers repeat the first groups, and so do their scores.
            score = np.resize(found[self._score], shape)
        state = self._program.keep_best(state, self._layout.put(np.array(score)))
        named = {f"validation/{name}": values for name, values in found.items()}
        return state, epoch_means([named], self._layout)

    def scores(self, state: TrainState) -> dict[str, np.ndarray]:
        """Name -> scores `[groups, arms]`, without fillers, of averaged parameters."""
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
        return found | criterion_scores(
            self._criteria,
            state.average,
            program=self._program,
            task=self._task,
            layout=self._layout,
        )
