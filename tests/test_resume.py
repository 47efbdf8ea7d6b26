"""A process killed at any moment, and what the next one makes of what it left."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from runs import tiny_corpus, write_table
from toys import assert_trees_equal

from dann_jax.types import PyTree

pytestmark = pytest.mark.slow

CONFIG = """
import sys
sys.path.insert(0, {tests!r})
from runs import tiny_config

def get_config():
    return tiny_config(
        {table!r},
        {{
            "encoder.context": False,
            "batches.batch_size": 1,
            "batches.num_buckets": 1,
            "timetable.epochs": 10,
            "timetable.checkpoint_every": 1,
        }},
    )
"""


@dataclasses.dataclass(frozen=True)
class Command:
    """`dann-train` on a small corpus, with a compilation cache of its own."""

    folder: pathlib.Path

    def start(self, workdir: pathlib.Path) -> subprocess.Popen:
        root = pathlib.Path(__file__).parents[1]
        environment = {
            **os.environ,
            "PYTHONPATH": str(root),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        command = [sys.executable, "-m", "dann_jax.cli.train"]
        flags = [f"--config={self.folder / 'config.py'}", f"--workdir={workdir}"]
        return subprocess.Popen(
            [*command, *flags, "--cpu_devices=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def finish(self, workdir: pathlib.Path) -> tuple[str, str]:
        """What a run that nobody disturbs prints, on both streams."""
        process = self.start(workdir)
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return out, errors

    def kill(self, workdir: pathlib.Path, moment: Callable[[], bool]) -> str:
        """Kill the run at a moment; what it said on standard error."""
        process = self.start(workdir)
        try:
            deadline = time.monotonic() + 300
            while not moment():
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline
                time.sleep(0.001)
        finally:
            process.kill()
        assert process.wait() == -signal.SIGKILL
        assert not (workdir / "results.json").exists()
        return process.communicate()[1]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    folder = tmp_path_factory.mktemp("command")
    table = write_table(folder, tiny_corpus())
    tests = str(pathlib.Path(__file__).parent)
    text = CONFIG.format(tests=tests, table=str(table))
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


def before_saving(workdir: pathlib.Path) -> Callable[[], bool]:
    """The second epoch's metrics are written, its checkpoint is not yet whole."""
    return lambda: len(lines(workdir)) > 1


def while_saving(workdir: pathlib.Path) -> Callable[[], bool]:
    """Another checkpoint is whole, and the next is half written."""
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


def test_a_run_killed_again_and_again_ends_with_the_same_bits(
    command: Command, tmp_path: pathlib.Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    table, _ = command.finish(whole)
    command.kill(killed, before_saving(killed))
    for moment in (while_saving(killed), in_mid_epoch(killed)):
        left = checkpoints(killed)[-1]
        said = command.kill(killed, moment)
        assert f"going on from step {left} in {killed}" in said
        assert left < checkpoints(killed)[-1] < checkpoints(whole)[-1]
    left = checkpoints(killed)[-1]
    table_of_killed, said = command.finish(killed)
    assert f"going on from step {left} in {killed}" in said

    assert lines(killed) == lines(whole)
    assert len(lines(whole)) == 10
    found, expected = (
        json.loads((workdir / "results.json").read_text())
        for workdir in (killed, whole)
    )
    found.pop("timing"), expected.pop("timing")
    assert found == expected
    assert table_of_killed == table
    assert checkpoints(killed) == checkpoints(whole)
    for step in checkpoints(whole):
        assert_trees_equal(saved(killed, step), saved(whole, step))
    assert not list(killed.glob("*.partial"))
