"""Binary arousal and valence from emotion categories."""

import numpy as np
from corpora_and_batches import toy_corpus

from dann_jax.data.corpus import Corpus
from dann_jax.data.dimensions import DIMENSIONS, with_dimensions
from dann_jax.data.harmonise import EMOTIONS
from dann_jax.data.open import open_corpus


def of_emotions(*words: str, **columns: np.ndarray) -> Corpus:
    ids = np.arange(len(words)).astype(str)
    known = {"utt_id": ids, "speaker": ids, "emotion": np.array(words), **columns}
    return Corpus(name="words", columns=known, features={}, present={})


def test_every_emotion_of_the_package_has_both_or_neither() -> None:
    columns = with_dimensions(of_emotions(*EMOTIONS)).columns
    arousal, valence = (columns[name] for name in DIMENSIONS)
    assert set(arousal) == {"high", "low", ""}
    assert set(valence) == {"positive", "negative", ""}
    neither = {"contempt", "other"}
    assert set(columns["emotion"][arousal == ""]) == neither
    assert set(columns["emotion"][valence == ""]) == neither


def test_the_four_common_emotions_fill_the_four_quadrants() -> None:
    columns = with_dimensions(
        of_emotions("anger", "happiness", "sadness", "neutral")
    ).columns
    assert columns["binary_arousal"].tolist() == ["high", "high", "low", "low"]
    assert columns["binary_valence"].tolist() == [
        *("negative", "positive", "negative", "positive")
    ]


def test_columns_that_are_there_are_kept() -> None:
    own = np.array(["low", "low"])
    columns = with_dimensions(of_emotions("anger", "joy", binary_arousal=own)).columns
    assert columns["binary_arousal"] is own
    assert columns["binary_valence"].tolist() == ["negative", ""]


def test_a_corpus_without_emotions_comes_back_as_it_is() -> None:
    corpus = toy_corpus()
    del corpus.columns["emotion"]
    assert with_dimensions(corpus) is corpus


def test_every_opened_corpus_has_them() -> None:
    assert set(DIMENSIONS) <= set(open_corpus("synthetic").columns)
