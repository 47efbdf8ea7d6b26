"""Every config names what there is: its sections fit the constructors they mirror."""

import importlib.util
import pathlib
from types import ModuleType

import numpy as np
import pytest
from ml_collections import ConfigDict

from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.tasks.roles import Role
from dann_jax.training.timetable import Timetable

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CONFIGS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def iemocap(shared_data: pathlib.Path, variant: str = "") -> ConfigDict:
    config = load("lian2019").get_config(variant)
    config.data.source = str(shared_data / "iemocap")
    config.seeds = 1
    return config


def test_every_config_is_locked() -> None:
    names = {path.stem for path in CONFIGS.glob("*.py")}
    assert {"voices", "synthetic", "lian2019", "speakers"} <= names
    for name in names:
        config = load(name).get_config()
        assert config.is_locked
        with pytest.raises(AttributeError):
            config.nonsense = 1


def test_the_embedded_default_builds_its_task_and_its_program() -> None:
    config = load("synthetic").get_config()
    task, layout = build_task_and_layout(config)
    compiled(config, task, layout, Timetable(1, **config.timetable))
    assert next(iter(layout.arms)) == "source_only"


@pytest.mark.parametrize("variant", ["", "ablation"])
def test_the_main_system_builds_on_real_iemocap(
    shared_data: pathlib.Path, variant: str
) -> None:
    config = iemocap(shared_data, variant)
    task, layout = build_task_and_layout(config)
    compiled(config, task, layout, Timetable(1, **config.timetable))
    roles = task.protocol.roles
    assert task.protocol.folds == tuple(f"session {n}" for n in range(1, 6))
    tested = (roles == Role.TEST).sum(1)
    np.testing.assert_array_equal(tested, [1085, 1023, 1151, 1031, 1241])
    assert (roles[4] == Role.LABELLED).sum() == 4290
    assert all(set(arm) == set(task.num_domains) for arm in layout.arms.values())


def test_the_adversary_over_training_speakers_never_sees_a_tested_one(
    shared_data: pathlib.Path,
) -> None:
    task, _ = build_task_and_layout(iemocap(shared_data, "ablation"))
    domain = task.training.domain
    tested = task.protocol.roles == Role.TEST
    assert (domain["every_speaker"][tested] >= 0).all()
    for name in ("training_speakers", "labelled_rows_only"):
        assert (domain[name][task.protocol.test_side] == -1).all()
    labelled = task.protocol.roles == Role.LABELLED
    np.testing.assert_array_equal(domain["labelled_rows_only"] >= 0, labelled)


def test_an_unknown_variant_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="ablation, strengths"):
        load("lian2019").get_config("nonsense")
