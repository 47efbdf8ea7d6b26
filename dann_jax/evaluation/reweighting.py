"""The risk on a target from losses on a source: weights by the ratio of densities."""

import numpy as np


def density_ratio(source: np.ndarray, target: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How many times denser the target is than the source, float `[m]`.

    A logistic regression tells source from target; its odds, times the ratio of the
    sample sizes, estimate the ratio of the densities.

    Args:
      source: float `[n, width]`.
      target: float `[t, width]`.
      at: float `[m, width]`, where to estimate it; none of them in `source`.

    Reference: Bickel et al., "Discriminative Learning for Differing Training and Test
    Distributions", ICML 2007.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    side = np.repeat([0, 1], [len(source), len(target)])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    # More threads would wait for each other: the products are small.
    with threadpool_limits(1):
        log_odds = model.fit(np.concatenate([source, target]), side).decision_function(
            at
        )
    return len(source) / len(target) * np.exp(log_odds)


def controlled_risk(losses: np.ndarray, weights: np.ndarray) -> float:
    """Weighted mean of losses, with the weights, whose mean must be 1, as control.

    `mean(w l) + eta (mean(w) - 1)` with `eta = -cov(w l, w) / var(w)`. Subtracting what
    is known to be 0 changes no expectation and lowers the variance.

    Args:
      losses: float `[m]`, two at least.
      weights: float `[m]`, density ratios.

    Example:
      >>> controlled_risk(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
      2.0

    Reference: You et al., "Towards Accurate Model Selection in Deep Unsupervised
    Domain Adaptation", ICML 2019, algorithm 1.
    """
    weighted = weights * losses
    covariance = np.cov(weighted, weights)
    if covariance[1, 1] == 0.0:
        return float(weighted.mean())
    eta = -covariance[0, 1] / covariance[1, 1]
    return float(weighted.mean() + eta * (weights.mean() - 1.0))


def deep_embedded_validation(
    train_features: np.ndarray,
    validation_features: np.ndarray,
    target_features: np.ndarray,
    losses: np.ndarray,
) -> float:
    """Estimated risk on the target, from losses on the source; lower is better.

    It is right if the label depends on the features alike on both sides, and the
    source has rows wherever the target has. A few large weights make it noisy.

    Args:
      train_features: float `[n, width]`, source rows that fit the density ratio.
      validation_features: float `[m, width]`, other source rows.
      target_features: float `[t, width]`.
      losses: float `[m]` of the validation rows.

    Reference: You et al., ICML 2019; see `controlled_risk`.
    """
    weights = density_ratio(train_features, target_features, validation_features)
    return controlled_risk(losses, weights)
