"""Figures of a run; matplotlib draws."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from dann_jax.report.tables import TITLES, headline


def forest_plot(results: Mapping[str, Any], path: epath.PathLike) -> None:
    """Draw both main scores of every arm with their intervals, and of every replica.

    Args:
      results: as in `results.json`.
      path: `.svg`, `.png` or `.pdf`.
    """
    # Imported here: drawing is no part of training.
    from matplotlib.figure import Figure

    arms = list(results["summary"])
    figure = Figure(figsize=(8, 0.9 + 0.6 * len(arms)), layout="constrained")
    for axis, metric in zip(
        figure.subplots(1, 2, sharey=True), headline(results), strict=True
    ):
        for place, arm in enumerate(arms):
            score = results["summary"][arm][metric]
            own = [100 * r[metric] for r in results["replicas"] if r["arm"] == arm]
            scatter = np.random.default_rng(0).uniform(-0.15, 0.15, len(own))
            axis.plot(own, place + scatter, ".", color="0.7", markersize=4)
            axis.plot([100 * x for x in score["ci95"]], [place, place], color="C0")
            axis.plot(100 * score["pooled"], place, "o", color="C0")
        axis.set_xlabel(f"{TITLES[metric]} (%)")
        axis.set_yticks(range(len(arms)), arms)
        axis.grid(axis="x", alpha=0.3)
    figure.axes[0].invert_yaxis()
    figure.suptitle(
        f"{results['system']} on {', '.join(results['corpora'])}: pooled score, 95 % "
        f"interval, and each fold and seed",
        fontsize=9,
    )
    figure.savefig(str(path))
