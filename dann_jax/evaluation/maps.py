"""Two-dimensional maps of features. scikit-learn draws them, once it is asked to."""

import importlib.util
from collections.abc import Callable, Mapping

import numpy as np


def _pca(points: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA

    return PCA(2, svd_solver="full").fit_transform(points)


def _tsne(points: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE

    # Neighbours must be fewer than the points.
    perplexity = min(30.0, (len(points) - 1) / 3.0)
    model = TSNE(
        2, perplexity=perplexity, init="pca", random_state=0, max_iter=500, n_jobs=1
    )
    return model.fit_transform(points)


def _umap(points: np.ndarray) -> np.ndarray:
    import umap

    model = umap.UMAP(n_neighbors=min(15, len(points) - 1), random_state=0)
    return model.fit_transform(points)


PROJECTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "pca": _pca,
    "tsne": _tsne,
    "umap": _umap,
}
"""The word in a config -> points `[n, dim]` to points `[n, 2]`."""


def require_map(word: str) -> None:
    """Raise `ValueError` unless it is one of `PROJECTIONS`."""
    if word not in PROJECTIONS:
        raise ValueError(f"unknown map {word!r}; choose from {', '.join(PROJECTIONS)}")


def project(features: np.ndarray, word: str) -> np.ndarray | None:
    """The rows on a map, float `[n, 2]`, always the same for the same rows.

    Args:
      features: float `[n, dim]`, standardised here; more than 50 columns are reduced
        to their first 50 principal components.
      word: of `PROJECTIONS`. Distances on a map of `tsne` or `umap` mean little: look
        at who is beside whom.

    Returns:
      None for `umap` where it is not installed, and for fewer than four rows.

    Raises:
      ValueError: `word` is unknown.

    Reference: van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9 (2008);
    McInnes et al., "UMAP", arXiv 1802.03426 (2018).
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    require_map(word)
    if word == "umap" and importlib.util.find_spec("umap") is None:
        return None
    if len(features) < 4:
        return None
    # More threads would wait for each other: t-SNE is ten times slower with them.
    with threadpool_limits(1):
        points = StandardScaler().fit_transform(np.asarray(features, np.float64))
        if min(points.shape) > 50:
            points = PCA(50, svd_solver="full").fit_transform(points)
        return PROJECTIONS[word](points)
