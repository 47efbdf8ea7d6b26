"""Leaks of what is fitted and chosen: tested rows take part in it."""

import dataclasses

import numpy as np

from benchmarks.studies.leaks.names import with_leaks
from dann_jax.tasks.roles import Role
from dann_jax.tasks.standardise import fit_standardiser
from dann_jax.tasks.task import Task


def normalise_over_all(task: Task) -> Task:
    """Mean and scale of every row, test rows included, in place of labelled ones.

    Standardising the corpus beforehand would be no leak here: what the labelled rows
    fit afterwards undoes it.
    """
    everything = np.full_like(task.protocol.roles, Role.LABELLED)
    standardiser = fit_standardiser(
        task.corpus, dataclasses.replace(task.protocol, roles=everything)
    )
    return dataclasses.replace(
        task,
        protocol=with_leaks(task.protocol, "normalisation"),
        training=dataclasses.replace(task.training, standardiser=standardiser),
        evaluation=dataclasses.replace(task.evaluation, standardiser=standardiser),
    )


def select_on_test(task: Task) -> tuple[Task, Task]:
    """The oracle: the step is chosen by the score of the rows that are tested.

    Returns:
      The task to train and to score, which differs in name only; and the task for the
      `Selector` alone, in which the tested rows are the validation rows.
    """
    named = with_leaks(task.protocol, "selection")
    roles = np.where(named.roles == Role.VALIDATION, Role.HELD_OUT, named.roles)
    roles = np.where(roles == Role.TEST, Role.VALIDATION, roles)
    oracle = dataclasses.replace(named, roles=roles.astype(named.roles.dtype))
    return (
        dataclasses.replace(task, protocol=named),
        dataclasses.replace(task, protocol=oracle),
    )
