"""What every arm does with every class."""

import numpy as np

from dann_jax.report.run import Run


def confusion_counts(run: Run) -> dict[str, np.ndarray]:
    """Arm -> counts `[truth, guess]`, over folds, mean over seeds; empty without."""
    found = run.analysis.get("confusion")
    if found:
        return {arm: np.asarray(found[arm], float) for arm in run.arms if arm in found}
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
    found = run.analysis.get("classes")
    if found:
        return {arm: np.asarray(found[arm], float) for arm in run.arms if arm in found}
    counts = confusion_counts(run)
    with np.errstate(invalid="ignore"):
        return {arm: np.diag(own) / own.sum(1) for arm, own in counts.items()}
