"""How often neighbours on a map share a label or a domain."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.report.table import Number, Table

METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
"""Method of a map -> its usual name."""

NEIGHBOURS = 10
"""Number of nearest rows on the map that are compared."""


def neighbour_table(maps: Mapping[str, Any]) -> Table:
    """The share of neighbours with the same values, for every map.

    Of the `NEIGHBOURS` nearest rows, the share that has the row's own value; chance is
    the share among all other rows. The input is the same for all arms.

    Args:
      maps: `maps` of `analysis.json`.
    """
    columns = [name for name in maps["rows"] if name != "utt_id"]
    rows, done = [], []
    for arm, by_place in maps["points"].items():
        for place, by_method in by_place.items():
            # Where nothing was learned, arms do not differ.
            if by_method in done:
                continue
            done.append(by_method)
            owner = "any" if place == "input" else arm
            for method, points in by_method.items():
                near = _nearest(points)
                shares = [_shared(near, maps["rows"][name]) for name in columns]
                rows.append([owner, place, METHODS.get(method, method), *shares])
    title = (
        f"Of the {NEIGHBOURS} nearest rows on a map, how many per cent share the row's "
        "own value (chance)"
    )
    header = ["arm", "where", "map", *(f"same {name}" for name in columns)]
    return Table("map_neighbours", title, header, rows)


def _nearest(points: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows that are on the map `[n]`, and the places among them of their neighbours."""
    from sklearn.neighbors import NearestNeighbors

    array = np.asarray(points, float).reshape(-1, 2)
    (known,) = np.nonzero(np.isfinite(array).all(1))
    if len(known) <= NEIGHBOURS:
        return known, np.zeros((len(known), 0), int)
    search = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(array[known])
    return known, search.kneighbors()[1]


def _shared(near: tuple[np.ndarray, np.ndarray], values: Sequence[Any]) -> Number:
    known, nearest = near
    if not nearest.size:
        return Number(math.nan)
    names = np.unique(np.asarray(values, str), return_inverse=True)[1][known]
    share = (names[nearest] == names[:, None]).mean()
    counts = np.bincount(names)
    chance = (counts * (counts - 1)).sum() / (len(known) * (len(known) - 1))
    return Number(float(share), chance=float(chance), digits=1)
