"""What label-free criteria think of the final networks, beside what is true."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dann_jax.evaluation.analysis.sample import Sample
from dann_jax.evaluation.criteria import view_of
from dann_jax.evaluation.metrics import classification_scores
from dann_jax.evaluation.unsupervised import CRITERIA, FROM_LOGITS, ORACLE, View
from dann_jax.tasks.roles import Role
from dann_jax.training.run import Run


def criteria_records(
    logits: np.ndarray,
    rows: np.ndarray,
    sample: Sample,
    run: Run,
    results: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The value of every criterion for every arm, and the arm's test scores.

    All values must rise; they are means over replicas. Criteria that need features or
    validation rows come from the replicas and rows of the sample, and are absent where
    no rows validate.

    Args:
      logits: `[groups, arms, n, labels]` for corpus rows `rows` `[n]`.
      rows: int `[n]`, those that some fold tests.
      sample: features of some replicas.
      run: whose rows they are.
      results: as in `results.json`.
    """
    records = []
    for index, arm in enumerate(run.layout.arms):
        values = _of_logits(logits[:, index], rows, run)
        values |= _of_sample(sample, index, run)
        scores = {name: results["summary"][arm][name]["mean"] for name in ("wa", "ua")}
        values[ORACLE] = scores["ua"]
        records += [
            {"arm": arm, "criterion": word, "value": value, **scores}
            for word, value in values.items()
        ]
    return records


def _of_logits(logits: np.ndarray, rows: np.ndarray, run: Run) -> dict[str, float]:
    values = []
    for group, predicted in enumerate(logits):
        tested = run.task.protocol.roles[run.layout.fold_of[group], rows] == Role.TEST
        if not tested.any():
            continue
        nothing = np.zeros((0, 0))
        view = View(nothing, nothing, nothing, nothing, nothing, predicted[tested])
        values.append({word: CRITERIA[word](view) for word in FROM_LOGITS})
    return _means(values)


def _of_sample(sample: Sample, arm: int, run: Run) -> dict[str, float]:
    protocol, by_replica = run.task.protocol, []
    for replica, group in enumerate(sample.groups):
        view = view_of(
            sample.features[replica, arm],
            sample.logits[replica, arm],
            protocol.label[sample.rows],
            protocol.roles[run.layout.fold_of[group], sample.rows],
        )
        label = view.validation_label
        if len(np.unique(label)) < 2 or len(view.target_logits) < 2:
            return {}
        guess = view.validation_logits.argmax(-1)
        scores = classification_scores(label, guess, len(protocol.labels))
        others = [word for word in CRITERIA if word not in FROM_LOGITS]
        values = {word: CRITERIA[word](view) for word in others}
        by_replica.append({"source-validation": scores["ua"], **values})
    return _means(by_replica)


def _means(by_replica: list[dict[str, float]]) -> dict[str, float]:
    return {
        word: float(np.mean([values[word] for values in by_replica]))
        for word in by_replica[0]
    }
