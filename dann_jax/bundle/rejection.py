"""Predictions that are not sure enough: `unknown` in the place of a class."""

from dann_jax.bundle.calibration import is_calibrated
from dann_jax.bundle.description import BundleError, Description
from dann_jax.evaluation.scorers.table import Prediction, Rating
from dann_jax.utils.once import warn_once

REJECTED = "unknown"
"""The label of a prediction below the threshold."""


def require_rejection(description: Description, threshold: float) -> None:
    """Raise `BundleError` unless the model's answers can be rejected like that.

    Warns, once in a process, of a threshold that rejects nothing, and of probabilities
    that were never calibrated.

    Args:
      description: of the model.
      threshold: of the highest probability, in [0, 1]; 0 rejects nothing.
    """
    if not 0.0 <= threshold <= 1.0:
        raise BundleError(
            f"a threshold to reject below is a probability from 0 to 1, got "
            f"{threshold:g}"
        )
    if not threshold:
        return
    if description.answer != "classes":
        raise BundleError(
            f"this model predicts {', '.join(description.labels)} without "
            f"probabilities: there is nothing to reject by"
        )
    if REJECTED in description.labels:
        raise BundleError(
            f"this model has a class {REJECTED!r}: rejected recordings could not be "
            f"told from it"
        )
    least = 1.0 / len(description.labels)
    if threshold <= least:
        warn_once(
            f"a threshold of {threshold:g} rejects nothing: of "
            f"{len(description.labels)} classes one has at least {least:.3g}"
        )
    if not is_calibrated(description):
        warn_once(
            "warning: this model's probabilities are not calibrated, so that what "
            "--reject leaves is right more or less often than they say "
            "(docs/calibration.md)"
        )


def rejected(prediction: Prediction | Rating, threshold: float) -> Prediction | Rating:
    """The prediction, its label `unknown` where no probability reaches the threshold.

    Its probabilities stay.

    Args:
      prediction: of one recording; values have no probabilities and stay.
      threshold: as in `require_rejection`.

    Example:
      >>> unsure = Prediction("joy", {"anger": 0.4, "joy": 0.6})
      >>> rejected(unsure, 0.7).label, rejected(unsure, 0.6).label
      ('unknown', 'joy')
    """
    if isinstance(prediction, Rating):
        return prediction
    sure = max(prediction.probabilities.values()) >= threshold
    return prediction if sure else prediction._replace(label=REJECTED)
