"""A work directory belongs to one config, and a file in it is whole or absent."""

import json
import os
import pathlib
import re
import subprocess
import sys

import jax
import pytest
from corpora_and_batches import limited_file_size
from etils import epath
from runs import tiny_config

from dann_jax.experiment.evaluate_again import evaluate_again
from dann_jax.experiment.workdir import claim, used_alone
from dann_jax.utils.files import WorkdirError, read_json, write_json, write_whole
from dann_jax.utils.leftovers import remove_leftovers

CONFIG = {"seeds": 3, "arms": {"dann": {"speaker": 1.0}}, "labels": ("anger", "joy")}


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_new_directory_records_the_config_and_what_it_ran_on(
    tmp_path: pathlib.Path,
) -> None:
    workdir = claim(tmp_path / "runs" / "new", CONFIG)
    assert set(contents(tmp_path / "runs" / "new")) == {
        "config.json",
        "environment.json",
    }
    config = json.loads((workdir / "config.json").read_text())
    assert config == {**CONFIG, "labels": ["anger", "joy"]}
    environment = json.loads((workdir / "environment.json").read_text())
    assert environment["packages"]["jax"] == jax.__version__
    assert len(environment["devices"]) == jax.device_count()
    assert environment["git_commit"] is None or re.fullmatch(
        "[0-9a-f]{40}", environment["git_commit"]
    )


def test_an_empty_directory_is_as_good_as_none(tmp_path: pathlib.Path) -> None:
    assert read_json(claim(tmp_path, CONFIG) / "config.json")["seeds"] == 3


def test_a_directory_of_the_same_config_is_taken_up_and_keeps_its_files(
    tmp_path: pathlib.Path,
) -> None:
    claim(tmp_path, CONFIG)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n')
    before = contents(tmp_path)
    claim(tmp_path, {**CONFIG, "labels": ["anger", "joy"]})
    after = contents(tmp_path)
    for name in ("config.json", "metrics.jsonl"):
        assert after[name] == before[name]
    assert set(after) == set(before)


def test_another_config_is_refused_with_every_difference_and_nothing_changes(
    tmp_path: pathlib.Path,
) -> None:
    claim(tmp_path, CONFIG)
    before = contents(tmp_path)
    other = {
        "seeds": 5,
        "arms": {"dann": {"speaker": 0.5}, "weak": {"speaker": 0.1}},
        "labels": ("anger", "joy"),
        "extra": "x",
    }
    with pytest.raises(WorkdirError) as refusal:
        claim(tmp_path, other)
    message = str(refusal.value)
    for difference in (
        "config.seeds is 5, was 3",
        "config.arms.dann.speaker is 0.5, was 1.0",
        "config.arms.weak is {'speaker': 0.1}, was None",
        "config.extra is 'x', was None",
        str(tmp_path),
    ):
        assert difference in message
    assert "labels" not in message
    assert contents(tmp_path) == before


def test_a_folder_of_something_else_is_refused_and_left_alone(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WorkdirError, match="not empty and has no config.json"):
        claim(tmp_path, CONFIG)
    assert contents(tmp_path) == {"thesis.txt": b"years of work"}


def test_a_file_is_refused(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "run"
    file.write_text("not a folder")
    with pytest.raises(WorkdirError, match="is a file"):
        claim(file, CONFIG)
    assert file.read_text() == "not a folder"


def test_a_config_that_is_not_json_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "config.json").write_text('{"seeds": ')
    with pytest.raises(WorkdirError, match=r"config\.json is not JSON"):
        claim(tmp_path, CONFIG)


def test_a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else(
    tmp_path: pathlib.Path,
) -> None:
    path = claim(tmp_path, CONFIG) / "results.json"
    write_json(path, {"ua": 0.5})
    before = contents(tmp_path)
    with limited_file_size(500), pytest.raises(OSError, match="large"):
        write_json(path, list(range(1000)))
    assert contents(tmp_path) == before


def test_a_directory_whose_first_write_failed_can_be_claimed_again(
    tmp_path: pathlib.Path,
) -> None:
    workdir = tmp_path / "run"
    with limited_file_size(10), pytest.raises(OSError, match="large"):
        claim(workdir, CONFIG)
    claim(workdir, CONFIG)
    assert set(contents(workdir)) == {"config.json", "environment.json"}


def test_what_a_kill_in_the_first_write_leaves_is_no_other_run(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "config.json.123.partial").write_text("{")
    assert claim(tmp_path, {"a": 1}) / "config.json" in list(tmp_path.iterdir())


def test_a_pipe_is_written_to_and_never_replaced(tmp_path: pathlib.Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # A reader that does not wait; without one, opening the other end would.
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(epath.Path(pipe), "all of it")
    assert os.read(reader, 100) == b"all of it"
    os.close(reader)
    assert pipe.is_fifo()


def test_what_is_written_is_strict_json_that_a_later_claim_knows(
    tmp_path: pathlib.Path,
) -> None:
    value = {"ends": (float("nan"), 1.0), "bound": float("inf"), "whole": 3}

    def refuse(word: str) -> None:
        raise AssertionError(word)

    write_json(tmp_path / "value.json", value)
    text = (tmp_path / "value.json").read_text()
    found = json.loads(text, parse_constant=refuse)
    assert found == {"ends": [None, 1.0], "bound": None, "whole": 3}
    # Not another config because JSON has no word for a number.
    for _ in range(2):
        claim(tmp_path / "run", value)


def test_a_newer_key_that_is_empty_is_no_other_config(tmp_path: pathlib.Path) -> None:
    claim(tmp_path / "run", CONFIG)
    claim(tmp_path / "run", {**CONFIG, "newer": ""})
    with pytest.raises(WorkdirError, match="newer"):
        claim(tmp_path / "run", {**CONFIG, "newer": "a"})


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, "\0" * 9])
def test_a_file_that_holds_no_object_is_named(
    tmp_path: pathlib.Path, text: str
) -> None:
    (tmp_path / "config.json").write_text(text)
    for act in (lambda: claim(tmp_path, CONFIG), lambda: evaluate_again(tmp_path)):
        with pytest.raises(WorkdirError, match=r"config\.json (is not|holds)") as told:
            act()
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("change", [{"arms": 3}, {"timetable": None}, {"seeds": {}}])
def test_a_config_that_lacks_what_every_one_has_is_refused_with_the_key(
    tmp_path: pathlib.Path, change: dict
) -> None:
    config = tiny_config("nowhere").to_dict()
    write_json(tmp_path / "config.json", {**config, **change})
    with pytest.raises(WorkdirError, match=f"malformed: {next(iter(change))}"):
        evaluate_again(tmp_path)
    del config[next(iter(change))]
    write_json(tmp_path / "config.json", config)
    with pytest.raises(WorkdirError, match=f"malformed: {next(iter(change))}"):
        evaluate_again(tmp_path)


# What a killed process leaves.


def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_run_left_half_written_is_removed_by_the_next(
    tmp_path: pathlib.Path,
) -> None:
    claim(tmp_path, CONFIG)
    pid, before = dead(), contents(tmp_path)
    for name in (f"bundle.{pid}.partial", f"bundle.{pid}.old.partial"):
        folder = tmp_path / name
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "parameters.npz").write_bytes(bytes(100))
    for name in ("results.json", "metrics.jsonl", "report.html"):
        (tmp_path / f"{name}.{pid}.partial").write_text("{")
    # A container may give the same number to every process that it begins with.
    (tmp_path / f"analysis.json.{os.getpid()}.partial").write_text("{")
    claim(tmp_path, CONFIG)
    assert contents(tmp_path) == before


def test_what_a_living_process_writes_stays_and_so_does_what_is_called_otherwise(
    tmp_path: pathlib.Path,
) -> None:
    kept = {f"results.json.{os.getppid()}.partial", "my.partial", "a.x1.partial"}
    for name in (*kept, f"other.{dead()}.partial"):
        (tmp_path / name).write_text("{")
    remove_leftovers(epath.Path(tmp_path), "results.json")
    assert f"results.json.{os.getppid()}.partial" in contents(tmp_path)
    assert len(contents(tmp_path)) == 4
    remove_leftovers(epath.Path(tmp_path))
    assert set(contents(tmp_path)) == kept


def test_two_commands_do_not_run_in_one_directory(tmp_path: pathlib.Path) -> None:
    workdir = tmp_path / "run"
    with (
        used_alone(workdir),
        used_alone(tmp_path / "other"),
        pytest.raises(WorkdirError, match="another command runs in .*run: wait for it"),
        used_alone(workdir),
    ):
        pytest.fail("two commands in one directory")
    assert list(tmp_path.iterdir()) == []
    with used_alone(workdir):
        assert not workdir.exists()
