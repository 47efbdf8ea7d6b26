"""A config's program taken for a few steps, on a corpus made up for it."""

import dataclasses
import functools
import importlib.util
import itertools
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from dann_jax.data import open as reading
from dann_jax.data.corpus import Corpus
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.program import Program
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.state import TrainState
from dann_jax.training.timetable import Timetable

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
CORPORA = {"east": "de", "west": "it"}
SYSTEMS = (
    *("lian2019", "cai2020:arousal", "zhou2018:3", "tripathi2018", "tu2019"),
    *("wang2020", "latif2022", "lu2024", "li2021"),
)
"""`CONFIG` or `CONFIG:VARIANT` of every system of the README's table."""


def load_config(name: str, variant: str = "") -> ConfigDict:
    """`configs/NAME.py:VARIANT`, also as one word."""
    name, variant = name.split(":") if ":" in name else (name, variant)
    spec = importlib.util.spec_from_file_location(name, CONFIGS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(*([variant] if variant else []))


def utterances(speakers: int = 2, repeats: int = 2) -> Corpus:
    """Every speaker of two corpora says every emotion so many times."""
    rows = [
        {
            "utt_id": f"{corpus}{speaker}{emotion}{repeat}",
            "speaker": f"{corpus}{speaker}",
            "emotion": emotion,
            "corpus": corpus,
            "language": CORPORA[corpus],
        }
        for corpus, speaker, emotion, repeat in itertools.product(
            CORPORA, range(speakers), EMOTIONS, range(repeats)
        )
    ]
    values = np.random.default_rng(0).normal(size=(len(rows), 5))
    return Corpus(
        name="toy",
        columns={name: np.array([row[name] for row in rows]) for name in rows[0]},
        features={"functionals": values.astype(np.float32)},
        present={"functionals": np.ones(len(rows), bool)},
    )


def everything() -> Corpus:
    """Rows that have whatever any system asks for."""
    corpora = {"ased": "am", "emodb": "de", "emovo": "it", "ravdess": "en"}
    people = itertools.product({**corpora, "urdu": "ur"}.items(), range(4))
    rows = [
        {
            "speaker": f"{corpus}{who}",
            "corpus": corpus,
            "language": language,
            "accent": language,
            "session": str(who),
            "emotion": emotion,
            "digit": str((number + 3 * who) % 10),
            "style": "script" if number // 4 == 1 else "impro",
        }
        for ((corpus, language), who) in people
        for number, emotion in enumerate((*EMOTIONS, *EMOTIONS, *EMOTIONS))
    ]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    columns["utt_id"] = np.arange(len(rows)).astype(str)
    rng = np.random.default_rng(0)
    features = {
        name: rng.normal(size=(len(rows), 3)).astype(np.float32)
        for name in ("functionals", "acoustic", "lexical")
    }
    for name in ("logmel", "waveform"):
        features[name] = rng.normal(size=(2 * len(rows), 8)).astype(np.float32)
        features[f"{name}_lengths"] = np.full(len(rows), 2)
    return Corpus("everything", columns, features, {})


@pytest.fixture(scope="module")
def read_once() -> Iterator[None]:
    """A table that many configs of a module are built on is read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_read", functools.cache(reading._read))
        yield


def tiny(config: ConfigDict, source: object, **changes: object) -> ConfigDict:
    """The config on another corpus, small, at full strength and without noise."""
    config = config.copy_and_resolve_references()
    config.unlock()
    config.strength = ConfigDict({"name": "constant"})
    config.update_from_flattened_dict(
        {
            "data.source": str(source),
            "seeds": 1,
            "batches.num_buckets": 1,
            "encoder.width": 4,
            "encoder.dropout": 0.0,
            "heads.domain_hidden": (),
            "heads.head_dropout": 0.0,
            "optimizer.schedule": "constant",
            "optimizer.weight_decay": 0.0,
            "timetable.epochs": 2,
            # A program of its own to compile, of which no test of these speaks.
            "timetable.gradients_every": 0,
            **changes,
        }
    )
    return config.lock()


class Run(NamedTuple):
    """A program and its states before each step and after the last."""

    layout: ReplicaLayout
    program: Program
    timetable: Timetable
    states: list[TrainState]
    metrics: list[dict]

    def moved(self, part: str, step: int = 0) -> dict[str, np.ndarray]:
        """Arm -> what a step changed in a top-level parameter, of every group."""
        before, after = (self.states[k].params[part] for k in (step, step + 1))
        changes = jax.tree.map(
            lambda a, b: np.asarray(b) - np.asarray(a), before, after
        )
        flat = [leaf.reshape(*leaf.shape[:2], -1) for leaf in jax.tree.leaves(changes)]
        joined = np.concatenate(flat, -1)
        return {arm: joined[:, k] for k, arm in enumerate(self.layout.arms)}


def take_steps(config: ConfigDict, steps: int = 1) -> Run:
    """Train for so many steps on one device; every state is kept."""
    task, layout = build_task_and_layout(config)
    layout = dataclasses.replace(layout, mesh=make_mesh(1))
    plan = task.plan(task.protocol.visible())
    timetable = Timetable(plan.steps_per_epoch, **config.timetable)
    program = compiled(config, task, layout, timetable)
    batch = BatchLoader(task.training, plan, layout, shuffle=True).batch
    state, strength = (
        program.initial_state(batch(0)),
        layout.put(layout.peak_strength()),
    )
    # A step may reuse the memory of the state that it is given.
    states, logged = [jax.device_get(without_key(state))], []
    for step in range(steps):
        state, metrics = program.train_step(state, layout.put(batch(step)), strength)
        states.append(jax.device_get(without_key(state)))
        logged.append(jax.device_get(metrics))
    return Run(layout, program, timetable, states, logged)


def without_key(state: TrainState) -> TrainState:
    """What can be fetched from the device as plain arrays."""
    return state.replace(key=None)
