"""A wild value of a config is refused in a line or can be run; nothing else happens."""

import pathlib

import pytest
from commands import Call, assert_refused
from commands import call as call

from benchmarks import wild_configs
from dann_jax.cli import train


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return wild_configs.write_corpus(tmp_path_factory.mktemp("wild"))


@pytest.mark.slow
def test_no_wild_value_is_a_fault(source: pathlib.Path) -> None:
    for draw in wild_configs.draws(60, seed=11):
        tried = wild_configs.attempt(draw[0], source, *draw[1:])
        assert tried.outcome in ("valid", "refused"), (draw, tried.said)
        assert len(tried.said) <= 600


@pytest.mark.parametrize(
    ("name", "key", "value", "words"),
    [
        ("", "protocol.labels", (0,), "config.protocol.labels must be a list, each"),
        ("", "protocol.labels", 3.7, "config.protocol.labels must be a list"),
        ("", "data.modalities", 2, "config.data.modalities must be a list"),
        ("", "heads.domain_hidden", 2**64, "config.heads.domain_hidden must be a list"),
        ("", "heads.domain_hidden", (2**64,), "each of it at most 32768"),
        ("", "encoder.width", 10**8, "config.encoder.width must be at most 32768"),
        ("", "batches.batch_size", 10**8, "batches.batch_size must be at most"),
        ("", "seeds", 10**6, "config.seeds must be at most 10000"),
        ("", "optimizer.learning_rate", 1e308, "learning_rate must be at most 10"),
        ("", "optimizer.weight_decay", 1e30, "weight_decay must be at most 10"),
        ("", "average_decay", 1.0, "config.average_decay must be from 0 to below 1"),
        ("", "arms.dann.speaker", 1e30, "config.arms.dann.speaker must be at most"),
        ("", "arms.dann.speaker", float("nan"), "a number, at least 0, got nan"),
        ("", "strength", 3, "config.strength"),
        ("", "timetable", {"name": "x"}, "config.timetable"),
        ("", "protocol", {"a": 1}, "config.protocol.split is missing"),
        ("", "selection", {}, "config.selection must be one of"),
        ("", "encoder.frames.name", "lstm", "lstm"),
        (
            "lian2019",
            "encoder.frames.name",
            "tdnn_lstm",
            "encoder.frames has no effect",
        ),
        ("lian2019", "encoder.augmentation.gain", 1.0, "augmentation has no effect"),
        ("", "protocol.allowed_leaks", ("speaker",), "in no fold do labelled and test"),
        ("", "protocol.allowed_leaks", ("gender",), "nothing keeps rows apart by it"),
        ("zhou2018", "strength.own.fine_tuning", "abc", "strength.own.fine_tuning"),
        ("zhou2018", "strength.own", (1,), "config.strength.own must be a section"),
        (
            "lu2024",
            "objective.refresh_epochs",
            float("inf"),
            "objective.refresh_epochs",
        ),
        ("latif2022", "optimizer.players.generator.weight_decay", 1e30, "at most 10"),
    ],
)
def test_what_is_wrong_is_said_by_its_key(
    name: str, key: str, value: object, words: str, source: pathlib.Path
) -> None:
    tried = wild_configs.attempt(name, source, key, value)
    assert tried.outcome == "refused" and words in tried.said, tried


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("protocol.validation_column=nobody", "config.protocol.validation_folds is 0"),
        ("encoder.own_heads=2", "config.encoder.context is False"),
    ],
)
def test_a_flag_without_effect_is_refused(key: str, words: str, call: Call) -> None:
    assert_refused(call(train, f"--config.{key}"), "has no effect", words)


def test_an_arm_with_a_dot_is_told_in_words(
    call: Call,
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from dann_jax import base_config\n"
        "def get_config():\n"
        "    config = base_config()\n"
        "    config.arms = {'s0.3': {'speaker': 0.3}}\n"
        "    return config\n"
    )
    ended = call(train, f"--config={path}", "--show_config")
    assert_refused(ended, "mine.py", "'s0.3' holds a dot")
