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
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import contestants
from benchmarks.contestants import World
from benchmarks.timing import table
from benchmarks.work import Work, work_of
from dann_jax.training.batch_loader import BatchLoader


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
      batch_bytes: of a group's batch, features included.
      index_bytes: of it without them: what the host sends where the features are kept
        on the device.
      logit_bytes: of the outputs that the objective of a model uses.
      state_bytes: of a model: parameters, averages, the best ones and moments.
      gradient_bytes: of a model.
      scratch_bytes: of a model's step, as compiled.
      index_s: seconds in which one core of a host indexes the batch of one group.
    """

    work: Work
    models: int
    groups: int
    batch_bytes: float
    index_bytes: float
    logit_bytes: float
    state_bytes: float
    gradient_bytes: float
    scratch_bytes: float
    index_s: float


def bounds(load: Load, machine: Machine) -> dict[str, float]:
    """Seconds that a step takes at least, by what bounds it.

    Groups are spread over chips, all models of one on the same. They talk to each other
    only where there are more chips than groups: then several chips share the batches of
    a group, and its models' gradients are reduced.

    Example:
      >>> load = Load(Work(1e9, 1e6, 100), 8, 4, 1e6, 1e5, 1e4, 1e6, 1e5, 1e6, 1e-3)
      >>> found = bounds(load, Machine(4, 1, 1e12, 1e9, 1e11, 1e10, 1e9, 1e-5))
      >>> {name: round(seconds, 6) for name, seconds in found.items()}
      ... # doctest: +NORMALIZE_WHITESPACE
      {'compute': 0.002, 'memory': 6e-05, 'recurrence': 0.001, 'transfer': 0.0001,
       'assembly': 0.004, 'network': 0.0}
    """
    arms = load.models / load.groups
    parts = max(1, machine.chips // load.groups)
    groups = math.ceil(load.groups / machine.chips)
    models = groups * arms
    sent = 2 * load.gradient_bytes + load.logit_bytes
    return {
        "compute": models * load.work.flops / parts / machine.flops,
        "memory": models
        * (load.work.bytes / parts + 2 * load.state_bytes)
        / machine.memory_rate,
        # The models of a chip go through their loops together.
        "recurrence": load.work.turns * machine.turn_s,
        "transfer": groups * load.index_bytes / machine.host_rate,
        "assembly": math.ceil(load.groups / machine.hosts) * load.index_s,
        "network": models * (parts - 1) / parts * sent / (machine.link_rate / 2),
    }


def most_models(load: Load, memory: float) -> int:
    """How many models, side by side, fit into so many bytes.

    Example:
      >>> load = Load(Work(1, 1, 1), 8, 4, 1e6, 1e5, 1e4, 1e6, 1e5, 2e6, 1e-3)
      >>> most_models(load, 16e9)
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
    strength = layout.peak_strength()
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
    loader = BatchLoader(world.task.training, world.plan, whole, shuffle=False)
    index = loader.index_batch(0)
    outputs = jax.eval_shape(program.evaluate, state.params, longest)
    return Load(
        work=Work(*np.mean([counted[shape] for shape in epoch], axis=0)),
        models=2 * groups,
        groups=groups,
        batch_bytes=float(np.mean([_bytes(examples[shape]) for shape in epoch])),
        index_bytes=_bytes(index) / groups,
        logit_bytes=_bytes((outputs.label_logits, outputs.domain_logits)),
        state_bytes=_bytes(state),
        gradient_bytes=_bytes(state.params),
        scratch_bytes=float(scratch),
        index_s=_processor_seconds(loader.index_batch) / groups,
    )


def _processor_seconds(make: Callable[[int], object], times: int = 10) -> float:
    """Of one core, whatever else the machine does."""
    began = time.process_time()
    for step in range(times):
        make(step)
    return (time.process_time() - began) / times


def _bytes(tree: object) -> float:
    return float(
        sum(
            leaf.size * leaf.dtype.itemsize
            for leaf in jax.tree.leaves(tree)
            if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        )
    )


def bounds_table(load: Load, found: dict[str, dict[str, float]]) -> str:
    """Milliseconds of every bound on every machine, and what fits."""
    rows = [
        [
            name,
            *(1e3 * seconds for seconds in times.values()),
            max(times, key=times.__getitem__),
            most_models(load, MACHINES[name].memory) * MACHINES[name].chips,
        ]
        for name, times in found.items()
    ]
    names = next(iter(found.values()))
    words = [
        f"ms a step of {load.models} models",
        *names,
        "bound by",
        "models that fit",
    ]
    return table(words, rows)


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
    loads = {
        "whole": load,
        "one": dataclasses.replace(load, models=2, groups=1),
    }
    found = {
        word: {name: bounds(one, machine) for name, machine in MACHINES.items()}
        for word, one in loads.items()
    }
    print(
        f"One model's step: {load.work.flops:.3g} FLOPs and {load.work.bytes:.3g} "
        f"bytes in matrix products, {load.work.turns:.0f} turns of loops; a batch "
        f"{load.batch_bytes:.3g} bytes, {load.index_bytes:.3g} without features; a "
        f"model's state {load.state_bytes:.3g}, its gradient "
        f"{load.gradient_bytes:.3g}, its logits {load.logit_bytes:.3g}, its step's "
        f"scratch {load.scratch_bytes:.3g}. An index takes "
        f"{1e3 * load.index_s:.3g} ms.\n"
    )
    for word, one in loads.items():
        print(bounds_table(one, found[word]), end="\n\n")
    if options.output:
        result = {"load": dataclasses.asdict(load), "bounds": found}
        pathlib.Path(options.output).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
