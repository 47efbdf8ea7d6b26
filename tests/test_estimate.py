"""What a run needs is known before it is made, and what cannot fit is refused."""

import pathlib
import resource

import jax
import numpy as np
import pytest
from runs import tiny_config

from dann_jax.data.corpus import Corpus
from dann_jax.data.synthetic.conversations import synthetic_conversations
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.experiment.estimate import (
    Needs,
    count_folds,
    needs_of,
    require_memory_for_roles,
    require_room,
)
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.tasks.splits import SPLITS
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.timetable import Timetable
from dann_jax.utils.resources import available_memory

CORPUS = synthetic_conversations(sessions=3, dialogues=2, turns=8)


@pytest.mark.parametrize(
    ("split", "options"),
    [
        ("leave_one_out", {"column": "speaker"}),
        ("group_k_fold", {"column": "speaker", "k": 3}),
        ("group_k_fold", {"column": "speaker", "k": 4, "at_most": True}),
        ("group_k_fold", {"column": "speaker", "k": 9, "at_most": True}),
        ("ordered_pairs", {"column": "session"}),
        ("ordered_pairs", {"column": "session", "values": ("1", "2")}),
        ("fixed_split", {"column": "session", "train": ["1"], "test": ["2"]}),
    ],
)
def test_folds_are_counted_as_the_split_makes_them(split: str, options: dict) -> None:
    assert count_folds(CORPUS, split, options) == len(SPLITS[split](CORPUS, **options))


def test_thousands_of_folds_are_refused_before_their_tables_are_made() -> None:
    rows = np.arange(300_000) % 5_000
    corpus = Corpus("many", {"utt_id": rows, "speaker": rows}, {}, {})
    options = {"adversaries": 1, "replicas": 6, "available": 8 * 10**9}
    with pytest.raises(ValueError, match=r"5,000 folds .* 34 GB .*30,000 models") as no:
        require_memory_for_roles(
            corpus, "leave_one_out", {"column": "speaker"}, **options
        )
    assert "group_k_fold" in str(no.value) and "'speaker'" in str(no.value)
    require_memory_for_roles(
        corpus, "group_k_fold", {"column": "speaker", "k": 10}, **options
    )


def test_the_state_and_the_batch_are_as_large_as_was_reckoned() -> None:
    config = tiny_config("synthetic")
    task, layout = build_task_and_layout(config)
    plan = task.plan(task.protocol.visible())
    timetable = Timetable(plan.steps_per_epoch, **config.timetable)
    program = compiled(config, task, layout, timetable)
    needs = needs_of(task, layout, program, timetable)
    loader = BatchLoader(task.training, plan, layout, shuffle=False)
    batch = loader.batch(plan.steps_per_epoch - 1)
    state = program.initial_state(layout.put(batch))

    def size(tree: object) -> int:
        return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))

    # A key has more bytes than its name says.
    assert needs.models * needs.model == pytest.approx(size(state), rel=0.01)
    assert needs.batches == pytest.approx(2 * size(batch), rel=0.1)
    assert needs.steps == timetable.epochs * plan.steps_per_epoch


def test_what_cannot_fit_is_refused_with_what_would() -> None:
    _, layout = build_task_and_layout(tiny_config("synthetic", {"seeds": 4}))
    needs = Needs(models=8, model=10**6, batches=10**6, steps=10)
    require_room(needs, layout, available=needs.total)
    message = r"17 MB .*1 folds x 4 seeds x 2 arms = 8 models of 1.0 MB.* 4 such models"
    with pytest.raises(ValueError, match=message):
        require_room(needs, layout, available=9 * 10**6)
    with pytest.raises(ValueError, match="config.timetable.epochs must be smaller"):
        require_room(needs._replace(steps=2**31), layout)


def test_a_run_that_cannot_fit_leaves_no_folder_behind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dann_jax.experiment.estimate.available_memory", lambda: 10**6)
    config = tiny_config("synthetic", {"seeds": 1000})
    with pytest.raises(ValueError, match=r"1,000 seeds x 2 arms = 2,000 models"):
        train_and_evaluate(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_batch_of_padding_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch_size is 1,000,000, and corpus"):
        build_task_and_layout(tiny_config("synthetic", {"batches.batch_size": 10**6}))


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, 6000 * 1024),
        ({"memory.max": "max", "memory.current": "5"}, 6000 * 1024),
        (
            {
                "memory.max": "3000000",
                "memory.current": "2000000",
                "memory.stat": "anon 5\ninactive_file 500000",
            },
            1_500_000,
        ),
        ({"memory.max": "1000", "memory.current": "2000"}, 0),
        (
            {
                "memory/memory.limit_in_bytes": "9000",
                "memory/memory.usage_in_bytes": "2000",
            },
            7_000,
        ),
    ],
    ids=["machine", "no limit", "container", "over its limit", "version 1"],
)
def test_the_least_of_what_machine_and_container_leave(
    files: dict[str, str], left: int, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 6000 kB\n")
    group = tmp_path / "sys/fs/cgroup"
    (group / "memory").mkdir(parents=True)
    for name, text in files.items():
        (group / name).write_text(text)
    assert available_memory(str(tmp_path)) == left


def test_a_limit_of_the_address_space_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (10**6, 10**6))
    assert available_memory() == 0
