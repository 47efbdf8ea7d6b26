"""Predictions of rows that a fresh classifier has not seen. scikit-learn fits."""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

FOLDS = 3


def usable_rows(
    target: np.ndarray, groups: np.ndarray | None, *, rows: int, seed: int
) -> np.ndarray:
    """Drawn rows whose value of `target` has enough rows, or groups, for all folds.

    Args:
      target: `[n]`; an empty string takes no part.
      groups: `[n]` or None.
      rows: at most so many.
      seed: of the draw.

    Returns:
      Their indices, int, in a random order.
    """
    drawn = np.random.default_rng(seed).permutation(len(target))[:rows]
    units = np.arange(len(target)) if groups is None else groups
    pairs = np.unique(
        np.stack(
            [np.unique(x[drawn], return_inverse=True)[1] for x in (target, units)]
        ),
        axis=1,
    )
    names = np.unique(target[drawn])
    kept = names[np.bincount(pairs[0], minlength=len(names)) >= FOLDS]
    # An int column has no empty value; comparing it with a string would be an error.
    kept = kept[kept != ""] if kept.dtype.kind == "U" else kept
    return drawn[np.isin(target[drawn], kept)]


def held_out_guesses(
    model: Any,
    features: np.ndarray,
    target: np.ndarray,
    groups: np.ndarray | None,
    *,
    seed: int,
) -> np.ndarray:
    """Cross-validated predictions `[n]`; rows of a group are never on both sides.

    Args:
      model: scikit-learn classifier; the features are standardised for it.
      features: float `[n, width]`.
      target: `[n]`.
      groups: `[n]` or None.
      seed: of the folds.
    """
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds = splitter(FOLDS, shuffle=True, random_state=seed)
    # More threads would wait for each other: the products are small.
    with threadpool_limits(1), warnings.catch_warnings():
        # A network has a budget, not a tolerance.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return cross_val_predict(
            make_pipeline(StandardScaler(), model),
            features,
            target,
            groups=groups,
            cv=folds,
        )


def one_value_each(target: np.ndarray, groups: np.ndarray) -> bool:
    """Whether all rows of each group share one value of the target.

    Args:
      target: `[n]`.
      groups: `[n]`.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    return bool((target == target[first][group]).all())


def shuffled(
    target: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """The target in another order; with groups, whole groups change values.

    Args:
      target: `[n]`.
      groups: `[n]`, each with one value of the target, or None.
      rng: of the permutation.
    """
    if groups is None:
        return rng.permutation(target)
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    return rng.permutation(target[first])[group]
