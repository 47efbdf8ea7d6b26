"""A process killed at any moment, and what the next one makes of what it left."""

import dataclasses
import json
import pathlib
import signal
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from commands import Call
from commands import call as call
from corpora_and_batches import assert_trees_equal
from few_devices import all_devices as all_devices
from forked import TRAIN, Forked
from processes import job_environments, outcomes
from runs import tiny_corpus, write_table

from dann_jax.cli import train
from dann_jax.types import PyTree

pytestmark = pytest.mark.slow

GROUPS, EPOCHS = 3, 12

CONFIG = """
import sys
sys.path.insert(0, {tests!r})
from runs import tiny_config

def get_config():
    return tiny_config(
        {table!r},
        {{
            # Another modality is another encoder to compile.
            "data.modalities": ("lexical",),
            "encoder.context": False,
            "batches.batch_size": 2,
            "batches.num_buckets": 1,
            "timetable.epochs": {epochs},
            "seeds": {groups},
            "optimizer.name": "sgd",
            "optimizer.learning_rate": 0.01,
            "timetable.checkpoint_every": 1,
        }},
    )
"""


@dataclasses.dataclass(frozen=True)
class Command:
    """`dann-train` on a small corpus, with a compilation cache of its own."""

    folder: pathlib.Path

    def environment(self) -> dict[str, str]:
        root = pathlib.Path(__file__).parents[1]
        return {
            "PYTHONPATH": str(root),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "JAX_COMPILATION_CACHE_DIR": "",
        }

    def flags(self, workdir: pathlib.Path, devices: int) -> list[str]:
        return [
            f"--config={self.folder / 'config.py'}",
            f"--workdir={workdir}",
            f"--cpu_devices={devices}",
        ]

    def fork(self, workdir: pathlib.Path) -> Forked:
        flags = self.flags(workdir, devices=1)
        return Forked(TRAIN, *flags, environment=self.environment())

    @staticmethod
    def finish(process: Forked) -> tuple[str, str]:
        """What a run that nobody disturbs prints, on both streams.

        Without the last line, which says where the page of the run is.
        """
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return out.partition("\nreport: ")[0], errors

    def kill(self, workdir: pathlib.Path, moment: Callable[[], bool]) -> str:
        """Kill the run at a moment; what it said on standard error."""
        process = self.signal(workdir, moment, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (workdir / "results.json").exists()
        return process.communicate()[1]

    def stop(
        self,
        workdir: pathlib.Path,
        moment: Callable[[], bool],
        number: signal.Signals,
    ) -> tuple[int, str]:
        """Ask the run to stop at a moment; its exit code and what it said."""
        process = self.signal(workdir, moment, number)
        try:
            said = process.communicate(timeout=300)[1]
        finally:
            process.kill()
        assert not (workdir / "results.json").exists()
        return process.returncode, said

    def signal(
        self,
        workdir: pathlib.Path,
        moment: Callable[[], bool],
        number: signal.Signals,
    ) -> Forked:
        """A run that was sent a signal at a moment."""
        process = self.fork(workdir)
        try:
            wait_until(moment, [process])
            process.send_signal(number)
        except BaseException:
            process.kill()
            raise
        return process


def wait_until(moment: Callable[[], bool], processes: Sequence[Forked]) -> None:
    """Wait for a moment in the life of these processes."""
    deadline = time.monotonic() + 300
    while not moment():
        for process in processes:
            assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    folder = tmp_path_factory.mktemp("command")
    table = write_table(folder, tiny_corpus())
    tests = str(pathlib.Path(__file__).parent)
    text = CONFIG.format(tests=tests, table=str(table), epochs=EPOCHS, groups=GROUPS)
    (folder / "config.py").write_text(text)
    return Command(folder)


def checkpoints(workdir: pathlib.Path) -> list[int]:
    """Steps of the checkpoints that are whole."""
    folder = workdir / "checkpoints"
    if not folder.exists():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def lines(workdir: pathlib.Path) -> list[str]:
    path = workdir / "metrics.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def saved(workdir: pathlib.Path, step: int) -> PyTree:
    """All arrays of a checkpoint as integers, so that equal means equal to the bit."""
    with ocp.StandardCheckpointer() as checkpointer:
        state = checkpointer.restore(workdir / "checkpoints" / str(step) / "default")
    state["key"] = jax.random.key_data(state["key"])
    return jax.tree.map(
        lambda leaf: np.asarray(leaf).view(f"u{leaf.dtype.itemsize}"), state
    )


def while_saving(workdir: pathlib.Path) -> Callable[[], bool]:
    """Another checkpoint is whole; of the next the metrics are, and it half is."""
    before = checkpoints(workdir)

    def moment() -> bool:
        if checkpoints(workdir) == before:
            return False
        entries = (workdir / "checkpoints").iterdir()
        return any(not path.name.isdigit() for path in entries)

    return moment


def in_mid_epoch(workdir: pathlib.Path) -> Callable[[], bool]:
    """Half an epoch after the second one of two more checkpoints."""
    seen = dict.fromkeys(checkpoints(workdir), 0.0)
    before = len(seen)

    def moment() -> bool:
        now = time.monotonic()
        for step in checkpoints(workdir):
            seen.setdefault(step, now)
        if len(seen) < before + 2:
            return False
        previous, last = sorted(seen.values())[-2:]
        return now - last > 0.5 * (last - previous)

    return moment


@pytest.fixture(scope="module")
def undisturbed(
    command: Command, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pathlib.Path, str]:
    """The work directory of a whole run, and the table that it printed."""
    workdir = tmp_path_factory.mktemp("undisturbed") / "whole"
    return workdir, command.finish(command.fork(workdir))[0]


def test_a_run_killed_again_and_again_ends_with_the_same_bits(
    command: Command, undisturbed: tuple[pathlib.Path, str], tmp_path: pathlib.Path
) -> None:
    (whole, table), killed = undisturbed, tmp_path / "killed"
    command.kill(killed, while_saving(killed))
    left = checkpoints(killed)[-1]
    said = command.kill(killed, in_mid_epoch(killed))
    assert f"going on from step {left} in {killed}" in said
    assert left < checkpoints(killed)[-1] < checkpoints(whole)[-1]
    # `stop_together` sends SIGTERM.
    code, said = command.stop(killed, in_mid_epoch(killed), signal.SIGINT)
    left = checkpoints(killed)[-1]
    assert code == 128 + signal.SIGINT
    assert said.splitlines()[-1] == (
        f"SIGINT stopped the run; step {left} is saved; the same command goes on from "
        f"there"
    )
    assert left < checkpoints(whole)[-1]
    table_of_killed, said = command.finish(command.fork(killed))
    assert f"going on from step {left} in {killed}" in said

    assert len(lines(whole)) == EPOCHS
    assert lines(killed) == lines(whole)
    assert table_of_killed == table
    found, expected = (
        json.loads((workdir / "results.json").read_text())
        for workdir in (killed, whole)
    )
    found.pop("timing"), expected.pop("timing")
    assert found == expected
    assert checkpoints(killed) == checkpoints(whole)
    for step in checkpoints(whole):
        assert_trees_equal(saved(killed, step), saved(whole, step))
    assert not list(killed.glob("*.partial"))


def stop_together(command: Command, workdir: pathlib.Path, told: int) -> list[str]:
    """Two processes of four devices, one of which is told to stop; what both said."""
    flags = ["--distributed", *command.flags(workdir, 4)]
    processes = [
        Forked(TRAIN, *flags, environment=environment | command.environment())
        for environment in job_environments()
    ]
    try:
        wait_until(in_mid_epoch(workdir), processes)
    except BaseException:
        outcomes(processes, timeout=1)
        raise
    processes[told].send_signal(signal.SIGTERM)
    ended = outcomes(processes)
    (last,) = checkpoints(workdir)[-1:]
    for code, out, said in ended:
        assert code == 128 + signal.SIGTERM, said
        assert "| dann |" not in out
        assert said.splitlines()[-1] == (
            f"SIGTERM stopped the run; step {last} is saved; the same command goes on "
            f"from there"
        )
    return [said for _, _, said in ended]


def test_two_processes_of_four_devices_go_on_as_two_and_as_one_of_eight(
    command: Command,
    undisturbed: tuple[pathlib.Path, str],
    tmp_path: pathlib.Path,
    call: Call,
) -> None:
    (whole, _), stopped = undisturbed, tmp_path / "stopped"
    # The scheduler may tell one host alone, the first or another.
    stop_together(command, stopped, told=1)
    (first,) = checkpoints(stopped)[-1:]
    said = stop_together(command, stopped, told=0)
    (last,) = checkpoints(stopped)[-1:]
    assert any(f"going on from step {first} in {stopped}" in one for one in said)
    assert first < last
    assert last < checkpoints(whole)[-1]
    ended = call(train, *command.flags(stopped, devices=8))
    assert ended.code == 0, ended.err
    assert f"going on from step {last} in {stopped}" in ended.err
    # XLA rounds otherwise where a device has other replicas to go through.
    for found, expected in zip(lines(stopped), lines(whole), strict=True):
        found, expected = json.loads(found), json.loads(expected)
        assert list(found) == list(expected) and found["step"] == expected["step"]
        for name in (name for name in expected if "/loss" in name):
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-4)
    assert not list(stopped.glob("*.partial"))
