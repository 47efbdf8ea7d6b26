"""Programs of earlier runs serve later ones of the same network and settings.

A run compiles them for itself; here hundreds of runs are few.
"""

import dataclasses

from ml_collections import ConfigDict
from shared_draws import key_of, once

from dann_jax.experiment import restored, train
from dann_jax.experiment.build import build_network, compiled
from dann_jax.tasks.task import Task
from dann_jax.training.program import Program
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.timetable import Timetable

_SECTIONS = ("objective", "optimizer", "strength")
"""Of a config: with the network they are what a program is made of."""


def share_programs() -> None:
    """From here on, in this process."""
    made = {}

    def shared(
        config: ConfigDict, task: Task, layout: ReplicaLayout, timetable: Timetable
    ) -> Program:
        key = (
            key_of(build_network(config, task)),
            key_of([config[name].to_dict() for name in _SECTIONS]),
            config.average_decay,
            key_of([getattr(layout, f.name) for f in dataclasses.fields(layout)]),
            (timetable.steps_per_epoch, timetable.epochs),
        )
        return once(made, key, lambda: compiled(config, task, layout, timetable))

    train.compiled = restored.compiled = shared
