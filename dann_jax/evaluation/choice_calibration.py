"""The calibration of a choice, by training speakers whom its inner folds hold out.

They chose the candidate of a fold, and were predicted by models that had no label of
theirs; the tested speakers of the fold have no part in either.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.calibration import NUM_BINS, fit_temperature
from dann_jax.evaluation.scorers.calibrated import Rows, calibration_record
from dann_jax.evaluation.verdicts import CHOSEN

FITTED_ON = "training speakers held out by the inner folds"


def choice_calibration(
    tested: Rows,
    held_out: Rows,
    names: Sequence[str],
    choice: np.ndarray,
    recommended: int,
) -> dict[str, Any]:
    """The key `calibration` of `results.json` of a choice.

    Args:
      tested: rows that the folds test, logits `[k, seeds, candidates, classes]`.
      held_out: rows that their inner folds hold out, logits `[m, inner seeds,
        candidates, classes]`; `fold` is that of the outer fold.
      names: of the candidates, the baseline first.
      choice: the candidate of each fold, int `[folds]`.
      recommended: the candidate of the bundle.

    Returns:
      As from `calibration_of`, of the baseline, of `CHOSEN` (which has in each fold
      the temperature of the candidate that was chosen there, and of all folds that of
      the recommended one) and of the recommended candidate.
    """
    folds, seeds = np.arange(len(choice)), tested.logits.shape[1]

    def record(candidate: np.ndarray) -> dict[str, Any]:
        """Of the candidate of each fold, and in the last place of that of all."""
        fits = [held_out.fold == fold for fold in folds]
        fits.append(np.ones(len(held_out.fold), bool))
        temperature = [
            _temperature(held_out.logits[rows, :, index], held_out.label[rows])
            for rows, index in zip(fits, candidate, strict=True)
        ]
        rows = np.arange(len(tested.fold))
        logits = tested.logits[rows, :, candidate[tested.fold]]
        return calibration_record(
            tested._replace(logits=logits), np.tile(np.c_[temperature], seeds)
        )

    arms = {
        names[0]: np.zeros(len(folds) + 1, int),
        CHOSEN: np.append(choice, recommended),
        names[recommended]: np.full(len(folds) + 1, recommended),
    }
    records = {arm: record(candidate) for arm, candidate in arms.items()}
    return {"bins": NUM_BINS, "fitted_on": FITTED_ON, "arms": records}


def _temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """One temperature for all inner seeds, of logits `[n, seeds, classes]`."""
    seeds, classes = logits.shape[1:]
    return fit_temperature(logits.reshape(-1, classes), np.repeat(label, seeds))
