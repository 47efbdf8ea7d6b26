"""Checkpoints: restored to the bit, whole or absent, on any number of devices."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from corpora_and_batches import assert_trees_equal

from dann_jax.training.checkpoint import Checkpoints, open_checkpoints
from dann_jax.training.checkpoint_folders import CheckpointError
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.state import TrainState, create_state
from dann_jax.types import PyTree


def state_of(step: int, *, groups: int = 4, width: int = 8) -> TrainState:
    """A state `[groups, arms]` without two equal numbers, as if after `step` steps."""
    params = {
        "encoder": {"kernel": jnp.zeros((3, width))},
        "head": {"bias": jnp.zeros(width)},
    }
    one = create_state(params, optax.adam(1e-3), jax.random.key(0))
    rng = np.random.default_rng(step)

    def drawn(leaf: jax.Array) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.split(jax.random.key(step), (groups, 2))
        numbers = rng.normal(0.0, 1e3, size=(groups, 2, *leaf.shape))
        return jnp.asarray(numbers, leaf.dtype)

    return jax.tree.map(drawn, one)


def layout_of(devices: int = 1, groups: int = 4) -> ReplicaLayout:
    arms = {"one": {}, "two": {}}
    return ReplicaLayout(["fold"], range(groups), arms, make_mesh(devices))


def on(devices: int, state: TrainState) -> TrainState:
    """The state with its groups spread over so many devices."""
    layout = layout_of(devices, len(state.step))
    return layout.put(jax.tree.map(lambda leaf: leaf[layout.reported_group_of], state))


def restored(checkpoints: Checkpoints, step: int, state: TrainState) -> PyTree:
    """The bits of a checkpoint that is like `state`, read onto one device."""
    return bits(checkpoints.restore(step, other_than(state), layout_of()))


def bits(state: TrainState) -> PyTree:
    """Everything in a state as integers, so that equal means equal to the bit."""
    state = state.replace(key=jax.random.key_data(state.key))
    return jax.tree.map(
        lambda leaf: np.asarray(leaf).view(f"u{leaf.dtype.itemsize}"), state
    )


def other_than(state: TrainState) -> TrainState:
    """Shaped and placed as the state, with other numbers in it."""
    groups, _, _, width = state.params["encoder"]["kernel"].shape
    return on(1, state_of(99, groups=groups, width=width))


def steps_in(folder: pathlib.Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.isdigit()}


def test_a_state_is_restored_to_the_bit_with_its_typed_key(
    tmp_path: pathlib.Path,
) -> None:
    state = on(1, state_of(7))
    with open_checkpoints(tmp_path / "new" / "folder") as checkpoints:
        assert checkpoints.latest_step() is None
        checkpoints.save(7, state)
    with open_checkpoints(tmp_path / "new" / "folder") as checkpoints:
        assert checkpoints.latest_step() == 7
        found = checkpoints.restore(7, other_than(state), layout_of())
    assert_trees_equal(bits(found), bits(state))
    assert jnp.issubdtype(found.key.dtype, jax.dtypes.prng_key)
    assert jax.random.bits(found.key[1, 0]) == jax.random.bits(state.key[1, 0])


def test_the_newest_stay(tmp_path: pathlib.Path) -> None:
    with open_checkpoints(tmp_path, keep=2) as checkpoints:
        for step in (1, 2, 5, 10):
            checkpoints.save(step, on(1, state_of(step)))
        assert steps_in(tmp_path) == {"5", "10"}
        for step in (5, 10):
            state = on(1, state_of(step))
            assert_trees_equal(restored(checkpoints, step, state), bits(state))


def test_a_step_that_is_there_is_not_written_again(tmp_path: pathlib.Path) -> None:
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, on(1, state_of(1)))
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, on(1, state_of(2)))
        state = on(1, state_of(1))
        assert_trees_equal(restored(checkpoints, 1, state), bits(state))


FAILURES = """
import pathlib, sys
from test_checkpoint import layout_of, on, state_of
from corpora_and_batches import limited_file_size
from dann_jax.training.checkpoint import open_checkpoints
folder = pathlib.Path(sys.argv[1])
for name, steps in (("first", []), ("second", [10])):
    with open_checkpoints(folder / name) as checkpoints:
        for step in steps:
            checkpoints.save(step, on(1, state_of(step, width=4096)))
        try:
            with limited_file_size(20_000):
                checkpoints.save(20, on(1, state_of(20, width=4096)))
        except OSError as error:
            (folder / f"{name}.txt").write_text(str(error))
for name, shape in (("wider", {"width": 5000}), ("more", {"groups": 8})):
    with open_checkpoints(folder / "second") as checkpoints:
        try:
            like = on(1, state_of(10, **{"width": 4096, **shape}))
            checkpoints.restore(10, like, layout_of(1, len(like.step)))
        except ValueError as error:
            (folder / f"{name}.txt").write_text(str(error))
"""


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Runs whose first or second checkpoint found the disk full, and what they said.

    In a process of its own: threads of tensorstore outlive the failure.
    """
    folder = tmp_path_factory.mktemp("failures")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", FAILURES, folder],
        check=True,
        capture_output=True,
        env=environment,
        timeout=120,
    )
    return folder


def test_without_room_the_error_says_what_to_do_and_the_earlier_one_stays_whole(
    failures: pathlib.Path,
) -> None:
    message = (failures / "second.txt").read_text()
    assert "checkpoint of step 20" in message
    assert "The checkpoint of step 10 is whole" in message
    assert "make room and run the same command again" in message
    assert str(failures / "second") in message
    first, second = (on(1, state_of(step, width=4096)) for step in (10, 20))
    with open_checkpoints(failures / "second") as checkpoints:
        assert checkpoints.latest_step() == 10
        assert_trees_equal(restored(checkpoints, 10, first), bits(first))
        # Now there is room.
        checkpoints.save(20, second)
        assert checkpoints.latest_step() == 20
        assert_trees_equal(restored(checkpoints, 20, second), bits(second))


def test_without_room_for_the_first_one_the_error_does_not_promise_another(
    failures: pathlib.Path,
) -> None:
    message = (failures / "first.txt").read_text()
    assert "checkpoint of step 20" in message and "make room" in message
    assert "whole" not in message and "None" not in message
    with open_checkpoints(failures / "first") as checkpoints:
        assert checkpoints.latest_step() is None


def test_half_a_checkpoint_is_not_taken_for_one(tmp_path: pathlib.Path) -> None:
    state = on(1, state_of(10))
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(10, state)
    # As a killed process leaves it: under another name, with files missing.
    half = tmp_path / "20.orbax-checkpoint-tmp"
    shutil.copytree(tmp_path / "10", half)
    (half / "_CHECKPOINT_METADATA").unlink()
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() == 10
        checkpoints.save(20, on(1, state_of(20)))
        assert checkpoints.latest_step() == 20
        assert_trees_equal(restored(checkpoints, 10, state), bits(state))


@pytest.mark.parametrize(
    ("before", "after"), [(2, 4), (4, 2), (8, 1), (8, 2), (8, 3), (3, 8), (1, 3)]
)
def test_a_state_is_restored_on_another_number_of_devices(
    tmp_path: pathlib.Path, before: int, after: int
) -> None:
    # Four groups need fillers on three devices and on eight.
    state = state_of(3)
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, on(before, state))
    with open_checkpoints(tmp_path) as checkpoints:
        found = checkpoints.restore(
            3, on(after, state_of(99)), layout_of(devices=after)
        )
    assert_trees_equal(bits(found), bits(on(after, state)))
    for leaf in jax.tree.leaves(found):
        assert len(leaf.sharding.device_set) == after
    shards = found.params["encoder"]["kernel"].addressable_shards
    assert {shard.data.shape[0] for shard in shards} == {-(-4 // after)}


def test_the_metrics_of_an_unfinished_epoch_come_back_to_the_bit(
    tmp_path: pathlib.Path,
) -> None:
    rng = np.random.default_rng(0)
    logged = [
        {"loss/label": rng.normal(size=(4, 2)).astype(np.float32)} for _ in range(3)
    ]
    with open_checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, on(1, state_of(1)))
        checkpoints.save(2, on(1, state_of(2)), logged)
    with open_checkpoints(tmp_path) as checkpoints:
        assert checkpoints.metrics(1, layout_of()) == []
        assert_trees_equal(checkpoints.metrics(2, layout_of()), logged)


def test_a_checkpoint_of_another_experiment_is_refused(
    failures: pathlib.Path,
) -> None:
    said = (failures / "wider.txt").read_text()
    assert "another network" in said and "(3, 4096) there and (3, 5000) here" in said
    said = (failures / "more.txt").read_text()
    assert "of 4 pairs of fold and seed, this run of 8" in said


# Damaged ones.


@pytest.fixture
def two(tmp_path: pathlib.Path) -> pathlib.Path:
    """Checkpoints of steps 10 and 20, of one set of data."""
    with open_checkpoints(tmp_path, data="a" * 32) as checkpoints:
        for step in (10, 20):
            checkpoints.save(step, on(1, state_of(step)))
    return tmp_path


def files_of(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flip(path: pathlib.Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def test_a_flipped_bit_in_any_file_is_noticed_and_the_one_before_is_taken(
    two: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng, first = np.random.default_rng(0), on(1, state_of(10))
    names = [path.relative_to(two / "20") for path in files_of(two / "20")]
    assert len(names) > 5
    for number, name in enumerate(names * 3):
        copy = tmp_path_factory.mktemp("copy") / str(number)
        shutil.copytree(two, copy)
        flip(copy / "20" / name, rng)
        with open_checkpoints(copy) as checkpoints:
            with pytest.raises(CheckpointError, match="20 is damaged: "):
                checkpoints.restore(20, first, layout_of())
            assert checkpoints.resume_step() == 10
            assert checkpoints.latest_step() == 10
    # What was damaged is taken again, and can be saved again.
    with open_checkpoints(copy) as checkpoints:
        assert checkpoints.resume_step() == 10
        assert_trees_equal(restored(checkpoints, 10, first), bits(first))
        checkpoints.save(20, on(1, state_of(20)))
        assert checkpoints.resume_step() == 20


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "_CHECKPOINT_METADATA").unlink(),
        lambda folder: shutil.rmtree(folder / "default"),
        lambda folder: (folder / "checksums.txt").write_bytes(b""),
        lambda folder: (folder / "checksums.txt").write_bytes(bytes(500)),
        lambda folder: [path.write_bytes(b"") for path in files_of(folder)],
    ],
)
def test_what_a_power_loss_leaves_is_noticed(
    damage: Callable[[pathlib.Path], object],
    two: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    damage(two / "20")
    with open_checkpoints(two) as checkpoints:
        assert checkpoints.resume_step() == 10
    assert "damaged, and removed: step 20, file " in caplog.text
    assert "step 10 is whole" in caplog.text


def test_without_a_sound_one_the_error_says_what_to_do_and_nothing_is_removed(
    two: pathlib.Path,
) -> None:
    rng = np.random.default_rng(0)
    for step in ("10", "20"):
        flip(two / step / "default" / "_METADATA", rng)
    before = {path: path.read_bytes() for path in files_of(two)}
    with (
        open_checkpoints(two) as checkpoints,
        pytest.raises(CheckpointError, match="every checkpoint is damaged") as told,
    ):
        checkpoints.resume_step()
    message = str(told.value)
    assert str(two) in message and "\n" not in message
    assert "step 20, file default/_METADATA" in message
    assert "remove the folder, and the same command trains from the start" in message
    assert {path: path.read_bytes() for path in files_of(two)} == before


def test_what_was_not_written_to_the_end_is_no_checkpoint_and_goes(
    two: pathlib.Path,
) -> None:
    # Killed after the rename and before the checksums, and in the middle of all.
    (two / "20" / "checksums.txt").unlink()
    shutil.copytree(two / "10", two / "30.orbax-checkpoint-tmp")
    with open_checkpoints(two) as checkpoints:
        assert checkpoints.latest_step() == 10
        assert checkpoints.resume_step() == 10
        assert [path.name for path in two.iterdir()] == ["10"]
        checkpoints.save(20, on(1, state_of(20)))
        assert checkpoints.latest_step() == 20


def test_one_from_before_there_were_checksums_is_taken_with_a_line_that_says_so(
    two: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = two / "20" / "_CHECKPOINT_METADATA"
    found = json.loads(path.read_text())
    assert found["custom_metadata"] == {"checksums": True, "data": "a" * 32}
    path.write_text(json.dumps({**found, "custom_metadata": {}}))
    (two / "20" / "checksums.txt").unlink()
    state = on(1, state_of(20))
    with open_checkpoints(two, data="b" * 32) as checkpoints:
        assert checkpoints.resume_step() == 20
        assert_trees_equal(restored(checkpoints, 20, state), bits(state))
    assert "step 20 is from before there were checksums" in caplog.text


def test_one_of_other_data_is_refused(two: pathlib.Path) -> None:
    with (
        open_checkpoints(two, data="b" * 32) as checkpoints,
        pytest.raises(CheckpointError, match="of other data .*aaaaaaaa, not bbbbbbbb"),
    ):
        checkpoints.restore(20, on(1, state_of(20)), layout_of())


@pytest.mark.skipif(shutil.which("b2sum") is None, reason="no b2sum here")
def test_the_checksums_can_be_checked_without_this_package(two: pathlib.Path) -> None:
    command = ["b2sum", "--length=128", "--check", "--quiet", "checksums.txt"]
    assert subprocess.run(command, cwd=two / "20").returncode == 0
