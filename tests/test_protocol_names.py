"""A protocol is called what its split does, a table is headed with all its corpora."""

import pathlib
from typing import Any

import numpy as np
import pytest
from corpora_and_batches import LABELS, toy_corpus

from dann_jax.data.corpus import corpora_of
from dann_jax.data.manifest import write_manifest
from dann_jax.data.open import open_corpus
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol
from dann_jax.tasks.splits import ProtocolError

SPLITS: dict[str, tuple[str, dict[str, Any]]] = {
    "leave-one-speaker-out": ("leave_one_out", {"column": "speaker"}),
    "leave-one-session-out": ("leave_one_out", {"column": "session"}),
    "3 speaker groups": ("group_k_fold", {"column": "speaker", "k": 3}),
    "every corpus to every other": ("ordered_pairs", {"column": "corpus"}),
    "session s0, s1 -> s2": (
        "fixed_split",
        {"column": "session", "train": ("s0", "s1"), "test": ("s2",)},
    ),
    "leave-one-session-out (test gender f)": (
        "leave_one_out",
        {"column": "session", "test": {"gender": ("f",)}},
    ),
}


def protocol(split: str, arguments: dict, name: str = "") -> Protocol:
    return make_protocol(
        toy_corpus(),
        split=split,
        split_args=arguments,
        name=name,
        labels=LABELS,
        validation_folds=0,
    )


@pytest.mark.parametrize("name", SPLITS)
def test_the_name_follows_the_split(name: str) -> None:
    assert protocol(*SPLITS[name]).name == name
    assert protocol(*SPLITS[name], name=name).name == name
    assert protocol(*SPLITS[name], name="of my own").name == "of my own"


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    "name",
    [
        *("leave-one-speaker-out", "Leave one session out", "leave_one_speaker_out"),
        *("3 speaker groups", "5 groups of speakers", "10-fold", "4 folds"),
        "every corpus to every other",
    ],
)
def test_a_name_that_tells_of_another_split_is_refused(name: str, split: str) -> None:
    words = name.lower().replace("_", "-").replace(" ", "-")
    if words in split.replace(" ", "-"):
        assert protocol(*SPLITS[split], name=name).name == name
        return
    with pytest.raises(ProtocolError, match=r"but the split is .*: leave the name"):
        protocol(*SPLITS[split], name=name)


@pytest.mark.parametrize(
    ("corpora", "name"),
    [
        (("emodb",), "emodb"),
        (("urdu", "emodb", "ravdess", "emovo"), "emodb, emovo, ravdess, urdu"),
        (tuple("abcde"), "5 corpora"),
        (("emodb", "", "unknown"), "emodb"),
        (("", "?"), "table"),
    ],
)
def test_a_table_is_headed_with_all_of_its_corpora(
    corpora: tuple[str, ...], name: str, tmp_path: pathlib.Path
) -> None:
    columns = {
        "utt_id": np.array([f"u{row}" for row in range(len(corpora))]),
        "speaker": np.array([f"s{row}" for row in range(len(corpora))]),
        "emotion": np.full(len(corpora), "anger"),
        "corpus": np.array(corpora),
    }
    folder = tmp_path / "table"
    folder.mkdir()
    write_manifest(folder / "manifest.csv", columns)
    np.savez(folder / "features.npz", x=np.zeros((len(corpora), 2)))
    corpus = open_corpus(folder)
    assert corpus.name == name
    known = sorted({*corpora} - {"", "?", "unknown"})
    assert corpora_of(corpus) == (known or ["table"])
    if known:
        assert open_corpus(folder, rows={"corpus": known[:1]}).name == known[0]
