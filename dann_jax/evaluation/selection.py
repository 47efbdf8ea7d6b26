"""Which parameters of a replica are kept: scores that never see a target label.

But for the oracle, which every table names as a leak.
"""

import numpy as np

from dann_jax.evaluation.criteria import criterion_scores
from dann_jax.evaluation.evaluated import as_evaluated
from dann_jax.evaluation.scorers.table import SCORERS
from dann_jax.evaluation.unsupervised import CRITERIA, FROM_LOGITS, ORACLE, looks_at
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.training.loop import epoch_means
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState

SELECTIONS = ("source-validation", "source-validation-loss", "last", *CRITERIA, ORACLE)
"""The words in a config; `Scorer.selection_metric` has the score that must rise."""


def validation_scores(
    logits: np.ndarray, rows: np.ndarray, protocol: Protocol, layout: ReplicaLayout
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
    score = SCORERS[protocol.kind].validation_scores
    scores: dict[str, np.ndarray] = {}
    for group, arm in np.ndindex(*logits.shape[:2]):
        chosen = protocol.roles[layout.fold_of[group], rows] == Role.VALIDATION
        replica_scores = score(logits[group, arm, chosen], rows[chosen], protocol)
        for name, value in replica_scores.items():
            table = scores.setdefault(name, np.zeros(logits.shape[:2], np.float32))
            table[group, arm] = value
    return scores


class Selector:
    """Scores the replicas of a run and keeps the best of each."""

    def __init__(self, selection: str, run: Run) -> None:
        """Raise `ValueError` unless the protocol has what the selection needs."""
        if selection not in SELECTIONS:
            raise ValueError(
                f"unknown selection {selection!r}; choose from {', '.join(SELECTIONS)}"
            )
        task = run.task
        if selection == ORACLE and not (task.protocol.roles == Role.TEST).any(1).all():
            raise ValueError(
                f"selection {selection!r} needs labels of the target, and the fold "
                f"'target' has none: choose another one"
            )
        validates = (task.protocol.roles == Role.VALIDATION).any()
        if selection not in ("last", *FROM_LOGITS, ORACLE) and not validates:
            raise ValueError(
                f"selection {selection!r} needs validation rows: set validation_folds "
                f"to 2 or more, or select the last step"
            )
        kind = task.protocol.kind
        metrics = SCORERS[kind].selection_metric
        if selection not in ("last", *metrics):
            raise ValueError(
                f"selection {selection!r} has nothing to go by in {kind}; "
                f"choose from {', '.join(('last', *metrics))}"
            )
        self._score = metrics.get(selection, "")
        self._criteria = [selection] if looks_at(selection) else []
        self._validates = validates and SCORERS[kind].validation_scores is not None
        self._run = run

    def validate(self, state: TrainState) -> tuple[TrainState, dict[str, float]]:
        """Keep what is better than before; return mean scores of each arm to log.

        A replica whose score has risen has its averaged parameters kept in the state
        that is returned, as `best` (`keep_best`), which is what is evaluated.
        """
        layout = self._run.layout
        shape = (len(layout.fold_of), len(layout.arms))
        # Under `last` the score is the step number.
        score = np.broadcast_to(np.float32(layout.get(state.step)), shape)
        scores = self.scores(state)
        if self._score:
            # Fillers repeat the first groups, and so do their scores.
            score = np.resize(scores[self._score], shape)
        state = self._run.program.keep_best(state, layout.put(np.array(score)))
        logged = {f"validation/{name}": values for name, values in scores.items()}
        return state, epoch_means([logged], layout)

    def scores(self, state: TrainState) -> dict[str, np.ndarray]:
        """Name -> scores `[groups, arms]`, without fillers, of averaged parameters."""
        scores: dict[str, np.ndarray] = {}
        run = self._run
        if self._validates:
            params = as_evaluated(state.average, Role.VALIDATION, run)
            rows, _, logits = run.predict(params, Role.VALIDATION, ("label_logits",))
            scores = validation_scores(logits, rows, run.task.protocol, run.layout)
        return scores | criterion_scores(self._criteria, state.average, run)
