"""Rows by value: those that are left out are not there to anything that follows."""

import dataclasses
import pathlib

import numpy as np
import pytest
from config_steps import utterances
from corpora_and_batches import toy_corpus
from runs import write_table

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.frames import Frames
from dann_jax.data.open import open_corpus
from dann_jax.data.selection import keep_rows, rows_with

CORPUS = toy_corpus()
EMOTION, SESSION = CORPUS.columns["emotion"], CORPUS.columns["session"]


def with_frames(corpus: Corpus) -> Corpus:
    lengths = np.arange(len(corpus)) % 3 + 1
    values = np.arange(2.0 * lengths.sum()).reshape(-1, 2)
    return dataclasses.replace(
        corpus, features={**corpus.features, "frames": Frames(values, lengths)}
    )


def test_rows_pass_every_filter_at_once() -> None:
    wanted = {"emotion": ("anger", "joy"), "session": ["s1"]}
    expected = np.isin(EMOTION, ("anger", "joy")) & (SESSION == "s1")
    np.testing.assert_array_equal(rows_with(CORPUS, wanted), expected)
    assert rows_with(CORPUS, {}).all()


def test_columns_features_and_frames_keep_the_same_rows() -> None:
    corpus = with_frames(CORPUS)
    rows = np.flatnonzero(EMOTION == "anger")
    kept = keep_rows(corpus, {"emotion": ("anger",)})
    for name, column in corpus.columns.items():
        np.testing.assert_array_equal(kept.columns[name], column[rows])
    for name in ("audio", "text"):
        np.testing.assert_array_equal(kept.features[name], corpus.features[name][rows])
        np.testing.assert_array_equal(kept.present[name], corpus.present[name][rows])
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(
            kept.features["frames"].row(place), corpus.features["frames"].row(row)
        )
    assert keep_rows(corpus, {}) is corpus


def test_an_unknown_column_or_value_is_refused_with_what_there_is() -> None:
    with pytest.raises(CorpusError, match=r"no column 'mood'.*emotion"):
        keep_rows(CORPUS, {"mood": ("good",)})
    with pytest.raises(CorpusError, match=r"no value 'Joy'; it has anger, joy, other"):
        keep_rows(CORPUS, {"emotion": ("anger", "Joy")})
    with pytest.raises(CorpusError, match=r"none named.*anger, joy, other"):
        keep_rows(CORPUS, {"emotion": ()})
    with pytest.raises(CorpusError, match=r"a list such as \('joy',\)"):
        keep_rows(CORPUS, {"emotion": "joy"})


def test_filters_that_no_row_passes_are_refused() -> None:
    with pytest.raises(
        CorpusError, match=r"no row with speaker in \['s0f'\] and session in \['s1'\]"
    ):
        keep_rows(CORPUS, {"speaker": ("s0f",), "session": ("s1",)})


def test_an_opened_corpus_has_these_rows_and_is_standardised_over_them_alone(
    tmp_path: pathlib.Path,
) -> None:
    source = write_table(tmp_path, utterances())
    rows = {"emotion": ("anger", "sadness")}
    corpus = open_corpus(source, rows=rows, standardise_by="corpus")
    assert set(corpus.columns["emotion"]) == {"anger", "sadness"}
    for name in ("east", "west"):
        own = corpus.features["functionals"][corpus.columns["corpus"] == name]
        np.testing.assert_allclose(own.mean(0), 0.0, atol=1e-6)
    # Columns that are made from others can be asked for too.
    high = open_corpus(source, rows={"binary_arousal": ("high",)})
    assert set(high.columns["emotion"]) == {"anger", "happiness"}
