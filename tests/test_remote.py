"""A work directory on a remote store: every file by etils, none by the local disk.

`gs://` is a folder of this machine here, read and written by TensorFlow as a bucket is.
"""

import contextlib
import pathlib
from collections.abc import Iterator
from unittest import mock

import pytest
from etils import epath
from etils.epath import backend, gpath
from runs import tiny_config, tiny_corpus, write_table

from dann_jax.bundle import load_bundle
from dann_jax.experiment import train
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.training.checkpoint import Checkpoints, open_checkpoints
from dann_jax.utils.files import WorkdirError, read_json

BUCKET = "gs://bucket/runs"
TENSORFLOW = backend.tf_backend


class OnDisk:
    """The backend of TensorFlow, with a folder of this machine for `gs://`."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def __getattr__(self, name: str):
        method, here = getattr(TENSORFLOW, name), f"{self.folder}/"

        def call(*words, **options):
            told = [str(word).replace("gs://", here, 1) for word in words]
            found = method(*told, **options)
            if name == "glob":
                found = [path.replace(here, "gs://", 1) for path in found]
            return found

        return call


@pytest.fixture
def remote(
    tmp_path: pathlib.Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[epath.Path]:
    """A folder on the remote store; nothing may appear in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        gpath.backend_lib, "tf_backend", OnDisk(tmp_path_factory.mktemp("store"))
    )
    monkeypatch.setattr(gpath, "_is_zonal_gcs_bucket", lambda bucket: False)
    yield epath.Path(BUCKET)
    assert not list(tmp_path.glob("gs*"))


@pytest.mark.slow
def test_a_run_and_its_bundle_live_on_a_remote_store(
    remote: epath.Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("local")

    # Orbax writes to a store by its own means, which are not on this machine.
    @contextlib.contextmanager
    def local(directory: epath.Path, **options: str) -> Iterator[Checkpoints]:
        assert str(directory).startswith("gs://")
        with open_checkpoints(folder / "checkpoints", **options) as checkpoints:
            yield checkpoints

    changes = {"encoder.context": False, "batches.num_buckets": 1}
    config = tiny_config(write_table(folder, tiny_corpus()), changes)
    workdir = remote / "first"
    with mock.patch.object(train, "open_checkpoints", local):
        results = train_and_evaluate(config, workdir)
        again = train_and_evaluate(config, str(workdir))
    assert again["replicas"] == results["replicas"]
    assert read_json(workdir / "results.json")["replicas"] == results["replicas"]
    assert len((workdir / "metrics.jsonl").read_text().splitlines()) == 2
    assert load_bundle(workdir / "bundle").labels == tuple(results["labels"])
    assert not [path for path in workdir.iterdir() if path.suffix == ".partial"]
    with pytest.raises(WorkdirError, match="belongs to a run with another config"):
        train_and_evaluate(tiny_config(config.data.source, {"seeds": 2}), workdir)
