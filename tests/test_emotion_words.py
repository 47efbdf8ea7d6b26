"""One cleaning of emotion words for all entrances, and what a run says of them."""

import logging
import pathlib

import numpy as np
import pytest
from runs import tiny_config

from dann_jax.data.harmonise import match_labels
from dann_jax.data.manifest import read_manifest, write_manifest
from dann_jax.data.open import open_corpus
from dann_jax.data.readers.catalogue import read_audio_corpus
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.row_counts import describe_rows
from dann_jax.tasks.splits import ProtocolError

FOUR = ("anger", "happiness", "neutral", "sadness")
WRITTEN = {
    "anger": ("Anger", "anger ", "ANGRY", "\u00a0mad", "rage"),
    "happiness": ("Happy", "joy", "happiness\t"),
    "surprise": ("Pleasant_Surprise", "pleasant surprise", "surprised"),
    "": ("", "n/a", "unknown", "None", "?"),
}


def table(
    folder: pathlib.Path, words: list[str], name: str = "emotion"
) -> pathlib.Path:
    """A feature table in which each of four people says every word."""
    rows = [(f"s{person}", word) for person in range(4) for word in words]
    columns = {
        "utt_id": np.array([f"u{row}" for row in range(len(rows))]),
        "speaker": np.array([speaker for speaker, _ in rows]),
        "emotion": np.full(len(rows), ""),
        name: np.array([word for _, word in rows]),
    }
    folder.mkdir(exist_ok=True)
    write_manifest(folder / "manifest.csv", columns)
    values = np.random.default_rng(0).normal(size=(len(rows), 6))
    np.savez(folder / "features.npz", acoustic=values)
    return folder


@pytest.mark.parametrize(
    ("emotion", "word"), [(e, word) for e, words in WRITTEN.items() for word in words]
)
def test_a_word_means_the_same_at_every_entrance(
    emotion: str, word: str, tmp_path: pathlib.Path
) -> None:
    opened = open_corpus(table(tmp_path / "table", [word, "fear"]))
    assert set(opened.columns["emotion"]) == {emotion, "fear"}
    audio = tmp_path / "audio"
    audio.mkdir()
    (audio / "a.wav").touch()
    row = {"file": "a.wav", "speaker": "ann", "emotion": word}
    write_manifest(audio / "manifest.csv", {k: np.array([v]) for k, v in row.items()})
    assert read_audio_corpus("manifest", audio)["emotion"].tolist() == [emotion]


@pytest.mark.parametrize(
    ("words", "labels", "expected"),
    [
        (["joy", "Joy "], ["joy"], ["joy", "joy"]),
        (["none", "laugh"], ["none", "laugh"], ["none", "laugh"]),
        (["A", "a", "a "], ["A", "a"], ["A", "a", "a"]),
        (["excited", "happy"], ["excited"], ["excited", "happiness"]),
        (["7", "seven"], list("0123456789"), ["7", "seven"]),
        (["Wut", "no_agreement"], [], ["Wut", "no_agreement"]),
    ],
)
def test_labels_of_the_config_win(
    words: list[str], labels: list[str], expected: list[str], tmp_path: pathlib.Path
) -> None:
    opened = open_corpus(table(tmp_path / "table", words), labels=labels)
    assert opened.columns["emotion"].tolist()[: len(words)] == expected


def test_two_labels_of_one_spelling_are_matched_exactly_or_not_at_all() -> None:
    words = np.array(["Up", "up", "UP"])
    assert match_labels(words, ["Up", "up"]).tolist() == ["Up", "up", "UP"]


def test_a_map_of_ones_own_names_words_of_a_table(tmp_path: pathlib.Path) -> None:
    made = table(tmp_path / "table", ["Wut", "Freude", "Sonstiges"])
    own = tmp_path / "map.csv"
    own.write_text("word,emotion\nwut,anger\nFREUDE,happiness\nsonstiges,\n")
    opened = open_corpus(made, emotions=own)
    assert opened.columns["emotion"].tolist()[:3] == ["anger", "happiness", ""]


def test_labels_of_another_column_may_be_written_in_another_way(
    tmp_path: pathlib.Path,
) -> None:
    made = table(tmp_path / "table", ["Angry", "sad ", "laughs"], "emotion6")
    protocol = make_protocol(
        open_corpus(made),
        split="leave_one_out",
        split_args={"column": "speaker"},
        labels=("anger", "sadness"),
        label_column="emotion6",
        validation_folds=0,
    )
    assert np.bincount(protocol.label + 1).tolist() == [4, 4, 4]


def test_names_are_never_matched_by_how_they_are_written(
    tmp_path: pathlib.Path,
) -> None:
    made = table(tmp_path / "table", ["anger", "sadness"])
    with pytest.raises(ProtocolError, match="no labelled utterance of S0"):
        make_protocol(
            open_corpus(made),
            split="leave_one_out",
            split_args={"column": "speaker"},
            labels=("S0", "s1"),
            label_column="speaker",
            allowed_leaks=("speaker",),
            validation_folds=0,
        )


def test_a_run_says_what_it_learns_from(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = [*FOUR, "Anger", "Wut", "Wut", "no_agreement", "unknown"]
    config = tiny_config(
        table(tmp_path / "table", words),
        {
            **{"protocol.split": "leave_one_out", "protocol.labels": FOUR},
            **{"protocol.validation_folds": 0, "selection": "last"},
        },
    )
    with config.unlocked():
        config.protocol.split_args = {"column": "speaker"}
    with caplog.at_level(logging.INFO, logger="dann_jax"):
        build_task_and_layout(config)
    said = [record.getMessage() for record in caplog.records]
    assert any(
        line.startswith("36 rows: 20 labelled (anger 8, happiness 4, neutral 4, ")
        and "16 unlabelled (Wut 8, no_agreement 4, without a known emotion 4)" in line
        for line in said
    )
    (unknown,) = [line for line in said if "unknown emotion words" in line]
    assert "Wut (8); map them with --config.data.emotions=MAP.csv" in unknown


@pytest.mark.parametrize("labels", [(0, 1), 3.7, "anger", (None,)])
def test_labels_that_are_no_words_are_refused_in_one_line(
    labels: object, tmp_path: pathlib.Path
) -> None:
    made = table(tmp_path / "table", ["anger", "sadness"])
    with pytest.raises(ValueError, match=r"protocol\.labels must be a list"):
        open_corpus(made, labels=labels)
    with pytest.raises(ValueError, match=r"protocol\.labels must be a list"):
        make_protocol(
            open_corpus(made),
            split="leave_one_out",
            split_args={"column": "speaker"},
            labels=labels,
        )


def test_iemocap_is_what_its_table_says(shared_data: pathlib.Path) -> None:
    folder = shared_data / "iemocap"
    corpus = open_corpus(folder, labels=FOUR)
    written = read_manifest(folder / "manifest.csv")
    for name, values in written.items():
        np.testing.assert_array_equal(corpus.columns[name], values)
    protocol = make_protocol(
        corpus, split="leave_one_out", split_args={"column": "session"}, labels=FOUR,
        validation_folds=0,
    )  # fmt: skip
    (line,) = describe_rows(protocol, corpus)
    assert "5531 labelled (anger 1103, happiness 1636, neutral 1708, sadness" in line
    assert "no_agreement 2507" in line
