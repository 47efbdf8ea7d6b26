"""A fresh classifier on frozen features: what the encoder still gives away."""

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits


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
      naming the most frequent domain. NaN where there is one domain only.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(domain))[:rows]
    features, domain = features[chosen], domain[chosen]
    names, counts = np.unique(domain, return_counts=True)
    frequent = np.isin(domain, names[counts >= 3])
    features, domain = features[frequent], domain[frequent]
    if len(np.unique(domain)) < 2:
        return {"accuracy": float("nan"), "chance": float("nan")}
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    # More threads would wait for each other: the products are small.
    with threadpool_limits(1):
        found = cross_val_score(probe, features, domain, cv=folds)
    guessed = cross_val_score(DummyClassifier(), features, domain, cv=folds)
    return {"accuracy": float(np.mean(found)), "chance": float(np.mean(guessed))}
