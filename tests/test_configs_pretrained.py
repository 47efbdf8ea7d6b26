"""Systems whose configs take features of a pretrained encoder as they come."""

import dataclasses
import pathlib

import jax
import pytest
from config_steps import everything, load_config, tiny
from layered_corpus import layered, layered_frames, write_layered

from dann_jax.experiment.build import build_network, build_task_and_layout, compiled
from dann_jax.models.network import initialise
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.timetable import Timetable

SYSTEMS = {
    "speakers:emodb": {},
    "cai2020:emotion": {},
    "zhou2018:3": {},
    "wang2020": {},
    # These name their features; the flag names others.
    "lu2024:emodb": {"data.modalities": ("pretrained",)},
    "latif2022": {"data.modalities": ("pretrained",)},
    "tu2019:emodb": {"data.modalities": ("pretrained",)},
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, pathlib.Path]:
    """Whether there are frames -> a table with two layers."""
    corpus = dataclasses.replace(everything(), features={})
    folder = tmp_path_factory.mktemp("tables")
    return {
        framewise: write_layered(folder / str(framewise), make(corpus, (2, 3)))
        for framewise, make in ((False, layered), (True, layered_frames))
    }


@pytest.mark.slow
@pytest.mark.parametrize("layers", [(), (3,)])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_takes_one_layer_or_mixes_several(
    tables: dict[bool, pathlib.Path], system: str, layers: tuple[int, ...]
) -> None:
    source = tables[system.startswith("tu2019")]
    changes = SYSTEMS[system] | {"data.layers": layers}
    config = tiny(load_config(system), source, **changes)
    task, layout = build_task_and_layout(config)
    compiled(config, task, layout, Timetable(1, **config.timetable))
    plan = task.plan(task.protocol.visible())
    batch = BatchLoader(task.training, plan, layout, shuffle=True).batch(0)
    one = jax.tree.map(lambda leaf: leaf[0], batch)
    network, key = build_network(config, task), jax.random.key(0)
    shapes = jax.eval_shape(lambda: initialise(network, one, key))
    mixed = [name for name in shapes["encoder"] if name.startswith("layers_")]
    assert mixed == ([] if layers else ["layers_pretrained"])
