"""No key that nothing reads, no code that asks which system runs, one training loop."""

import ast
import inspect
import pathlib
from collections.abc import Iterator

import jax
import pytest
from config_steps import SYSTEMS, everything, load_config, tiny
from config_steps import read_once as read_once
from ml_collections import ConfigDict
from runs import write_table

import dann_jax
from dann_jax.bundle import bundle_run
from dann_jax.cli.config import ConfigError
from dann_jax.cli.sweep import swept
from dann_jax.experiment.build import build_network, build_task_and_layout, compiled
from dann_jax.experiment.config import base_config
from dann_jax.models.network import initialise
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.timetable import Timetable

PACKAGE = pathlib.Path(dann_jax.__file__).parent
KEYS_ARE_NAMES = ("optimizer.players", "objective.fixed")
"""Sections whose keys are not arguments: names that only a whole network knows."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("keys"), everything())


def sections(config: ConfigDict, name: str = "") -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            yield name + key
            yield from sections(value, f"{name}{key}.")


def build(config: ConfigDict, whole: bool) -> None:
    """What a run does with its config before the first step and after the last."""
    task, layout = build_task_and_layout(config)
    compiled(config, task, layout, Timetable(1, **config.timetable))
    inspect.signature(bundle_run).bind_partial(**config.bundle)
    if whole:
        plan = task.plan(task.protocol.visible())
        batch = BatchLoader(task.training, plan, layout, shuffle=True).batch(0)
        one = jax.tree.map(lambda leaf: leaf[0], batch)
        network, key = build_network(config, task), jax.random.key(0)
        jax.eval_shape(lambda: initialise(network, one, key))


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_key_that_nothing_reads_is_refused_in_every_section(
    table: pathlib.Path, system: str
) -> None:
    config = load_config(system)
    modalities = config.data.modalities or ("functionals",)
    config = tiny(config, table, **{"data.modalities": modalities})
    has_frames = system == "tu2019"
    build(config, whole=has_frames)
    for name in sections(config):
        # What is within the encoder is read where its features are made.
        if name in KEYS_ARE_NAMES or name.startswith("encoder.") > has_frames:
            continue
        changed = config.copy_and_resolve_references().unlock()
        section = changed
        for part in name.split("."):
            section = section[part]
        section.nonsense = 1
        with pytest.raises((ValueError, TypeError), match="nonsense|int"):
            build(changed, whole=has_frames and name.startswith("encoder."))


def test_every_key_of_the_top_is_read_and_no_other() -> None:
    read = {
        node.attr
        for path in (PACKAGE / "experiment").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "config"
    }
    methods = {name for name in dir(ConfigDict) if not name.startswith("_")}
    assert read - methods == set(base_config())


def test_no_code_of_the_package_knows_a_system_by_name() -> None:
    names = {system.split(":")[0] for system in SYSTEMS}
    for path in PACKAGE.rglob("*.py"):
        if "configs" in path.relative_to(PACKAGE).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in names, path
            asked = isinstance(node, ast.Compare) and "system" in ast.unparse(node.left)
            assert not asked, f"{path}: {ast.unparse(node)}"


def test_there_is_one_loop_over_train_steps() -> None:
    calls = {
        (path.name, ast.unparse(node.func))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    # Rows in memory need no loop: an epoch of the estimator is a scan, one program.
    of_a_step = {file for file, call in calls if call == "train_step"}
    assert of_a_step == {"chunks.py", "row_classifier.py"}
    assert {file for file, call in calls if call == "train_steps"} == {"loop.py"}


def test_a_sweep_makes_an_arm_for_every_strength() -> None:
    config = base_config()
    config.arms.dann.update(speaker=0.3)
    config.bundle.arm = "dann"
    changed = swept(config.lock(), ["arms.dann.speaker=0.1,1"])
    assert set(changed.arms) == {"source_only", "dann_0_1", "dann_1"}
    assert changed.arms.dann_1.speaker == 1.0
    assert changed.bundle.arm == ""
    assert set(config.arms) == {"source_only", "dann"}


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("arms.dann.speaker", "must be such as"),
        ("arms.dan.speaker=1", "one of dann"),
        ("arms.source_only.speaker=1", "one of dann"),
        ("arms.dann.speeker=1", "there are speaker"),
        ("arms.dann.speaker=1,,2", "nothing is no number"),
    ],
)
def test_a_sweep_of_what_is_not_there_is_refused(sweep: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        swept(base_config().lock(), [sweep])
