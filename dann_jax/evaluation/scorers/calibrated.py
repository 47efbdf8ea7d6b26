"""The calibration of a run, by temperatures that tested labels have no part in."""

from typing import Any, NamedTuple

import numpy as np

from dann_jax.evaluation.calibration import (
    NUM_BINS,
    THRESHOLDS,
    calibration_scores,
    calibration_sums,
    coverage_curve,
    ece_of_calibrated,
    fit_temperature,
    probabilities_at,
)
from dann_jax.evaluation.evaluated import normalised_for
from dann_jax.evaluation.statistics import interval, pooled
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Predictions, Run
from dann_jax.training.state import TrainState

NOT_MEASURED = (
    "no temperature is fitted: that takes tested rows of other folds that are labelled "
    "in this one, or validation rows (--config.protocol.validation_folds=5)"
)


class Rows(NamedTuple):
    """Rows of the corpus, each as the model of some fold predicts it.

    Attributes:
      fold: int `[k]`, whose model.
      label: int `[k]`.
      speaker: int `[k]`, index into the speakers of the corpus.
      logits: float `[k, seeds, arms, classes]`; of one arm `[k, seeds, classes]`.
    """

    fold: np.ndarray
    label: np.ndarray
    speaker: np.ndarray
    logits: np.ndarray


def calibration_of(
    predictions: Predictions, state: TrainState, run: Run
) -> dict[str, Any]:
    """The key `calibration` of `results.json`.

    Args:
      predictions: `label_logits` of the tested rows.
      state: of all replicas.
      run: that was trained.

    Returns:
      `bins`, how many there are. `fitted_on`, in words; empty where no temperature
      could be fitted, and then `not_measured` says what would be needed. `arms`: for
      each the `temperature` of every seed and fold `[seeds][folds]` and the
      `temperature_of_all` folds together `[seeds]`; `before` and `after` with their
      scores and bins; and `coverage`, of the probabilities after, or else before.
    """
    tested = _of_run(predictions, run.task.protocol.roles == Role.TEST, run)
    (fitted_on, fits), seeds = _fits(predictions, state, run), len(run.layout.seeds)
    record: dict[str, Any] = {"bins": NUM_BINS, "fitted_on": fitted_on, "arms": {}}
    if not fits:
        record["not_measured"] = NOT_MEASURED
    for arm, name in enumerate(run.layout.arms):
        record["arms"][name] = calibration_record(
            _of(tested, arm), _temperatures([_of(rows, arm) for rows in fits], seeds)
        )
    return record


def _temperatures(fits: list[Rows], seeds: int) -> np.ndarray:
    """Of rows of one arm, the temperature of each seed, float `[fits, seeds]`."""
    return np.array(
        [
            [
                fit_temperature(of_seed, rows.label)
                for of_seed in rows.logits.swapaxes(0, 1)
            ]
            for rows in fits
        ]
    )


def calibration_record(tested: Rows, temperature: np.ndarray) -> dict[str, Any]:
    """What `calibration_of` says of one arm.

    Args:
      tested: rows of one arm, logits `[k, seeds, classes]`.
      temperature: for every fold and then for all together, float `[folds + 1, seeds]`,
        which no label of the tested rows of its fold had a part in; empty where none
        could be fitted.
    """
    record: dict[str, Any] = {"before": _scored(tested.logits, tested)}
    scaled = tested.logits
    if len(temperature):
        record["temperature"] = temperature[:-1].T.tolist()
        record["temperature_of_all"] = temperature[-1].tolist()
        scaled = tested.logits / temperature[tested.fold][..., None]
        record["after"] = _scored(scaled, tested)
    record["coverage"] = _coverage(scaled, tested.label)
    return record


def _scored(logits: np.ndarray, rows: Rows) -> dict[str, Any]:
    """Scores of one arm, the ECE with its interval over speakers and seeds, and bins.

    Args:
      logits: `[k, seeds, classes]`.
      rows: whose they are.
    """
    if not len(rows.label):
        return {}
    speakers, speaker = np.unique(rows.speaker, return_inverse=True)
    by_seed = [probabilities_at(logits[:, s], 1.0) for s in range(logits.shape[1])]
    sums = np.array(
        [calibration_sums(p, rows.label, speaker, len(speakers)) for p in by_seed]
    )

    def score(metric: str) -> float:
        return pooled(sums, metric, scores=calibration_scores)

    return {
        "ece": score("ece"),
        "ece_ci95": list(interval(sums, "ece", scores=calibration_scores)),
        "ece_of_calibrated": float(
            np.mean([ece_of_calibrated(p.max(-1)) for p in by_seed])
        ),
        "nll": score("nll"),
        "brier": score("brier"),
        "bins": _bins(sums.sum((0, 1))),
    }


def _bins(sums: np.ndarray) -> list[dict[str, float]]:
    """The bins that have rows, from sums `[NUM_BINS, 5]` over speakers and seeds."""
    return [
        {"rows": int(rows), "confidence": sure / rows, "right": right / rows}
        for rows, sure, right in sums[:, :3].tolist()
        if rows
    ]


def _coverage(logits: np.ndarray, label: np.ndarray) -> list[dict[str, float]]:
    """Points of the curve, means over seeds; without those where nothing is left."""
    if not len(label):
        return []
    curves = [
        coverage_curve(probabilities_at(logits[:, s], 1.0), label)
        for s in range(logits.shape[1])
    ]
    return [
        {"threshold": threshold, "coverage": covered, "wa": wa, "ua": ua}
        for threshold, (covered, wa, ua) in zip(
            THRESHOLDS, np.mean(curves, axis=0).tolist(), strict=True
        )
        if covered
    ]


def _fits(
    predictions: Predictions, state: TrainState, run: Run
) -> tuple[str, list[Rows]]:
    """What temperatures are fitted on, in words, and for each fold and all together.

    For a fold these are rows that models of other folds were tested on and whose
    labels this fold trains on, or chooses by: the labels of its tested rows have no
    part. Where a fold has none, all take the rows that validate them.
    """
    protocol = run.task.protocol
    others = [rows_of_others(protocol, fold) for fold in range(len(protocol.folds))]
    if all(mask.any() for mask in others):
        masks = [*others, np.any(others, axis=0)]
        name = "tested rows of the other folds"
        return name, [_of_run(predictions, mask, run) for mask in masks]
    validates = protocol.roles == Role.VALIDATION
    if not validates.any(1).all():
        return "", []
    params = normalised_for(state.best, Role.VALIDATION, run)
    validated = run.predict(params, validates, ("label_logits",))
    folds = np.arange(len(protocol.folds))[:, None]
    masks = [*(validates & (folds == fold) for fold in folds[:, 0]), validates]
    return "validation rows", [_of_run(validated, mask, run) for mask in masks]


def rows_of_others(protocol: Protocol, fold: int) -> np.ndarray:
    """Tested rows of other folds whose labels a fold knows, bool `[F, N]`.

    Args:
      protocol: with `F` folds of `N` rows.
      fold: for which a temperature is wanted.
    """
    known = np.isin(protocol.roles[fold], (Role.LABELLED, Role.VALIDATION))
    rows = (protocol.roles == Role.TEST) & known
    rows[fold] = False
    return rows


def _of_run(predictions: Predictions, mask: np.ndarray, run: Run) -> Rows:
    """The rows of a mask bool `[F, N]`, as the model of each fold predicts them."""
    speaker = run.task.corpus.column("speaker")
    return predicted_rows(predictions, mask, run.task.protocol, run.layout, speaker)


def predicted_rows(
    predictions: Predictions,
    mask: np.ndarray,
    protocol: Protocol,
    layout: ReplicaLayout,
    speaker: np.ndarray,
) -> Rows:
    """Rows of the corpus as the models of each fold predict them.

    Args:
      predictions: with `label_logits`, `[groups, arms, n, classes]`.
      mask: bool `[F, N]`, which rows of the corpus for which fold.
      protocol: of the folds.
      layout: of the replicas.
      speaker: `[N]`, of every row of the corpus.
    """
    fold, place = np.nonzero(mask[:, predictions.rows])
    row = predictions.rows[place]
    assert predictions.label_logits is not None
    logits = predictions.label_logits[: layout.num_groups]
    logits = logits.reshape(len(layout.folds), len(layout.seeds), *logits.shape[1:])
    names = np.unique(speaker, return_inverse=True)[1]
    # Indexed by two arrays around slices: rows come first.
    chosen = logits[fold, :, :, place]
    return Rows(fold, protocol.label[row], names[row], chosen)


def _of(rows: Rows, arm: int) -> Rows:
    """The same of one arm: logits `[k, seeds, classes]`."""
    return rows._replace(logits=rows.logits[:, :, arm])
