"""Fresh classifiers on frozen features: what the encoder still gives away."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from dann_jax.evaluation.heldout import (
    FOLDS,
    held_out_guesses,
    one_value_each,
    shuffled,
    usable_rows,
)

PROBES: Mapping[str, Callable[[int], Any]] = {
    "linear": lambda seed: LogisticRegression(C=0.1, max_iter=200),
    "network": lambda seed: MLPClassifier(
        (64,), alpha=1.0, learning_rate_init=5e-3, max_iter=40, random_state=seed
    ),
}
"""Kind of probe -> seed to classifier: a regularised logistic regression, and one
hidden layer, which finds what is not linearly there."""


def probe(
    features: np.ndarray,
    target: np.ndarray,
    *,
    kind: str = "linear",
    groups: np.ndarray | None = None,
    rows: int = 1000,
    permutations: int = 200,
    seed: int = 0,
) -> dict[str, float]:
    """How well a new classifier finds `target` in frozen features, and by chance.

    Chance is what the same predictions score after the target was permuted; nothing is
    fitted again, so it costs nothing. It is never below the share of the most frequent
    value, which a classifier that knows nothing could name.

    Args:
      features: float `[n, width]`.
      target: str or int `[n]`: speaker, corpus, language, gender, emotion. Rows with
        an empty string are left out.
      kind: a key of `PROBES`.
      groups: `[n]`; rows of a group are never both fitted on and predicted. Probe for
        the gender by speaker and for the speaker by dialogue, or the probe may learn
        who that is. Where each group has one value, whole groups are permuted.
      rows: at most so many, drawn at random, for speed.
      permutations: of the target; 0 for no chance.
      seed: of everything drawn.

    Returns:
      `score`, the accuracy of the three-fold predictions of all rows, in [0, 1];
      `chance`, its mean after permutation, and `chance_p95`, its 95th percentile;
      `p_value`, one-sided, at least `1 / (permutations + 1)`; `classes` and `rows`, how
      many took part. NaN where fewer than two classes have three rows (groups).

    Raises:
      ValueError: `kind` is unknown.

    Reference: Ojala and Garriga, "Permutation Tests for Studying Classifier
    Performance", JMLR 11 (2010).
    """
    if kind not in PROBES:
        raise ValueError(f"unknown probe {kind!r}; choose from {', '.join(PROBES)}")
    taken = usable_rows(target, groups, rows=rows, seed=seed)
    truth = np.unique(target[taken], return_inverse=True)[1]
    group = None if groups is None else np.unique(groups[taken], return_inverse=True)[1]
    classes = len(np.unique(truth))
    result = dict.fromkeys(("score", "chance", "chance_p95", "p_value"), float("nan"))
    if classes >= 2:
        model, rng = PROBES[kind](seed), np.random.default_rng(seed)
        guess = held_out_guesses(model, features[taken], truth, group, seed=seed)
        score = np.mean(truth == guess)
        result["score"] = float(score)
        whole = group if group is not None and one_value_each(truth, group) else None
        shuffles = (shuffled(truth, whole, rng) for _ in range(permutations))
        chances = np.array([np.mean(other == guess) for other in shuffles])
        if len(chances):
            chances = np.maximum(chances, np.bincount(truth).max() / len(truth))
            result["chance"] = float(np.mean(chances))
            # Of values that nearly all are the least there is, the mean may be larger.
            high = max(np.quantile(chances, 0.95), result["chance"])
            result["chance_p95"] = float(high)
            beaten = np.sum(chances >= score)
            result["p_value"] = float((1 + beaten) / (1 + permutations))
    return {**result, "classes": classes, "rows": len(taken)}


def domain_probe(
    features: np.ndarray, domain: np.ndarray, *, rows: int = 1000, seed: int = 0
) -> dict[str, float]:
    """How well a new linear classifier finds the domain in frozen features.

    The accuracy of the discriminator that was trained against the encoder says
    little: it may be weak, or late. This one has no stake in it.

    Args:
      features: float `[n, width]`.
      domain: int `[n]`.
      rows: at most so many rows, drawn at random, for speed.
      seed: of the draw and of the folds.

    Returns:
      `accuracy` by three-fold cross-validation, and `chance`, the accuracy of always
      naming the most frequent of the domains that take part. NaN where there is one
      domain only.

    Example:
      >>> rng = np.random.default_rng(0)
      >>> speaker = np.arange(60) % 2
      >>> hidden, told = rng.normal(size=(60, 4)), rng.normal(size=(60, 4))
      >>> told[:, 0] += 9 * speaker
      >>> domain_probe(told, speaker)
      {'accuracy': 1.0, 'chance': 0.5}
      >>> domain_probe(hidden, speaker)["accuracy"] < 0.7
      True
    """
    taken = usable_rows(domain, None, rows=rows, seed=seed)
    features, domain = features[taken], domain[taken]
    if len(np.unique(domain)) < 2:
        return {"accuracy": float("nan"), "chance": float("nan")}
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), PROBES["linear"](seed))
    # More threads would wait for each other: the products are small.
    with threadpool_limits(1):
        accuracy = cross_val_score(model, features, domain, cv=folds)
    _, counts = np.unique(domain, return_counts=True)
    return {
        "accuracy": float(np.mean(accuracy)),
        "chance": float(counts.max() / len(domain)),
    }


def domain_probes(features: np.ndarray, domain: np.ndarray) -> list[dict[str, float]]:
    """`domain_probe` of the features of many replicas, in processes where it pays.

    Args:
      features: float `[replicas, n, width]`.
      domain: int `[n]`, the same for all.
    """
    # What processes save is more than their start costs from about a hundred on.
    run_all: Any = Parallel(-1 if len(features) >= 100 else 1)
    return run_all(delayed(domain_probe)(replica, domain) for replica in features)
