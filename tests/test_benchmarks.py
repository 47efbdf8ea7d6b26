"""What the benchmarks compute from what they measure; no clock is tested."""

import argparse
import ast
import importlib.util
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processes import ROOT
from runs import tiny_config, tiny_corpus, write_table

from benchmarks.contestants import Contestant, World, layout_of, world_of
from benchmarks.run_all import commands
from benchmarks.scaling import (
    MACHINES,
    Load,
    Machine,
    bounds,
    load_of,
    most_models,
)
from benchmarks.speed import MODES
from benchmarks.timing import interleave, ratio, table
from benchmarks.work import Work, work_of

LOAD = Load(Work(1e9, 1e6, 100), 8, 4, 1e6, 1e5, 1e4, 1e6, 1e5, 1e6, 1e-3)
MACHINE = Machine(4, 1, 1e12, 1e9, 1e11, 1e10, 1e9, 1e-5)


def test_what_benchmarks_import_of_the_package_is_there() -> None:
    imports = [
        (path.name, node.module, name.name)
        for path in (ROOT / "benchmarks").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dann_jax")
        for name in node.names
    ]
    missing = [
        (path, module, name)
        for path, module, name in imports
        if not hasattr(importlib.import_module(module), name)
        and not importlib.util.find_spec(f"{module}.{name}")
    ]
    assert missing == []


def test_flops_are_those_of_xla_where_there_is_no_loop() -> None:
    def function(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.einsum("bij,bjk->bik", a, b) @ b[0].T

    arguments = jnp.ones((3, 4, 5)), jnp.ones((3, 5, 6))
    cost = jax.jit(function).lower(*arguments).compile().cost_analysis()
    assert work_of(function, *arguments).flops == cost["flops"]


def test_a_loop_counts_as_often_as_it_runs_and_backwards_again() -> None:
    def loss(x: jax.Array, turns: int) -> jax.Array:
        return jax.lax.scan(lambda c, _: (c @ c, None), x, length=turns)[0].sum()

    x = jnp.ones((4, 4))
    once, thrice = (work_of(lambda x, n=n: loss(x, n), x) for n in (1, 3))
    assert once == Work(2 * 4**3, 3 * 16 * 4, 1)
    assert thrice == Work(3 * once.flops, 3 * once.bytes, 3)
    gradient = work_of(jax.grad(lambda x: loss(x, 3)), x)
    assert gradient.flops == 3 * thrice.flops
    assert gradient.turns == 2 * thrice.turns


def test_nested_loops_and_mapped_functions_are_counted() -> None:
    def function(x: jax.Array) -> jax.Array:
        return jax.lax.map(
            lambda y: jax.lax.fori_loop(0, 5, lambda _, c: jax.jit(jnp.dot)(c, c), y), x
        )

    x = jnp.ones((7, 4, 4))
    assert work_of(function, x) == Work(35 * 2 * 4**3, 35 * 3 * 16 * 4, 35)
    assert work_of(lambda x: x + 1, x) == Work(0.0, 0.0, 0)


def test_twice_the_chips_halve_what_chips_do_until_models_are_divided() -> None:
    more = bounds(LOAD, Machine(8, 1, 1e12, 1e9, 1e11, 1e10, 1e9, 1e-5))
    most = bounds(LOAD, Machine(16, 1, 1e12, 1e9, 1e11, 1e10, 1e9, 1e-5))
    found = bounds(LOAD, MACHINE)
    assert more["compute"] == found["compute"] / 2
    assert most["compute"] == more["compute"] / 2
    # From the fifth chip on some share a group.
    assert found["network"] == 0.0 < more["network"] < most["network"]
    assert found["recurrence"] == most["recurrence"]


def test_the_input_depends_on_hosts_and_not_on_chips() -> None:
    two = bounds(LOAD, Machine(4, 2, 1e12, 1e9, 1e11, 1e10, 1e9, 1e-5))
    assert two["assembly"] == bounds(LOAD, MACHINE)["assembly"] / 2


def test_the_models_that_fit_do() -> None:
    count = most_models(LOAD, 16e9)
    need = LOAD.state_bytes + LOAD.scratch_bytes + LOAD.batch_bytes / 2
    assert count * need <= 16e9 < (count + 1) * need


def test_the_machines_are_what_their_names_say() -> None:
    assert {name: machine.chips for name, machine in MACHINES.items()} == {
        "v5e-8": 8,
        "v5p-64": 32,
        "8 x H100": 8,
    }


def test_a_ratio_is_of_paired_rounds() -> None:
    found = ratio([1.0, 10.0, 2.0], [2.0, 40.0, 6.0])
    assert found == {"median": 3.0, "min": 2.0, "max": 4.0}


def test_contestants_alternate_and_late_compilations_are_counted() -> None:
    order: list[str] = []

    def careless() -> None:
        order.append("careless")
        # A new shape every time.
        jax.jit(lambda x: x + 1)(np.zeros(len(order)))

    entries = [
        Contestant("careful", lambda: order.append("careful"), 2, 10),
        Contestant("careless", careless, 2, 10),
    ]
    careful, other = interleave(entries, 2)
    warm = ["careful", "careless"]
    assert order == [*warm, "careful", "careless", "careless", "careful"]
    assert (careful.compilations, careful.late_compilations) == (0, 0)
    assert other.compilations >= 1 and other.late_compilations >= 2
    assert len(careful.seconds) == 2 and careful.utterances_per_s > 0


@pytest.mark.parametrize(
    ("cell", "shown"), [(0.12345, "0.123"), (1234.5, "1,234"), (12.0, "12.0"), (3, "3")]
)
def test_a_table_shows_three_digits(cell: object, shown: str) -> None:
    assert table(["a"], [[cell]]).splitlines()[-1] == f"| {shown} |"


@pytest.fixture(scope="module")
def tiny_table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("table"), tiny_corpus())


def world_with(table: pathlib.Path, **encoder: object) -> World:
    """One batch shape, so that little is compiled."""
    changes = {"batches.num_buckets": 1}
    changes |= {f"encoder.{name}": value for name, value in encoder.items()}
    return world_of(tiny_config(table, changes))


@pytest.fixture(scope="module")
def tiny_world(tiny_table: pathlib.Path) -> World:
    return world_with(tiny_table, dropout=0.0)


@pytest.mark.parametrize("replicas", [1, 2, 3, 6])
def test_a_layout_has_as_many_models_as_asked_for(
    replicas: int, tiny_world: World
) -> None:
    layout = layout_of(tiny_world, replicas)
    # No device trains a filler that would count as time and not as work.
    assert len(layout.fold_of) == layout.num_groups
    assert layout.num_groups * len(layout.arms) == replicas


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["replicas", "parts"])
def test_a_mode_measures_and_compiles_nothing_while_the_clock_runs(
    mode: str, tiny_table: pathlib.Path
) -> None:
    # `torch_peer_agreement.py` has the races against PyTorch.
    world = world_with(tiny_table, context=False, dropout=0.0)
    options = argparse.Namespace(steps=1, rounds=1, threads="1", replicas="1,2")
    measured = MODES[mode](world, options)
    assert all(len(row) == len(measured["header"]) for row in measured["rows"])
    assert all(entry["late_compilations"] == 0 for entry in measured.get("timed", ()))


def test_one_command_runs_every_mode_on_the_same_cores() -> None:
    options = argparse.Namespace(
        source="S", audio="A", cores="0,1", rounds=3, threads="1"
    )
    found = [" ".join(command) for command in commands(options).values()]
    for mode in MODES:
        (one,) = [command for command in found if f"--mode={mode} " in command]
        assert "--source=S" in one and "--cores=0,1" in one
    assert found[-1].endswith("benchmarks.extraction --source=A")


@pytest.mark.slow
def test_the_work_of_the_main_system_is_counted(tiny_world: World) -> None:
    load = load_of(tiny_world)
    folds = len(tiny_world.task.protocol.folds)
    assert load.models == 2 * load.groups == 2 * folds * tiny_world.config.seeds
    # Parameters, their average, the best ones and two moments.
    assert load.state_bytes > 5 * load.gradient_bytes
    # Forwards and backwards through the longest dialogue at most.
    assert 0 < load.work.turns <= 2 * tiny_world.plan.buckets[-1]
    assert load.work.flops > 0 and load.index_s > 0
