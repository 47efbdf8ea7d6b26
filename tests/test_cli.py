"""The command line: what it explains, and one line for whatever the user can mend."""

import json
import pathlib
import signal
from collections.abc import Mapping
from types import ModuleType

import pytest
from commands import Call, assert_refused
from commands import call as call
from jax.errors import JaxRuntimeError
from ml_collections import ConfigDict
from runs import tiny_config, tiny_corpus, write_table

from dann_jax.cli import export, predict, prepare, train
from dann_jax.cli.config import change_config, keys, load_config
from dann_jax.cli.console import exit_with_message
from dann_jax.evaluation.selection import SELECTIONS
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.experiment.workdir import claim
from dann_jax.objectives import OBJECTIVES
from dann_jax.training.interruption import Interrupted
from dann_jax.training.loop import TrainingDiverged

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("table"), tiny_corpus())


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (train, ["--config", "--config.KEY=VALUE", "--workdir", "voices"]),
        (prepare, ["--corpus", "manifest", "--[no]strict"]),
        (predict, ["--model", "--window"]),
        (export, ["--model", "--output"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, ModuleType) else "",
)
def test_help_is_about_this_command_alone(
    module: ModuleType, words: list[str], call: Call
) -> None:
    ended = call(module, "--help")
    assert (ended.code, ended.err) == (0, "")
    for word in [*words, "--helpfull"]:
        assert word in ended.out
    # One of Abseil's own.
    assert "--verbosity" not in ended.out
    assert "--verbosity" in call(module, "--helpfull").out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--config=configs/speakers.py:nonsense"], ["'nonsense'", "emodb", "urdu"]),
        (["--config=voices:nonsense"], ["no variants", "'nonsense'"]),
        (["--config=configs/speker.py"], ["speker.py'", "did you mean speakers?"]),
        (["--config="], ["no config file ''", "lian2019"]),
        (["--config={tmp}/syntax.py"], ["{tmp}/syntax.py, line 2: "]),
        (["--config={tmp}/fails.py"], ["{tmp}/fails.py, line 2: ZeroDivisionError"]),
        (["--config={tmp}/empty.py"], ["{tmp}/empty.py defines no function"]),
        (["--config={tmp}/none.py"], ["returned None, no ConfigDict"]),
        (["--config={tmp}/other.py"], ["lacks adversaries, analysis, arms"]),
        (["--config.epochs=3"], ["no key 'epochs'", "mean timetable.epochs?"]),
        (["--config.encoder.widht=3"], ["'encoder.widht'", "mean encoder.width"]),
        (["--config.=3"], ["no key ''"]),
        (["--config.arms.mine.speaker=1"], ["no 'arms.mine.speaker'", "source_only"]),
        (["--config.arms.dann.gender=1"], ["no 'arms.dann.gender'", "of your own"]),
        (["--config.arms.dann.speeker=1"], ["did you mean arms.dann.speaker?"]),
        (["--config.timetable.epochs=abc"], ["epochs=abc", "must be a whole number"]),
        (
            ["--config.encoder.context=maybe"],
            ["=maybe", "must be True or False"],
        ),
        (["--config.timetable=3"], ["timetable=3", "not a dict"]),
        (["--config.seeds"], ["--config.seeds"]),
        (["--wrkdir=x"], ["unknown flag --wrkdir", "mean --workdir?"]),
        (["--cpu_devices=-1"], ["--cpu_devices=-1"]),
        (["runs/x"], ["unexpected argument 'runs/x'"]),
    ],
    ids=lambda value: value[0].replace("{tmp}/", "") if value else "",
)
def test_a_wrong_flag_is_one_line_that_says_what_is_right(
    flags: list[str], words: list[str], call: Call, tmp_path: pathlib.Path
) -> None:
    files = {
        "syntax": "def get_config():\n    return (\n",
        "fails": "def get_config():\n    return 1 / 0\n",
        "empty": "",
        "none": "def get_config():\n    pass\n",
        "other": "from ml_collections import ConfigDict as get_config\n",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    workdir = tmp_path / "run"
    ended = call(
        train, f"--workdir={workdir}", *(flag.format(tmp=tmp_path) for flag in flags)
    )
    assert_refused(ended, *(word.format(tmp=tmp_path) for word in words))
    assert not workdir.exists()


def test_keys_are_set_by_their_dotted_names_and_shown(call: Call) -> None:
    ended = call(
        train,
        "--show_config",
        *("--config.seeds", "5", "--config.encoder.context"),
        "--config.protocol.labels=anger,neutral",
        # The order of the flags does not matter.
        f"--config={CONFIGS / 'synthetic.py'}",
        "--noconfig.encoder.own_turns",
    )
    assert (ended.code, ended.err) == (0, "")
    shown = dict(line.split(" = ", 1) for line in ended.out.splitlines())
    assert shown["seeds"] == "5" and shown["data.source"] == "'synthetic'"
    assert shown["encoder.context"] == "True"
    assert shown["encoder.own_turns"] == "False"
    assert shown["protocol.labels"] == "('anger', 'neutral')"
    assert shown["arms.source_only"] == "{}"


@pytest.mark.parametrize(
    ("named", "change", "value"),
    [
        ("synthetic", "protocol.split_args.test=3,4", ("3", "4")),
        ("synthetic", "protocol.split_args.test=3", ("3",)),
        ("synthetic", "protocol.split_args.test=('3', '4')", ("3", "4")),
        ("synthetic", "protocol.split_args.test=Ses 01.F, 4", ("Ses 01.F", "4")),
        ("adapt", "protocol.labels=1,2", ("1", "2")),
        ("adapt", "data.modalities=voice", ("voice",)),
        ("adapt", "data.layers=1,2", (1, 2)),
        ("adapt", "heads.domain_hidden=8,16", (8, 16)),
    ],
)
def test_in_a_list_of_words_numbers_are_words(
    named: str, change: str, value: tuple
) -> None:
    config = load_config(named)
    change_config(config, ["", f"--config.{change}"])
    assert dict(keys(config))[change.partition("=")[0]] == value


@pytest.mark.parametrize(
    "named", ["configs/synthetic.py", "synthetic.py", "synthetic"], ids=str
)
def test_configs_of_the_package_are_found_from_anywhere(
    named: str, call: Call, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call(train, f"--config={named}", "--show_config")
    assert "data.source = 'synthetic'" in ended.out
    (tmp_path / "synthetic.py").write_text("1 / 0")
    ended = call(train, "--config=synthetic.py", "--show_config")
    assert_refused(ended, "synthetic.py, line 1: ZeroDivisionError")


def test_the_folder_of_another_config_is_one_line_that_names_the_difference(
    table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    claim(tmp_path, tiny_config(table, {"seeds": 2}).to_dict())
    with pytest.raises(SystemExit) as ended, exit_with_message():
        train_and_evaluate(tiny_config(table), tmp_path)
    line = ended.value.code
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
        ({"data.source": ""}, ["config.data.source is empty"]),
        ({"timetable.epochs": -1}, ["config.timetable.epochs", "at least 1, got -1"]),
        ({"seeds": 0}, ["config.seeds", "at least 1, got 0"]),
        ({"optimizer.learning_rate": -1.0}, ["learning_rate", "above 0, got -1"]),
        ({"optimizer.learning_rate": float("nan")}, ["above 0, got nan"]),
        ({"batches.batch_size": 0}, ["config.batches.batch_size", "at least 1"]),
        ({"arms.dann.speaker": -1.0}, ["config.arms.dann.speaker", "at least 0"]),
        ({"encoder.width": 0}, ["config.encoder.width", "at least 1"]),
        ({"encoder.heads": 3}, ["divide config.encoder.width, 8, got 3"]),
        ({"encoder.dropout": 1.0}, ["from 0 to below 1, got 1.0"]),
        ({"encoder.dtype": "float99"}, ["float99", "bfloat16"]),
        ({"heads.domain_hidden": (8, 0)}, ["config.heads.domain_hidden", "(8, 0)"]),
        ({"heads.conditional": ("accent",)}, ["'accent'", "speaker"]),
        ({"bundle.arm": "cdan"}, ["config.bundle.arm", "'cdan'", "dann"]),
        ({"protocol.labels": ("anger",)}, ["two or more", "got anger"]),
        ({"protocol.split": "group_k_fold"}, ["group_k_fold", "'k'", "column, k"]),
        ({"timetable": ConfigDict({"epoch": 3})}, ["'epochs'", "evaluate_every"]),
        ({"objective": ConfigDict({})}, ["config.objective.name is missing"]),
        (
            {"objective": ConfigDict({"name": "dann", "smooth": 1})},
            ["'dann'", "'smooth'", "label_smoothing"],
        ),
        (
            {"adversaries": ConfigDict({"generator": {"column": "speaker"}})},
            ["'generator'", "parts of the network"],
        ),
        (
            {"adversaries": ConfigDict({"speaker": {"colunm": "speaker"}})},
            ["config.adversaries.speaker needs a column"],
        ),
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
    [
        *(ValueError("a\nb"), FileNotFoundError("a b"), TrainingDiverged("a b")),
        OSError(28, "a b"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_user_can_mend_ends_in_its_message(error: Exception) -> None:
    # A string as the code makes Python print it and exit with 1.
    with pytest.raises(SystemExit, match="^error: a b$"), exit_with_message():
        raise error


def test_a_full_disk_is_told_with_what_was_being_written() -> None:
    message = "^error: No space left on device: while writing to runs/x$"
    with (
        pytest.raises(SystemExit, match=message),
        exit_with_message(writes_to="runs/x"),
    ):
        raise OSError(28, "No space left on device")
    with (
        pytest.raises(SystemExit, match="No space left on device: a/b$"),
        exit_with_message(writes_to="runs/x"),
    ):
        raise OSError(28, "No space left on device", "a/b")


@pytest.mark.parametrize(
    "error", [ValueError("x" * 100_000), OSError(2, "none", "y" * 100_000)]
)
def test_a_long_value_makes_no_long_error(error: Exception) -> None:
    with pytest.raises(SystemExit) as ended, exit_with_message():
        raise error
    assert len(ended.value.code) < 700


def test_what_is_nested_too_deeply_is_one_line() -> None:
    with (
        pytest.raises(SystemExit, match="^error: .* nested too deeply"),
        exit_with_message(),
    ):
        json.loads("[" * 100_000)


@pytest.mark.parametrize(
    "error", [MemoryError("1 TB"), JaxRuntimeError("RESOURCE_EXHAUSTED: 1 TB")], ids=str
)
def test_what_needs_too_much_memory_is_told_what_needs_less(error: Exception) -> None:
    with (
        pytest.raises(SystemExit, match=r"memory \(.*1 TB\); a smaller batches"),
        exit_with_message(),
    ):
        raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (Interrupted(signal.SIGINT, 7), 130),
        (Interrupted(signal.SIGTERM, 7), 143),
    ],
)
def test_an_interrupt_says_how_to_go_on_and_ends_as_in_a_shell(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, exit_with_message():
        raise error
    assert ended.value.code == code
    (line,) = capsys.readouterr().err.splitlines()
    assert "the same command goes on from" in line


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_with_message():
        raise ZeroDivisionError
