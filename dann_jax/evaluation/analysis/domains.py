"""What the adversaries of a run tell apart, and how far guessing gets."""

from typing import Any

import numpy as np
from scipy.stats import entropy

from dann_jax.evaluation.divergence import label_shift
from dann_jax.tasks.task import Task
from dann_jax.types import UNKNOWN


def domain_frequencies(task: Task) -> dict[str, dict[str, Any]]:
    """Adversary -> what a discriminator that knows the frequencies alone would get.

    Returns:
      `num_domains`; `chance`, its accuracy, and `guess_loss`, its loss in nats, both
      mean over folds, of the rows that take part in training; `label_shift` of their
      labelled rows, see there.
    """
    labels = task.protocol.erased_labels()
    frequencies = {}
    for name, count in task.num_domains.items():
        ids = task.training.domain[name]
        shares = []
        for domain in ids:
            counts = np.bincount(domain[domain != UNKNOWN], minlength=count)
            shares.append(counts / max(counts.sum(), 1))
        both = (labels != UNKNOWN) & (ids != UNKNOWN)
        shifts = [
            label_shift(label[rows], domain[rows])
            for label, domain, rows in zip(labels, ids, both, strict=True)
            if rows.any()
        ]
        frequencies[name] = {
            "num_domains": count,
            "chance": float(np.mean([share.max() for share in shares])),
            "guess_loss": float(np.mean([entropy(share) for share in shares])),
            "label_shift": float(np.mean(shifts)) if shifts else float("nan"),
        }
    return frequencies
