"""The rows that are looked at, and what the networks of some replicas make of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState


class Sample(NamedTuple):
    """The same `n` rows, as `r` replicas of every arm see them.

    Attributes:
      rows: int `[n]`, corpus rows, rising.
      groups: int `[r]`, the pairs of fold and seed, as groups of the layout.
      inputs: float `[n, dim]`, what is given to the encoder, side by side.
      features: float `[r, arms, n, width]`.
      logits: float `[r, arms, n, labels]`.
    """

    rows: np.ndarray
    groups: np.ndarray
    inputs: np.ndarray
    features: np.ndarray
    logits: np.ndarray

    def names(self, layout: ReplicaLayout) -> list[dict[str, Any]]:
        """Fold and seed of each replica."""
        return [
            {"fold": layout.folds[layout.fold_of[g]], "seed": int(layout.seed_of[g])}
            for g in self.groups
        ]

    def places(self, replica: int, arm: int) -> dict[str, np.ndarray]:
        """Where a network can be probed behind its input -> `[n, width]`."""
        return {
            "encoder": self.features[replica, arm],
            "head": self.logits[replica, arm],
        }


def draw_sample(state: TrainState, run: Run, *, rows: int, replicas: int) -> Sample:
    """Rows that some fold learns from by their labels or is tested on, at random.

    The replicas are spread evenly over folds and seeds, the first among them.
    """
    task, layout = run.task, run.layout
    used = np.isin(
        task.protocol.target_roles(), [Role.LABELLED, Role.VALIDATION, Role.TEST]
    )
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(used.any(0)))[:rows]
    drawn = np.sort(drawn)
    holds = np.zeros(task.protocol.roles.shape, bool)
    holds[:, drawn] = True
    spread = np.linspace(0, layout.num_groups - 1, min(replicas, layout.num_groups))
    groups = np.unique(spread.round().astype(int))
    outputs = ("features", "label_logits")
    rows, features, logits = run.predict(state.best, holds, outputs)
    own = _speaker_statistics(task, rows, layout.fold_of[groups[0]])
    inputs = input_vectors(task.corpus, rows, own)
    return Sample(rows, groups, inputs, features[groups], logits[groups])


def _speaker_statistics(
    task: Task, rows: np.ndarray, fold: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Modality -> mean and scale of each row's speaker; none where all have the same.

    What standardises all rows alike hides nobody from a probe.
    """
    if task.standardisation is None:
        return {}
    own = task.evaluation.feature_domain[rows]
    return {
        name: (mean[fold, own], scale[fold, own])
        for name, (mean, scale) in task.evaluation.standardiser.items()
    }


def input_vectors(
    corpus: Corpus,
    rows: np.ndarray,
    statistics: Mapping[str, tuple[np.ndarray, np.ndarray]] = {},
) -> np.ndarray:
    """All modalities of the rows side by side, float `[n, dim]`.

    Of frames the mean and the standard deviation; 0 where a row lacks a modality.
    Modalities with `statistics`, mean and scale `[n, dim]`, are standardised.
    """
    nothing = np.zeros((len(rows), 1)), np.ones((len(rows), 1))
    parts = []
    for name, values in corpus.features.items():
        mean, scale = statistics.get(name, nothing)
        if isinstance(values, Frames):
            each = zip(rows, mean, scale, strict=True)
            part = np.stack([_moments((values.row(r) - m) / s) for r, m, s in each])
        else:
            part = (np.asarray(values[rows], np.float64) - mean) / scale
        parts.append(np.where(corpus.present[name][rows, None], part, 0.0))
    return np.concatenate(parts, axis=1)


def _moments(frames: np.ndarray) -> np.ndarray:
    frames = np.asarray(frames, np.float64)
    if not len(frames):
        return np.zeros(2 * frames.shape[-1])
    return np.concatenate([frames.mean(0), frames.std(0)])
