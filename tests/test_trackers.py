"""Metrics go to trackers as they go to the file; and the examples of the page work."""

import logging
import pathlib
import re
import struct
from collections.abc import Mapping

import pytest
from commands import Call, assert_refused
from commands import call as call
from etils import epath
from processes import ROOT

from dann_jax.cli import train
from dann_jax.training.trackers import MakeTracker, TensorBoard
from dann_jax.training.writer import open_writer, read_metrics

METRICS = {10: {"epoch": 1, "dann/loss": 0.5}, 20: {"epoch": 2, "dann/loss": 0.25}}


class Noted:
    """Keeps what it is told, and can fail."""

    told: list = []

    def __init__(self, directory: str, resume_step: int) -> None:
        self.told.append((directory, resume_step))

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        self.told.append((step, metrics))

    def close(self) -> None:
        self.told.append("closed")


class Failing(Noted):
    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        raise ConnectionError("no network")


def track(folder: pathlib.Path, *trackers: MakeTracker, resume_step: int = 0) -> None:
    (folder / "config.json").write_text('{"seeds": 3}')
    with open_writer(
        epath.Path(folder), resume_step=resume_step, trackers=trackers
    ) as writer:
        for step, metrics in METRICS.items():
            if step > resume_step:
                writer.write(step, metrics)


def example(title: str) -> dict[str, object]:
    """What the example below a heading of the page defines."""
    page = (ROOT / "docs" / "trackers.md").read_text()
    section = page.split(f"\n## {title}\n")[1]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    names: dict[str, object] = {}
    exec(compile(code, "trackers.md", "exec"), names)
    return names


def test_a_tracker_is_told_what_the_file_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Noted, "told", [])
    track(tmp_path, Noted)
    assert Noted.told == [(str(tmp_path), 0), *METRICS.items(), "closed"]
    track(tmp_path, Noted, resume_step=10)
    assert Noted.told[-3:] == [(str(tmp_path), 10), (20, METRICS[20]), "closed"]


def test_one_that_fails_is_told_of_once_and_stops_nothing(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Noted, "told", [])
    with caplog.at_level(logging.WARNING, "dann_jax"):
        track(tmp_path, Failing, Noted)
    (record,) = caplog.records
    assert "Failing failed" in record.message and "no network" in record.message
    assert Noted.told[2:] == [*METRICS.items(), "closed"]
    assert len(read_metrics(epath.Path(tmp_path))) == 2


def test_one_that_cannot_be_made_stops_the_run_before_it_begins(
    tmp_path: pathlib.Path, call: Call
) -> None:
    def broken(directory: str, resume_step: int) -> Noted:
        raise ConnectionError("no server")

    with pytest.raises(ValueError, match="tracker broken cannot be used .*no server"):
        track(tmp_path, broken)
    ended = call(train, "--tracker=tensorbord", "--show_config")
    assert_refused(ended, "--tracker", "did you mean tensorboard?")
    ended = call(train, "--tracker=nowhere:Tracker", "--show_config")
    assert_refused(ended, "nowhere", "PYTHONPATH")


def scalars(path: pathlib.Path) -> list[tuple[int, str, float]]:
    """Step, name and value of every scalar of an event file."""
    from tensorboardX.proto.event_pb2 import Event

    data, found = path.read_bytes(), []
    while data:
        # A length, its checksum, so many bytes, their checksum.
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        found += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
        data = data[16 + length :]
    return found


def test_tensorboard_reads_every_scalar(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs pip install .[test]")
    track(tmp_path, TensorBoard)
    (path,) = (tmp_path / "tensorboard").iterdir()
    assert scalars(path) == [
        (step, name, value)
        for step, metrics in METRICS.items()
        for name, value in metrics.items()
    ]


@pytest.mark.slow
def test_the_example_for_mlflow_keeps_one_run_through_a_stop(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs pip install mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    tracker = example("MLflow")["MLflow"]
    track(tmp_path, tracker)
    track(tmp_path, tracker, resume_step=10)
    (run,) = mlflow.search_runs(output_format="list", search_all_experiments=True)
    assert run.data.metrics == METRICS[20]
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "dann/loss")
    assert {point.step for point in history} == set(METRICS)


@pytest.mark.slow
def test_the_example_for_wandb_writes_without_a_network(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wandb = pytest.importorskip("wandb", reason="needs pip install wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with caplog.at_level(logging.WARNING, "dann_jax"):
        track(tmp_path, example("Weights & Biases")["WandB"])
    assert not caplog.messages
    # It ends the process that writes, as the end of Python does.
    wandb.teardown()
    (run,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    # Records of its own, in which values are JSON.
    assert b"dann/loss" in run.read_bytes() and b"0.25" in run.read_bytes()
