"""How fast the main system trains, beside its PyTorch peer and a plain JAX loop.

    python -m benchmarks.speed --mode=one --source=DIR --output=speed.json

Modes:
  one         one model: this package against PyTorch
  experiment  folds x 5 seeds x 2 arms in one program, against PyTorch and a JAX loop
              that train them one after the other; seconds are of one model's step
  replicas    utterances a second as the number of models grows
  parts       where the time goes, and the share of it that waits for input
  first_step  from the start of a process to its first step; cache cold and warm

Contestants run in turn, round by round, on the same cores and the same arrays, which
are prepared before. A ratio is of paired rounds; absolute times are of this machine.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import jax

from benchmarks import contestants, parts, timing
from benchmarks.contestants import World


def one(world: World, options: argparse.Namespace) -> dict[str, Any]:
    """One model alone, against PyTorch with every number of threads."""
    return _race(
        [
            contestants.replicated(world, 1, options.steps),
            *_torch(world, options),
        ],
        options.rounds,
    )


def experiment(world: World, options: argparse.Namespace) -> dict[str, Any]:
    """The whole experiment in one program, against models one after another."""
    models = 2 * len(world.task.protocol.folds) * world.config.seeds
    return _race(
        [
            contestants.replicated(world, models, options.steps),
            *_torch(world, options),
            contestants.jax_loop(world, options.steps),
        ],
        options.rounds,
    )


def replicas(world: World, options: argparse.Namespace) -> dict[str, Any]:
    """Cost of a model's step as the number of models in the program grows."""
    counts = [int(count) for count in options.replicas.split(",")]
    timed = timing.interleave(
        [contestants.replicated(world, count, options.steps) for count in counts],
        options.rounds,
    )
    rows = [
        [
            count,
            entry.utterances_per_s,
            *_spread(entry.seconds),
            _spread(entry.cpu)[0],
            entry.compilations,
        ]
        for count, entry in zip(counts, timed, strict=True)
    ]
    header = [
        "models", "utterances/s", "s a model's step", "range", "core s a model's step",
        "compiled",
    ]  # fmt: skip
    return {"header": header, "rows": rows, "timed": [vars(entry) for entry in timed]}


def split(world: World, options: argparse.Namespace) -> dict[str, Any]:
    """The parts of a run, and what waits for input, for the largest of --replicas."""
    count = int(options.replicas.split(",")[-1])
    seconds = parts.parts(world, count, options.steps)
    loop = parts.waiting(world, count, options.steps)
    rows = [*seconds.items(), ("share of a running loop that waits", loop["share"])]
    header = [f"{count} models", "s"]
    return {"header": header, "rows": rows, "parts": seconds, "waiting": loop}


def first_step(world: World, options: argparse.Namespace) -> dict[str, Any]:
    """New processes: one with an empty compilation cache, others with what it left."""
    del world
    command = [
        *(sys.executable, "-m", "benchmarks.first_step"),
        *("--config=lian2019", f"--config.data.source={options.source}"),
    ]
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": cache}
        cold, *warm = (
            json.loads(
                subprocess.run(
                    command,
                    env=environment,
                    check=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                ).stdout
            )
            for _ in range(1 + options.rounds)
        )
    rows = [(part, cold[part], *_spread([run[part] for run in warm])) for part in cold]
    header = ["seconds", "cold", f"warm, median of {options.rounds}", "range"]
    return {"header": header, "rows": rows, "cold": cold, "warm": warm}


MODES: Mapping[str, Callable[[World, argparse.Namespace], dict[str, Any]]] = {
    "one": one,
    "experiment": experiment,
    "replicas": replicas,
    "parts": split,
    "first_step": first_step,
}


def _torch(world: World, options: argparse.Namespace) -> list[contestants.Contestant]:
    return [
        contestants.torch_loop(world, options.steps, int(threads))
        for threads in options.threads.split(",")
    ]


def _race(entries: list[contestants.Contestant], rounds: int) -> dict[str, Any]:
    ours, *others = timed = timing.interleave(entries, rounds)
    ratios = {other.name: timing.ratio(ours.seconds, other.seconds) for other in others}
    of_cores = {other.name: timing.ratio(ours.cpu, other.cpu) for other in others}
    rows = [
        [
            entry.name,
            *_spread(entry.seconds),
            entry.utterances_per_s,
            _shown(ratios.get(entry.name)),
            _spread(entry.cpu)[0],
            _shown(of_cores.get(entry.name)),
            f"{entry.compilations} + {entry.late_compilations}",
        ]
        for entry in timed
    ]
    header = [
        "system", "s a model's step", "range", "utterances/s",
        "ours is so many times as fast", "core s a model's step",
        "ours takes so many times less of them", "compiled before + during",
    ]  # fmt: skip
    return {
        "header": header,
        "rows": rows,
        "ratios": ratios,
        "timed": [vars(entry) for entry in timed],
    }


def _shown(found: Mapping[str, float] | None) -> str:
    return "{median:.2f} ({min:.2f} to {max:.2f})".format(**found) if found else ""


def _spread(seconds: list[float]) -> tuple[float, str]:
    middle = sorted(seconds)[len(seconds) // 2]
    return middle, f"{min(seconds):.3g} to {max(seconds):.3g}"


def _where(cores: set[int]) -> dict[str, Any]:
    packages = ("jax", "jaxlib", "flax", "optax", "torch", "numpy")
    return {
        "date": datetime.date.today().isoformat(),
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "cores": sorted(cores),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--mode", choices=MODES, required=True)
    add("--source", default="synthetic", help="feature table; default: embedded")
    add("--rounds", type=int, default=5, help="paired measurements")
    add("--steps", type=int, default=0, help="of a model in a round; 0: an epoch")
    add("--replicas", default="1,2,5,10,25,50", help="numbers of models")
    add("--threads", default="1,2", help="of PyTorch: each is a contestant")
    add("--cores", default="", help="such as 0,1; default: those of this process")
    add("--devices", type=int, default=0, help="split the CPU; 0: one a core")
    add("--output", default="", help="where to write JSON")
    return parser.parse_args()


def main() -> None:
    """Pin, measure, print and write."""
    options = _options()
    cores = {int(core) for core in options.cores.split(",") if core}
    cores = cores or os.sched_getaffinity(0)
    # Before any thread is started: they inherit it.
    os.sched_setaffinity(0, cores)
    jax.config.update("jax_num_cpu_devices", options.devices or len(cores))
    world = contestants.open_world(options.source)
    options.steps = options.steps or world.plan.steps_per_epoch
    where = _where(cores)
    measured = MODES[options.mode](world, options)
    versions = {"python": where["python"], **where["versions"]}
    print(
        f"`{options.mode}` on {where['device']}, cores {where['cores']}, load "
        f"{where['load']:.1f} at the start, {where['date']}; "
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}\n"
    )
    print(timing.table(measured["header"], measured["rows"]))
    if options.output:
        result = {"options": vars(options), "where": where, **measured}
        pathlib.Path(options.output).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
