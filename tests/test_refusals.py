"""What cannot be learned from is refused in words, before anything is written."""

import pathlib
from collections.abc import Callable

import numpy as np
import pytest
from runs import tiny_config

from dann_jax.data.manifest import write_manifest
from dann_jax.experiment.build import build_task_and_layout

Change = Callable[[dict, dict], None]
CLASSES = ("anger", "happiness", "neutral", "sadness")


def write(folder: pathlib.Path, change: Change) -> pathlib.Path:
    """A table of four speakers that say every class three times, changed."""
    rows = range(48)
    columns = {
        "utt_id": np.array([f"u{row}" for row in rows]),
        "speaker": np.array([f"s{row % 4}" for row in rows]),
        "emotion": np.array([CLASSES[row // 4 % 4] for row in rows]),
    }
    arrays = {"acoustic": np.random.default_rng(0).normal(size=(48, 6))}
    change(columns, arrays)
    table = folder / "table"
    table.mkdir()
    write_manifest(table / "manifest.csv", columns)
    np.savez(table / "features.npz", **arrays)
    return table


def column(name: str, value: str) -> Change:
    return lambda columns, arrays: columns.update({name: np.array([value] * 48)})


def values(value: float) -> Change:
    return lambda columns, arrays: arrays["acoustic"].put(20, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (values(np.nan), "1 rows of 'acoustic' hold NaN or infinite values: u3"),
        (values(np.inf), "1 rows of 'acoustic' hold NaN or infinite values: u3"),
        (column("speaker", "s0"), "need at least 2 different values; .* has 1: s0"),
        (column("speaker", ""), "48 rows of .* have no value of 'speaker'"),
        (column("emotion", "anger"), "no labelled utterance of happiness.* of anger"),
        (column("emotion", ""), "no labelled utterance of anger.* of nothing"),
        (
            lambda columns, arrays: arrays.update(acoustic_present=np.zeros(48, bool)),
            "no labelled utterance has the modality 'acoustic'",
        ),
        (
            lambda columns, arrays: arrays.update(acoustic=np.zeros((48, 0))),
            "'acoustic' has 0 values a row",
        ),
    ],
)
def test_a_corpus_that_cannot_be_learned_from(
    change: Change, words: str, tmp_path: pathlib.Path
) -> None:
    changes = {
        **{"protocol.split": "leave_one_out", "protocol.labels": CLASSES},
        **{"protocol.validation_folds": 0, "selection": "last"},
    }
    config = tiny_config(write(tmp_path, change), changes)
    with config.unlocked():
        config.protocol.split_args = {"column": "speaker"}
    with pytest.raises(ValueError, match=words):
        build_task_and_layout(config)


def test_the_folder_above_a_table_names_the_table(tmp_path: pathlib.Path) -> None:
    table = write(tmp_path, lambda columns, arrays: None)
    with pytest.raises(ValueError, match=f"did you mean {table}"):
        build_task_and_layout(tiny_config(tmp_path))
    (table / "provenance.json").write_text("{")
    with pytest.raises(ValueError, match=r"provenance.json is not JSON"):
        build_task_and_layout(tiny_config(table))
