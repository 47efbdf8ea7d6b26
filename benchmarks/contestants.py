"""What is timed: the main system's train step, in three ways, on the same arrays.

Batches are prepared before the clock starts, for PyTorch as tensors, so that no data
loader is measured; here as indices, so that gathering features on the device is.
`speed.py` measures the input on its own.
"""

import dataclasses
import importlib.util
import pathlib
from collections.abc import Callable, Sequence

import jax
from ml_collections import ConfigDict

from dann_jax.experiment.build import build_network, build_task_and_layout, compiled
from dann_jax.models.network import initialise
from dann_jax.tasks.plan import Plan
from dann_jax.tasks.task import Task
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.program import Program
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.state import TrainState
from dann_jax.training.timetable import Timetable
from dann_jax.types import Batch

CONFIG = pathlib.Path(__file__).parents[1] / "configs" / "lian2019.py"
ADVERSARY = "speaker"


@dataclasses.dataclass(frozen=True)
class World:
    """The main system's config on a corpus.

    Attributes:
      config: `configs/lian2019.py`.
      task: corpus and roles.
      plan: the training batches of an epoch.
    """

    config: ConfigDict
    task: Task
    plan: Plan

    @property
    def timetable(self) -> Timetable:
        return Timetable(self.plan.steps_per_epoch, **self.config.timetable)


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One round of train steps as a function that returns when they are done.

    Attributes:
      name: for the table.
      run: trains `model_steps` steps, counted over all models.
      model_steps: so many.
      utterances: visible turns in them, counted for every model.
    """

    name: str
    run: Callable[[], None]
    model_steps: int
    utterances: int


def open_world(source: str) -> World:
    """The main system on a feature table, or on the embedded corpus for `synthetic`."""
    spec = importlib.util.spec_from_file_location("lian2019", CONFIG)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    config.data.source = source
    if source == "synthetic":
        config.data.modalities = ()
    return world_of(config)


def world_of(config: ConfigDict) -> World:
    """The world of a config that has the main system's adversary and arms."""
    task, _ = build_task_and_layout(config)
    return World(config, task, task.plan(task.protocol.visible()))


def layout_of(world: World, replicas: int) -> ReplicaLayout:
    """So many models: both arms of half as many groups, or one arm if it is odd.

    Groups are whole sets of folds where the number allows it, else seeds of one fold.
    """
    peak = world.config.arms.dann[ADVERSARY]
    arms = {"source_only": {ADVERSARY: 0.0}, "dann": {ADVERSARY: peak}}
    if replicas % 2:
        del arms["source_only"]
    groups, folds = replicas // len(arms), world.task.protocol.folds
    if groups % len(folds):
        folds = folds[:1]
    mesh = make_mesh(min(groups, jax.device_count()))
    return ReplicaLayout(folds, range(groups // len(folds)), arms, mesh)


def batches_of(world: World, layout: ReplicaLayout, steps: int) -> list[Batch]:
    """The first batches of a run, `[groups, ...]`, on the host."""
    loader = loader_of(world, layout)
    return [jax.device_get(loader.batch(step)) for step in range(steps)]


def loader_of(world: World, layout: ReplicaLayout) -> BatchLoader:
    """What makes batches, as in a run."""
    return BatchLoader(world.task.training, world.plan, layout, shuffle=True)


def start(
    world: World, layout: ReplicaLayout, batches: Sequence[Batch]
) -> tuple[Program, TrainState]:
    """The compiled program of a layout and its first state."""
    program = compiled(world.config, world.task, layout, world.timetable)
    return program, program.initial_state(batches[0])


def replicated(world: World, replicas: int, steps: int) -> Contestant:
    """This package: all models in one program."""
    layout = layout_of(world, replicas)
    loader = loader_of(world, layout)
    indices = [loader.index_batch(step) for step in range(steps)]
    return Contestant(
        name=f"{replicas} models in one program" if replicas > 1 else "one model",
        run=_runner(world, layout, loader, indices),
        model_steps=steps * replicas,
        utterances=_utterances(indices, layout.num_groups) * len(layout.arms),
    )


def jax_loop(world: World, steps: int) -> Contestant:
    """The second peer: one model in a plain JAX program; the others would follow."""
    return dataclasses.replace(
        replicated(world, 1, steps), name="JAX, one model after another"
    )


def torch_loop(world: World, steps: int, threads: int) -> Contestant:
    """The first peer: one model in PyTorch; the others would follow."""
    import torch

    from benchmarks import torch_peer

    layout = layout_of(world, 1)
    batches = batches_of(world, layout, steps)
    first = jax.tree.map(lambda leaf: leaf[0], batches[0])
    module = build_network(world.config, world.task)
    params = jax.eval_shape(lambda: initialise(module, first, jax.random.key(0)))
    encoder, optimizer = world.config.encoder, world.config.optimizer
    sizes = torch_peer.sizes_of(
        params,
        own_heads=encoder.own_heads,
        dropout=encoder.dropout,
        head_dropout=world.config.heads.head_dropout,
    )
    peer = torch_peer.TorchPeer(sizes)
    step = torch_peer.make_step(
        peer,
        learning_rate=optimizer.learning_rate,
        weight_decay=optimizer.weight_decay,
        average_decay=world.config.average_decay,
        total_steps=world.timetable.steps_per_epoch * world.timetable.epochs,
    )
    tensors = [
        torch_peer.to_torch(jax.tree.map(lambda leaf: leaf[0], batch))
        for batch in batches
    ]

    def run() -> None:
        torch.set_num_threads(threads)
        for batch in tensors:
            loss = step(batch, world.config.arms.dann[ADVERSARY])
        loss.item()

    return Contestant(
        name=f"PyTorch {torch.__version__}, {threads} threads",
        run=run,
        model_steps=steps,
        utterances=_utterances(batches, layout.num_groups),
    )


def _runner(
    world: World, layout: ReplicaLayout, loader: BatchLoader, indices: Sequence[Batch]
) -> Callable[[], None]:
    program, state = start(world, layout, [loader.gather_features(indices[0])])
    strength = layout.put(layout.peak_strength())

    def run() -> None:
        nonlocal state
        for index in indices:
            batch = loader.gather_features(index)
            state, metrics = program.train_step(state, batch, strength)
        jax.block_until_ready((state, metrics))

    return run


def _utterances(batches: Sequence[Batch], groups: int) -> int:
    return int(sum(batch.visible[:groups].sum() for batch in batches))
