"""What larger machines would give, from counted work and published peak numbers.

    python -m benchmarks.scaling --source=DIR

The least time that a step of the whole experiment takes on each machine, by what
bounds it. Nobody reaches peak numbers, so times are lower bounds, and the point is
which of them is the highest: that is what to work on next.
"""

import argparse
import dataclasses
import json
import math
import pathlib

import jax
import numpy as np

from benchmarks import contestants
from benchmarks.contestants import World
from benchmarks.timing import measured, table
from benchmarks.work import Work, work_of
from dann_jax.training.feed import Feed
from dann_jax.training.predict import make_batch


@dataclasses.dataclass(frozen=True)
class Machine:
    """Published numbers of a chip and how many there are.

    Attributes:
      chips: of the machine.
      hosts: computers they are attached to.
      flops: of a chip in a second, matrix products as JAX does float32 by default
        (bfloat16 passes on TPU, TF32 on GPU).
      memory: bytes of a chip.
      memory_rate: bytes a second.
      link_rate: bytes a second between chips, both directions together.
      host_rate: bytes a second from a host to one chip. For TPUs an assumption: PCI
        Express 3 with 16 lanes.
      turn_s: of one iteration of a loop. An assumption, to be replaced by what is
        measured: a few kernels on a GPU, none on a TPU.
    """

    chips: int
    hosts: int
    flops: float
    memory: float
    memory_rate: float
    link_rate: float
    host_rate: float
    turn_s: float


MACHINES = {
    # https://cloud.google.com/tpu/docs/v5e; v5litepod-8 has 8 chips on one host.
    "v5e-8": Machine(8, 1, 197e12, 16e9, 819e9, 400e9, 16e9, 2e-6),
    # https://cloud.google.com/tpu/docs/v5p; v5p-64 is 64 cores on 32 chips.
    "v5p-64": Machine(32, 8, 459e12, 95 * 2**30, 2765e9, 1200e9, 16e9, 2e-6),
    # NVIDIA H100 data sheet, SXM, dense; PCI Express 5 with 16 lanes, one direction.
    "8 x H100": Machine(8, 1, 494.7e12, 80e9, 3350e9, 900e9, 64e9, 20e-6),
}


@dataclasses.dataclass(frozen=True)
class Load:
    """A step of the whole experiment.

    Attributes:
      work: of one model's step.
      models: in the experiment.
      groups: of models that share a batch.
      batch_bytes: of a group's batch, on the device.
      outline_bytes: of what a host makes and sends of it.
      state_bytes: of a model: parameters, averages, the best ones and moments.
      gradient_bytes: of a model.
      scratch_bytes: of a model's step, as compiled.
      assembled: bytes of outlines that one host makes in a second.
    """

    work: Work
    models: int
    groups: int
    batch_bytes: float
    outline_bytes: float
    state_bytes: float
    gradient_bytes: float
    scratch_bytes: float
    assembled: float


def bounds(load: Load, machine: Machine) -> dict[str, float]:
    """Seconds that a step takes at least, by what bounds it.

    Models are spread over chips. They talk to each other only where a chip would have
    less than one: then a model's batch is divided, and its gradients are reduced.

    Example:
      >>> load = Load(Work(1e9, 1e6, 100), 8, 8, 1e6, 1e6, 1e6, 1e5, 1e6, 1e9)
      >>> found = bounds(load, Machine(4, 1, 1e12, 1e9, 1e11, 1e10, 1e9, 1e-5))
      >>> {name: round(seconds, 6) for name, seconds in found.items()}
      ... # doctest: +NORMALIZE_WHITESPACE
      {'compute': 0.002, 'memory': 6e-05, 'recurrence': 0.001, 'transfer': 0.002,
       'assembly': 0.008, 'network': 0.0}
    """
    models = math.ceil(load.models / machine.chips)
    groups = math.ceil(load.groups / machine.chips)
    shards = max(1, machine.chips // load.models)
    reduced = 2 * (shards - 1) / shards * load.gradient_bytes
    state = 2 * load.state_bytes
    return {
        "compute": models * load.work.flops / shards / machine.flops,
        "memory": models * (load.work.bytes / shards + state) / machine.memory_rate,
        # The models of a chip go through their loops together.
        "recurrence": load.work.turns * machine.turn_s,
        "transfer": groups * load.outline_bytes / shards / machine.host_rate,
        "assembly": load.groups * load.outline_bytes / machine.hosts / load.assembled,
        "network": reduced / (machine.link_rate / 2),
    }


def most_models(load: Load, memory: float) -> int:
    """How many models, side by side, fit into so many bytes.

    Example:
      >>> most_models(Load(Work(1, 1, 1), 8, 4, 1e6, 1e6, 1e6, 1e5, 2e6, 1e9), 16e9)
      4571
    """
    shared = load.batch_bytes * load.groups / load.models
    return int(memory / (load.state_bytes + load.scratch_bytes + shared))


def load_of(world: World) -> Load:
    """Count the main system's step, as a mean over the batches of an epoch."""
    layout = contestants.layout_of(world, 1)
    examples = {
        batch.row.shape: batch
        for batch in contestants.batches_of(world, layout, world.plan.steps_per_epoch)
    }
    first = next(iter(examples.values()))
    program = contestants.compiled(world.config, world.task, layout, world.timetable)
    state = program.initial_state(first)
    strength = layout.strength()
    counted = {
        shape: work_of(program.train_step, state, batch, strength)
        for shape, batch in examples.items()
    }
    size, buckets = world.task.batch_size, world.plan.buckets
    epoch = [(1, size, buckets[bucket]) for bucket, _ in world.plan.shapes()]
    longest = examples[max(examples)]
    memory = program.train_step.lower(state, longest, strength).compile()
    scratch = memory.memory_analysis().temp_size_in_bytes
    groups = len(world.task.protocol.folds) * world.config.seeds
    whole = contestants.layout_of(world, 2 * groups)
    feed = Feed(world.task.training, whole)
    outlines = [
        make_batch(world.plan, feed.outline, whole, step, shuffle=False)
        for step in range(world.plan.steps_per_epoch)
    ]
    seconds = measured(
        lambda: make_batch(world.plan, feed.outline, whole, 0, shuffle=False)
    )
    return Load(
        work=Work(*np.mean([counted[shape] for shape in epoch], axis=0)),
        models=2 * groups,
        groups=groups,
        batch_bytes=float(np.mean([_bytes(examples[shape]) for shape in epoch])),
        outline_bytes=float(np.mean([_bytes(one) for one in outlines])) / groups,
        state_bytes=_bytes(state),
        gradient_bytes=_bytes(state.params),
        scratch_bytes=float(scratch),
        assembled=_bytes(outlines[0]) / seconds,
    )


def _bytes(tree: object) -> float:
    return float(
        sum(
            leaf.size * leaf.dtype.itemsize
            for leaf in jax.tree.leaves(tree)
            if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        )
    )


def main() -> None:
    """Count, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", default="synthetic", help="feature table")
    parser.add_argument("--output", default="", help="where to write JSON")
    options = parser.parse_args()
    load = load_of(contestants.open_world(options.source))
    found = {name: bounds(load, machine) for name, machine in MACHINES.items()}
    print(
        f"One model's step: {load.work.flops:.3g} FLOPs and {load.work.bytes:.3g} "
        f"bytes in matrix products, {load.work.turns:.0f} turns of loops; a batch "
        f"{load.batch_bytes:.3g} bytes, of them {load.outline_bytes:.3g} from the "
        f"host, a model's state {load.state_bytes:.3g}, its "
        f"step's scratch {load.scratch_bytes:.3g}. One host makes "
        f"{load.assembled:.3g} bytes of them a second.\n"
    )
    rows = [
        [
            name,
            *(1e3 * seconds for seconds in times.values()),
            max(times, key=times.__getitem__),
            most_models(load, MACHINES[name].memory) * MACHINES[name].chips,
        ]
        for name, times in found.items()
    ]
    parts = next(iter(found.values()))
    header = [
        f"ms a step of {load.models} models",
        *parts,
        "bound by",
        "models that fit",
    ]
    print(table(header, rows))
    if options.output:
        result = {"load": dataclasses.asdict(load), "bounds": found}
        pathlib.Path(options.output).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
