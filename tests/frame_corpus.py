"""A made-up corpus of frames on disk, and a few steps of a config on it."""

import itertools
import pathlib
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from test_configs import load

from dann_jax.data.manifest import write_manifest
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.tasks.task import Task
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.state import TrainState
from dann_jax.training.timetable import Timetable
from dann_jax.types import PyTree


def write_frames(
    folder: pathlib.Path,
    *,
    modality: str,
    dim: int,
    people: Mapping[str, Sequence[str]],
    label_column: str,
    labels: Sequence[str],
) -> pathlib.Path:
    """A table of noise in which every speaker says every label twice.

    `people` holds the column `speaker` and what else is known of each speaker. The
    frames of an utterance are shifted by the number of its label.
    """
    rows = list(itertools.product(range(len(people["speaker"])), range(len(labels))))
    rows = [row for row in rows for _ in range(2)]
    columns = {name: [known[who] for who, _ in rows] for name, known in people.items()}
    columns |= {"emotion": [""] * len(rows)}
    columns |= {label_column: [labels[what] for _, what in rows]}
    columns |= {"utt_id": [f"u{number}" for number in range(len(rows))]}
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 20, len(rows))
    shift = np.repeat([what for _, what in rows], lengths)[:, None]
    values = (rng.normal(size=(lengths.sum(), dim)) + shift).astype(np.float32)
    folder.mkdir(exist_ok=True)
    columns = {name: np.array(column) for name, column in columns.items()}
    write_manifest(folder / "manifest.csv", columns)
    arrays = {modality: values, f"{modality}_lengths": lengths}
    np.savez(folder / "features.npz", **arrays)
    return folder


def tiny(name: str, variant: str, changes: dict[str, object]) -> ConfigDict:
    """The config of a system with a network of a few units."""
    config = load(name).get_config(variant)
    small = {
        "seeds": 1,
        "encoder.width": 8,
        "encoder.frames.width": 8,
        "heads.domain_hidden": (8,),
        "batches.batch_size": 8,
        "batches.num_buckets": 1,
        "strength.name": "constant",
        # A step of its own to compile, of which no test of these systems speaks.
        "timetable.gradients_every": 0,
    }
    config.update_from_flattened_dict({**small, **changes})
    return config


def few_steps(
    config: ConfigDict, steps: int = 2
) -> tuple[Task, ReplicaLayout, TrainState]:
    """The replicas after so many steps, as `train_and_evaluate` would take them."""
    task, layout = build_task_and_layout(config)
    plan = task.plan(task.protocol.visible())
    program = compiled(config, task, layout, Timetable(steps, epochs=1))
    loader = BatchLoader(task.training, plan, layout, shuffle=True)
    batches = [loader.batch(step) for step in range(steps)]
    strength = layout.put(layout.peak_strength())
    state = program.initial_state(batches[0])
    for batch in batches:
        state, metrics = program.train_step(state, layout.put(batch), strength)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(metrics))
    return task, layout, state


def apart(params: PyTree, arms: tuple[int, int] = (0, 1)) -> float:
    """The largest difference between two arms' parameters."""
    one, other = arms
    gaps = [
        jnp.abs(leaf[:, one] - leaf[:, other]).max() for leaf in jax.tree.leaves(params)
    ]
    return float(max(gaps))
