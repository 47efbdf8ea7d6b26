"""The command line: what it explains, and one line for whatever the user can mend."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping

import pytest
from runs import tiny_config, tiny_corpus, write_table

from dann_jax.cli.console import exit_on_unknown_key, exit_with_message
from dann_jax.experiment import train_and_evaluate
from dann_jax.objectives import OBJECTIVES
from dann_jax.training.loop import TrainingDiverged
from dann_jax.training.selection import SELECTIONS
from dann_jax.workdir import claim


def dann_train(*flags: str) -> subprocess.CompletedProcess:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "dann_jax.cli.train", *flags],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[1])},
        timeout=120,
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("table"), tiny_corpus())


@pytest.mark.slow
def test_help_says_how_to_name_an_experiment_and_its_folder() -> None:
    shown = dann_train("--help").stdout
    for word in ("--config", "--config.KEY=VALUE", "--workdir", "--cpu_devices"):
        assert word in shown
    assert "voices.py" in shown


@pytest.mark.slow
@pytest.mark.parametrize("named", [False, True], ids=["default", "named"])
def test_an_unknown_config_key_is_one_line_that_names_a_close_one(
    named: bool, tmp_path: pathlib.Path
) -> None:
    config = pathlib.Path(__file__).parents[1] / "configs" / "synthetic.py"
    flags = [f"--config={config}"] if named else []
    workdir = tmp_path / "run"
    ended = dann_train(*flags, "--config.encoder.widht=3", f"--workdir={workdir}")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: the config has no key 'widht'")
    assert '"width"' in line
    assert not workdir.exists()


@pytest.mark.slow
def test_the_folder_of_another_config_is_one_line_that_names_the_difference(
    table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    claim(tmp_path, tiny_config(table, {"seeds": 2}).to_dict())
    tests = str(pathlib.Path(__file__).parent)
    config = tmp_path / "config.py"
    config.write_text(
        f"import sys\nsys.path.insert(0, {tests!r})\nfrom runs import tiny_config\n"
        f"def get_config():\n    return tiny_config({str(table)!r})\n"
    )
    ended = dann_train(f"--config={config}", f"--workdir={tmp_path}")
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"error: {tmp_path} belongs to a run with another config")
    assert "config.seeds is 1, was 2" in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objective.name": "dan"}, ["'dan'", *OBJECTIVES]),
        ({"strength.name": "slow"}, ["'slow'", "ganin"]),
        ({"selection": "best"}, ["'best'", *SELECTIONS]),
        ({"baseline": "nothing"}, ["'nothing'", "source_only", "dann"]),
        ({"optimizer.name": "lion"}, ["'lion'", "adam", "sgd"]),
        ({"protocol.split": "random"}, ["'random'", "fixed_split"]),
        ({"data.source": "/nowhere/at/all"}, ["no such folder", "/nowhere/at/all"]),
        ({"adversaries.speaker.column": "accent"}, ["'accent'", "speaker", "gender"]),
        ({"protocol.validation_folds": 0}, ["source-validation", "validation_folds"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_value_is_one_line_that_says_what_is_right_before_anything_is_written(
    changes: Mapping[str, object],
    words: list[str],
    table: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    workdir = tmp_path / "run"
    with pytest.raises(SystemExit) as ended, exit_with_message():
        train_and_evaluate(tiny_config(table, changes), workdir)
    line = ended.value.code
    assert line.startswith("error: ") and "\n" not in line
    for word in words:
        assert word in line
    assert not workdir.exists()


@pytest.mark.parametrize(
    "error",
    [ValueError("a b"), FileNotFoundError("a b"), TrainingDiverged("a b")],
    ids=lambda error: type(error).__name__,
)
def test_what_the_user_can_mend_ends_in_its_message(error: Exception) -> None:
    # A string as the code makes Python print it and exit with 1.
    with pytest.raises(SystemExit, match="^error: a b$"), exit_with_message():
        raise error


def test_an_interrupt_says_how_to_go_on() -> None:
    with pytest.raises(SystemExit, match="the same command"), exit_with_message():
        raise KeyboardInterrupt


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_with_message():
        raise ZeroDivisionError


@pytest.mark.parametrize("error", [AttributeError, KeyError])
def test_the_innermost_reason_is_told_about_an_unknown_key(
    error: type[Exception],
) -> None:
    reason = KeyError("'x'\nDid you mean y?")
    with pytest.raises(SystemExit, match="no key 'x' Did"), exit_on_unknown_key():
        raise error(reason)
