"""What every arm does with every class."""

import numpy as np

from dann_jax.report.run import Run


def confusion_counts(run: Run) -> dict[str, np.ndarray]:
    """Arm -> counts `[truth, guess]`, over folds, mean over seeds; empty without."""
    counts = run.analysis.get("confusion")
    if counts:
        return {
            arm: np.asarray(counts[arm], float) for arm in run.arms if arm in counts
        }
    replicas = run.results["replicas"]
    if not all("confusion" in replica for replica in replicas):
        return {}
    seeds = len({replica["seed"] for replica in replicas})
    return {
        arm: sum(np.asarray(r["confusion"], float) for r in replicas if r["arm"] == arm)
        / seeds
        for arm in run.arms
    }


def class_recalls(run: Run) -> dict[str, np.ndarray]:
    """Arm -> recall of every class `[labels]`; NaN of a class without a row."""
    recalls = run.analysis.get("classes")
    if recalls:
        return {
            arm: np.asarray(recalls[arm], float) for arm in run.arms if arm in recalls
        }
    counts = confusion_counts(run)
    with np.errstate(invalid="ignore"):
        return {arm: np.diag(matrix) / matrix.sum(1) for arm, matrix in counts.items()}
