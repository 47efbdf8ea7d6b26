"""Preparing by Apache Beam: the bytes of a store that this machine makes alone.

Needs `pip install '.[beam]'`; its worker processes take seconds to start.
"""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
from pretrained_models import FIXTURES
from processes import ROOT
from test_prepare import (
    FEATURES,
    command,
    content,
    wait_for_end_of,
    write_corpus,
)

from dann_jax.data.beam import BeamRunner
from dann_jax.data.corpus import Corpus
from dann_jax.data.prepare import prepare
from dann_jax.data.store import read_store, write_store
from dann_jax.data.store.folders import work_folder

pytest.importorskip("apache_beam", reason="needs pip install 'dann_jax[beam]'")
pytestmark = [
    pytest.mark.beam,
    pytest.mark.slow,
    # Beam leaves sockets and files to the garbage collector.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(autouse=True)
def _cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Its workers are other processes.
    paths = (str(ROOT), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


COMMAND = (sys.executable, "-m", "dann_jax.cli.prepare")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=240
    )


@pytest.mark.parametrize(
    "features",
    [
        ("--features=logmel,prosody",),
        ("--features=pretrained,logmel", f"--pretrained.model={FIXTURES}/whisper"),
    ],
    ids=["in workers", "in batches"],
)
def test_the_store_and_its_problems_are_those_that_one_machine_makes(
    tmp_path: pathlib.Path, features: tuple[str, ...]
) -> None:
    root = tmp_path / "corpus"
    write_corpus(root, 9, dialogue=3)
    (root / "2.wav").write_bytes(b"RIFF")
    (root / "7.wav").write_bytes(b"")
    (root / "5.wav").write_bytes((root / "1.wav").read_bytes())
    flags = (*features, "--workers=2")
    alone = run(*command(root, tmp_path / "whole", *flags))
    assert alone.returncode == 0, alone.stderr
    ended = run(*command(root, tmp_path / "beam", *flags, "--runner=DirectRunner"))
    assert ended.returncode == 0, ended.stderr
    assert "errors: 2, in" in ended.stdout
    assert content(tmp_path / "beam") == content(tmp_path / "whole")


def test_shards_of_a_store_are_counted_in_their_order(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow_datasets as tfds

    # More than ten: TFDS sorts their numbers as text.
    monkeypatch.setattr(
        tfds.core.utils.shard_utils.ShardConfig,
        "calculate_number_shards",
        lambda *_: 12,
    )
    rows = [f"u{n:02}" for n in range(31)]
    columns = {"utt_id": rows, "speaker": rows, "emotion": ["joy"] * 31}
    columns = {name: np.array(column) for name, column in columns.items()}
    features, present = {"x": np.ones((31, 2), np.float32)}, {"x": np.ones(31, bool)}
    corpus = Corpus("many", columns, features, present)
    write_store(corpus, tmp_path / "whole")
    store = write_store(corpus, tmp_path / "beam", runner="DirectRunner")
    assert content(tmp_path / "beam") == content(tmp_path / "whole")
    assert read_store(store).columns["utt_id"].tolist() == rows


def test_a_killed_worker_costs_nothing_that_is_done(tmp_path: pathlib.Path) -> None:
    root, data = tmp_path / "corpus", tmp_path / "data"
    write_corpus(root, 60, dialogue=5)
    prepare(
        {"manifest": root}, features=FEATURES, name="manifest", data_dir=tmp_path / "w"
    )
    flags = ("--workers=2", "--runner=DirectRunner")
    words = [*COMMAND, *command(root, data, *flags)]
    process = subprocess.Popen(
        words, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    parts = work_folder("manifest", data) / "parts"
    wait_until(lambda: len(list(parts.glob("*.npz"))) > 2)
    os.kill(beam_workers(process.pid)[0], signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "error: DirectRunner ended early: Worker subprocess exited" in said
    wait_for_end_of(process.pid)
    kept = list(parts.glob("*.npz"))
    again = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=240)
    assert again.returncode == 0
    assert len(kept) > 2
    assert content(data) == content(tmp_path / "w")


def beam_workers(group: int) -> list[int]:
    """Worker processes of Beam in a process group."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
            pid = int(path.parent.name)
            if b"sdk_worker_main" in words and os.getpgid(pid) == group:
                found.append(pid)
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_options_of_the_runner_go_before_those_of_this_package() -> None:
    options = BeamRunner("DirectRunner", ("direct_running_mode=in_memory",), 3)
    given = options.pipeline_options().get_all_options()
    assert given["direct_num_workers"] == 3
    assert given["direct_running_mode"] == "in_memory"
