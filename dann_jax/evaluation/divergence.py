"""How far domains lie apart: in their features, and in how often each class occurs."""

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, mutual_info_score

from dann_jax.evaluation.heldout import held_out_guesses, usable_rows


def proxy_a_distance(
    features: np.ndarray,
    domain: np.ndarray,
    *,
    rows: int = 1000,
    seed: int = 0,
) -> float:
    """`2 (1 - 2 e)`, `e` the error of a held-out linear classifier of domains.

    Both sides weigh the same, whatever their sizes. Of more than two domains it is the
    mean over each against the rest.

    Args:
      features: float `[n, width]`.
      domain: `[n]`, words or ints; an empty string takes no part.
      rows: at most so many, drawn at random.
      seed: of the draw and of the folds.

    Returns:
      2 where the domains can be told apart without error, about 0 (by chance a little
      below) where they cannot. NaN where fewer than two domains have three rows.

    Reference: Ben-David et al., "Analysis of Representations for Domain Adaptation",
    NIPS 2006; Ganin et al., JMLR 17 (2016), with a linear classifier.
    """
    taken = usable_rows(domain, None, rows=rows, seed=seed)
    domains = domain[taken]
    names = np.unique(domains)
    if len(names) < 2:
        return float("nan")
    model = LogisticRegression(C=0.1, max_iter=200, class_weight="balanced")
    distances = []
    for name in names[1:] if len(names) == 2 else names:
        side = domains == name
        guess = held_out_guesses(model, features[taken], side, None, seed=seed)
        error = 1.0 - balanced_accuracy_score(side, guess)
        distances.append(2.0 * (1.0 - 2.0 * error))
    return float(np.mean(distances))


def label_shift(label: np.ndarray, domain: np.ndarray) -> float:
    """Share of the uncertainty about the class that knowing the domain removes.

    The mutual information of label and domain over the entropy of the label: 0 where
    every domain has the classes equally often, 1 where each has one class only. It is
    also the mean divergence of the domains' class priors from the pooled ones.

    Args:
      label: int `[n]`, known ones only.
      domain: `[n]`.

    Returns:
      In [0, 1], less what chance alone gives in so many rows (Miller 1955); NaN where
      there is one class only.

    Example:
      >>> label_shift(np.array([0, 1] * 500), np.array([0, 0, 1, 1] * 250))
      0.0
    """
    counts = np.unique(label, return_counts=True)[1]
    domains = len(np.unique(domain))
    if len(counts) < 2:
        return float("nan")
    chance = (len(counts) - 1) * (domains - 1) / (2.0 * len(label))
    information = mutual_info_score(label, domain) - chance
    return float(np.clip(information / stats.entropy(counts), 0.0, 1.0))
