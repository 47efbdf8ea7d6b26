"""Fresh classifiers on frozen features: what the encoder still gives away."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
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
"""The word in a result -> seed to classifier: a regularised logistic regression, and
one hidden layer, which finds what is not linearly there."""

SCORES: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    # Called two hundred times a probe, scikit-learn's own takes longer than the fits.
    "accuracy": lambda truth, guess: np.mean(truth == guess),
    "ua": balanced_accuracy_score,
}
"""The word in a result -> `(truth, guess) -> score`."""


def probe(
    features: np.ndarray,
    target: np.ndarray,
    *,
    kind: str = "linear",
    groups: np.ndarray | None = None,
    score: str = "accuracy",
    rows: int = 1000,
    permutations: int = 20,
    retrained: bool = True,
    seed: int = 0,
) -> dict[str, float]:
    """How well a new classifier finds `target` in frozen features, and by chance.

    Args:
      features: float `[n, width]`.
      target: `[n]`, words or ints: speaker, corpus, language, gender, emotion. An
        empty string takes no part.
      kind: a word of `PROBES`.
      groups: `[n]`; rows of a group are never on both sides. Probe for the gender by
        speaker and for the speaker by dialogue, or the probe may learn who that is.
      score: a word of `SCORES`.
      rows: at most so many, drawn at random, for speed.
      permutations: of the target, to see what chance gives; within groups where the
        target differs inside them, else of whole groups. 0 for none.
      retrained: whether a classifier learns from each permutation. If not, the guesses
        of the one classifier are compared with permuted targets, of whole groups if
        each has one value, else of rows. That costs nothing; chance is then at least
        what the most frequent value alone scores.
      seed: of everything drawn.

    Returns:
      `score`, of the three-fold predictions of all rows; `chance`, its mean after
      permutation, and `chance_p95`, its 95th percentile; `p_value`, one-sided, at least
      `1 / (permutations + 1)`; `classes` and `rows`, how many took part. NaN where
      fewer than two classes have three rows (groups).

    Raises:
      ValueError: `kind` or `score` is an unknown word.

    Reference: Ojala and Garriga, "Permutation Tests for Studying Classifier
    Performance", JMLR 11 (2010).
    """
    for word, table in ((kind, PROBES), (score, SCORES)):
        if word not in table:
            raise ValueError(f"unknown word {word!r}; choose from {', '.join(table)}")
    taken = usable_rows(target, groups, rows=rows, seed=seed)
    # Numbers for words: a permutation, and each of its scores, takes a fifth as long.
    found = np.unique(target[taken], return_inverse=True)[1]
    own = None if groups is None else np.unique(groups[taken], return_inverse=True)[1]
    classes = len(np.unique(found))
    outcome = dict.fromkeys(("score", "chance", "chance_p95", "p_value"), float("nan"))
    if classes >= 2:
        rng = np.random.default_rng(seed)

        def guesses(truth: np.ndarray) -> np.ndarray:
            model = PROBES[kind](seed)
            return held_out_guesses(model, features[taken], truth, own, seed=seed)

        first = guesses(found)
        alike = own is not None and one_value_each(found, own)
        outcome["score"] = float(SCORES[score](found, first))
        others = []
        for _ in range(permutations):
            truth = shuffled(found, own if retrained or alike else None, rng)
            others.append(SCORES[score](truth, guesses(truth) if retrained else first))
        if others and not retrained:
            guess = np.full(len(found), np.bincount(found).argmax())
            others = np.maximum(others, SCORES[score](found, guess))
        if len(others):
            beaten = np.sum(np.array(others) >= outcome["score"])
            outcome["chance"] = float(np.mean(others))
            # Of values that nearly all are the least there is, the mean may be larger.
            high = max(np.quantile(others, 0.95), outcome["chance"])
            outcome["chance_p95"] = float(high)
            outcome["p_value"] = float((1 + beaten) / (1 + permutations))
    return {**outcome, "classes": classes, "rows": len(taken)}


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
        found = cross_val_score(model, features, domain, cv=folds)
    _, counts = np.unique(domain, return_counts=True)
    return {
        "accuracy": float(np.mean(found)),
        "chance": float(counts.max() / len(domain)),
    }
