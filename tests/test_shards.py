"""Preparations in shards: the same store, whoever computed what, and whoever died."""

import os
import pathlib
import signal
import time
from collections.abc import Sequence

import numpy as np
import pytest
import soundfile
from commands import Call, assert_refused
from commands import call as call
from damaged_recordings import RATE, write_voice
from test_prepare import FEATURES, content, start, write_corpus

from dann_jax.cli import prepare as prepare_command
from dann_jax.data.corpus import CorpusError
from dann_jax.data.features import pool
from dann_jax.data.features.items import Item, deal
from dann_jax.data.features.shards import parse_shard
from dann_jax.data.prepare import prepare
from dann_jax.data.store.folders import claimed, work_folder


@pytest.fixture(autouse=True)
def _cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def corpus(tmp_path: pathlib.Path) -> pathlib.Path:
    """Nine recordings: two cannot be read, two are the same, and one is silent."""
    root = tmp_path / "corpus"
    write_corpus(root, 9, dialogue=3)
    (root / "2.wav").write_bytes(b"RIFF")
    (root / "7.wav").write_bytes(b"")
    (root / "5.wav").write_bytes((root / "1.wav").read_bytes())
    soundfile.write(root / "4.wav", np.zeros(6400), RATE)
    return root


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recordings whose features are computed."""
    names: list[str] = []

    def write_parts(task, chunks, workers):
        names.extend(os.path.basename(item.path) for chunk in chunks for item in chunk)
        return pool.write_parts(task, chunks, workers)

    monkeypatch.setattr("dann_jax.data.features.part_writers.write_parts", write_parts)
    return names


def make(corpus: pathlib.Path, data: pathlib.Path, **given: object) -> str:
    options = {"features": FEATURES, "name": "manifest", "workers": 1, **given}
    return prepare({"manifest": corpus}, data_dir=data, **options)


def test_shards_and_then_the_same_call_make_the_same_store(
    corpus: pathlib.Path, tmp_path: pathlib.Path, computed: list[str]
) -> None:
    make(corpus, tmp_path / "whole")
    computed.clear()
    said = [make(corpus, tmp_path / "data", shard=f"{n}/2") for n in (2, 1)]
    assert all("the same command without --shard makes the store" in s for s in said)
    assert "1 of 5 utterances cannot be used, such as " in "".join(said)
    # Every recording in one of them.
    assert sorted(computed) == [f"{n}.wav" for n in range(9)]
    computed.clear()
    make(corpus, tmp_path / "data")
    # Those that failed are tried once more.
    assert sorted(computed) == ["2.wav", "7.wav"]
    assert content(tmp_path / "data") == content(tmp_path / "whole")
    assert "is there already" in make(corpus, tmp_path / "data", shard="1/2")
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_what_no_shard_has_computed_is_computed_when_the_store_is_made(
    corpus: pathlib.Path, tmp_path: pathlib.Path, computed: list[str]
) -> None:
    make(corpus, tmp_path / "whole")
    # The second never ran, and a third was counted otherwise.
    make(corpus, tmp_path / "data", shard="1/2")
    make(corpus, tmp_path / "data", shard="3/3")
    computed.clear()
    make(corpus, tmp_path / "data")
    assert 2 < len(computed) < 9
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_a_shard_that_is_run_again_computes_only_what_failed(
    corpus: pathlib.Path, tmp_path: pathlib.Path, computed: list[str]
) -> None:
    for number in (1, 2):
        make(corpus, tmp_path / "data", shard=f"{number}/2")
    computed.clear()
    for number in (1, 2):
        make(corpus, tmp_path / "data", shard=f"{number}/2")
    assert sorted(computed) == ["2.wav", "7.wav"]
    with pytest.raises(CorpusError, match=r"1 of . utterances cannot be used"):
        make(corpus, tmp_path / "data", shard="1/2", strict=True)


def test_shards_renew_a_store_and_compute_what_has_changed(
    corpus: pathlib.Path, tmp_path: pathlib.Path, computed: list[str]
) -> None:
    data = tmp_path / "data"
    make(corpus, data)
    write_voice(corpus / "0.wav", 0.7, seed=70)
    write_voice(corpus / "7.wav", 0.5, seed=71)
    with pytest.raises(CorpusError, match="recordings that have changed"):
        make(corpus, data, shard="1/2")
    computed.clear()
    for number in (1, 2):
        make(corpus, data, shard=f"{number}/2", renew=True)
    assert sorted(computed) == ["0.wav", "2.wav", "7.wav"]
    computed.clear()
    make(corpus, data, renew=True)
    assert computed == ["2.wav"]
    make(corpus, tmp_path / "fresh")
    assert content(data) == content(tmp_path / "fresh")


def test_a_store_and_its_shards_keep_each_other_off(
    corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    data = tmp_path / "data"
    with claimed("manifest", data), pytest.raises(CorpusError, match="or a shard of"):
        make(corpus, data, shard="1/2")
    with claimed("manifest", data, shared=True):
        with pytest.raises(CorpusError, match="another process is preparing"):
            make(corpus, data)
        # But not one shard another.
        make(corpus, data, shard="1/2")
        make(corpus, data, shard="2/2")


def test_shards_of_other_features_are_kept_off(
    corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    data, other = tmp_path / "data", {"logmel": {"n_mels": 32}}
    make(corpus, data, shard="1/2")
    with pytest.raises(CorpusError, match="made with other settings: .*n_mels"):
        make(corpus, data, shard="2/2", features=other)
    # Not even to begin again, while another one is at work.
    with (
        claimed("manifest", data, shared=True),
        pytest.raises(CorpusError, match="made with other settings"),
    ):
        make(corpus, data, shard="2/2", features=other, renew=True)
    make(corpus, data, shard="2/2", features=other, renew=True)
    shards = work_folder("manifest", data) / "shards"
    assert [path.name for path in shards.iterdir()] == ["2-of-2"]


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "1/0", "-1/2", "a/b", "1/3/5"])
def test_a_shard_that_there_is_not_is_refused(
    shard: str, tmp_path: pathlib.Path, call: Call
) -> None:
    words = ("--corpus=manifest", f"--source={tmp_path}", f"--data_dir={tmp_path}/d")
    ended = call(prepare_command, *words, f"--shard={shard}")
    assert_refused(ended, f"shard={shard!r}: must be I/N with I from 1 to N")


def test_a_shard_needs_a_disk_that_others_see_and_no_runner(
    corpus: pathlib.Path, call: Call
) -> None:
    words = ("--corpus=manifest", f"--source={corpus}", "--features=logmel")
    words = (*words, "--shard=1/2")
    ended = call(prepare_command, *words, "--data_dir=gs://nowhere/data")
    assert_refused(ended, "file system that all shards share", "gs://nowhere/data")
    ended = call(prepare_command, *words, "--data_dir=d", "--runner=DirectRunner")
    assert_refused(ended, "leave the runner out")


def items(sizes: Sequence[float]) -> list[Item]:
    return [Item(f"{n:032x}", "", 0.0, size, "") for n, size in enumerate(sizes)]


def test_every_item_is_dealt_to_one_hand_whatever_their_order() -> None:
    given = items([9, 1, 5, 5, 2, 8, 3])
    hands = deal(given, 3)
    assert sorted(row for hand in hands for row in hand) == list(range(7))
    there = [{given[row] for row in hand} for hand in hands]
    back = given[::-1]
    assert [{back[row] for row in hand} for hand in deal(back, 3)] == there
    assert deal(given, 9)[7:] == [[], []]


def test_hands_have_equal_sound_within_the_longest_item() -> None:
    sizes = [(7 * n * n) % 101 + 1 for n in range(500)]
    sums = [sum(sizes[row] for row in hand) for hand in deal(items(sizes), 6)]
    assert max(sums) - min(sums) <= max(sizes)


def test_a_shard_is_written_as_people_count() -> None:
    assert str(parse_shard("2/3")) == "2/3"


@pytest.mark.slow
def test_killed_shards_go_on_and_lose_nothing(tmp_path: pathlib.Path) -> None:
    root, data = tmp_path / "corpus", tmp_path / "data"
    write_corpus(root, 60, dialogue=5)
    make(root, tmp_path / "whole", workers=2)
    started = [
        start(root, data, "--workers=1", f"--shard={n}/2", features="logmel")
        for n in (1, 2)
    ]
    for n, process in enumerate(started, 1):
        parts = work_folder("manifest", data) / "shards" / f"{n}-of-2" / "parts"
        while process.poll() is None and len(list(parts.glob("*.npz"))) < 2:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    kept = list(work_folder("manifest", data).glob("shards/*/parts/*.npz"))
    assert len(kept) >= 4
    for n in (1, 2):
        make(root, data, shard=f"{n}/2")
    assert all(path.exists() for path in kept)
    make(root, data, workers=1)
    assert content(data) == content(tmp_path / "whole")
