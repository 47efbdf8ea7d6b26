"""The leak of the batches: which tested rows the adversary sees."""

import dataclasses

import numpy as np

from benchmarks.studies.leaks.names import with_leaks
from dann_jax.tasks.roles import Role
from dann_jax.tasks.splits import ProtocolError
from dann_jax.tasks.task import Task
from dann_jax.types import UNKNOWN


def balance_source(task: Task, *, seed: int) -> Task:
    """The adversary sees as many labelled rows of each class: no leak, the control."""
    return _balanced(task, task.protocol.roles == Role.LABELLED, seed)


def balance_target(task: Task, *, seed: int) -> Task:
    """The adversary sees as many rows of each class from the tested side.

    Classes that are more frequent lose rows, by their true labels. Label shift between
    source and target, which makes adversaries fail, is gone where the source is
    balanced too.

    Raises:
      ProtocolError: no adversary sees a tested row: the protocol is inductive.
    """
    balanced = _balanced(task, _seen_tested_rows(task), seed)
    return dataclasses.replace(balanced, protocol=with_leaks(task.protocol, "balance"))


def subsample_target(task: Task, *, seed: int) -> Task:
    """The control of `balance_target`: as many rows, whatever their class, no leak.

    Only how many rows the balance would leave depends on labels here.

    Raises:
      ProtocolError: no adversary sees a tested row: the protocol is inductive.
    """
    rng, rows = np.random.default_rng(seed), _seen_tested_rows(task)
    surplus = rows.copy()
    for own, lost in zip(rows, surplus, strict=True):
        _, counts = np.unique(task.protocol.label[own], return_counts=True)
        size = len(counts) * counts.min()
        kept = rng.choice(np.flatnonzero(own), size, replace=False)
        lost[kept] = False
    return _unseen(task, surplus)


def _seen_tested_rows(task: Task) -> np.ndarray:
    """Tested rows, bool `[F, N]`, if an adversary sees them."""
    rows = task.protocol.roles == Role.TEST
    seen = [(ids != UNKNOWN) & rows for ids in task.training.domain.values()]
    if not np.any(seen):
        raise ProtocolError(
            "no adversary sees a tested row; to balance them needs a transductive "
            "protocol (unlabelled: test) and an adversary over the test pool"
        )
    return rows


def _balanced(task: Task, rows: np.ndarray, seed: int) -> Task:
    """Rows (bool `[F, N]`) beyond the rarest class's count lose their domain ids."""
    rng, label = np.random.default_rng(seed), task.protocol.label
    surplus = rows.copy()
    for fold in range(len(rows)):
        values, counts = np.unique(label[rows[fold]], return_counts=True)
        for value in values:
            own = np.flatnonzero(rows[fold] & (label == value))
            surplus[fold, rng.choice(own, counts.min(), replace=False)] = False
    return _unseen(task, surplus)


def _unseen(task: Task, rows: np.ndarray) -> Task:
    """The same task in which no adversary sees these rows, bool `[F, N]`."""
    domain = {
        name: np.where(rows, UNKNOWN, ids).astype(np.int32)
        for name, ids in task.training.domain.items()
    }
    training = dataclasses.replace(task.training, domain=domain)
    return dataclasses.replace(task, training=training)
