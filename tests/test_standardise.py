"""Standardisation: who enters the statistics, and who must not."""

import dataclasses

import numpy as np
import pytest

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.normalise import standardise_by
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.standardise import fit_standardiser

ROWS = 12
ROLES = np.array(
    [
        [Role.LABELLED] * 5 + [Role.UNLABELLED] * 2 + [Role.VALIDATION] * 2
        + [Role.TEST] * 2 + [Role.HELD_OUT],
        [Role.TEST] * 4 + [Role.VALIDATION] + [Role.UNLABELLED] * 2
        + [Role.LABELLED] * 5,
    ],
    np.int8,
)  # fmt: skip


@pytest.fixture
def corpus() -> Corpus:
    """Two modalities that are not standard at all; some rows have no text."""
    rng = np.random.default_rng(0)
    present = np.ones(ROWS, bool)
    present[[1, 8, 11]] = False
    return Corpus(
        name="tiny",
        columns={
            "utt_id": np.array([f"u{row}" for row in range(ROWS)]),
            "speaker": np.array(["Ann", "Bob", "Cat"] * 4),
        },
        features={
            "audio": rng.normal([3, -40], [0.5, 9], (ROWS, 2)).astype(np.float32),
            "text": rng.normal(1, 2, (ROWS, 3)).astype(np.float32),
        },
        present={"audio": np.ones(ROWS, bool), "text": present},
        provenance={"extractor": "dice"},
    )


@pytest.fixture
def protocol() -> Protocol:
    return Protocol(
        name="two folds",
        folds=("one", "two"),
        roles=ROLES,
        labels=("anger", "joy"),
        label=np.arange(ROWS, dtype=np.int32) % 2,
        test_side=np.zeros_like(ROLES, bool),
        adapt_side=np.zeros_like(ROLES, bool),
        transductive=True,
    )


def with_audio(corpus: Corpus, rows: np.ndarray, value: float) -> Corpus:
    audio = corpus.features["audio"].copy()
    audio[rows] = value
    return dataclasses.replace(corpus, features={**corpus.features, "audio": audio})


def test_mean_and_deviation_of_each_folds_labelled_rows(
    corpus: Corpus, protocol: Protocol
) -> None:
    mean, scale = fit_standardiser(corpus, protocol)["audio"]
    assert mean.shape == scale.shape == (2, 2)
    assert mean.dtype == scale.dtype == np.float32
    for fold, rows in enumerate([np.arange(5), np.arange(7, 12)]):
        labelled = corpus.features["audio"][rows].astype(np.float64)
        np.testing.assert_allclose(mean[fold], labelled.mean(0), rtol=1e-6)
        np.testing.assert_allclose(scale[fold], labelled.std(0), rtol=1e-6)


@pytest.mark.parametrize("fold", [0, 1])
def test_no_other_row_has_any_influence(
    corpus: Corpus, protocol: Protocol, fold: int
) -> None:
    clean = fit_standardiser(corpus, protocol)["audio"]
    poisoned = with_audio(corpus, ROLES[fold] != Role.LABELLED, 1e30)
    tainted = fit_standardiser(poisoned, protocol)["audio"]
    for before, after in zip(clean, tainted, strict=True):
        np.testing.assert_array_equal(after[fold], before[fold])
        # The poison is real: it is among the labelled rows of the other fold.
        assert (after[1 - fold] != before[1 - fold]).all()


def test_every_labelled_row_has_influence(corpus: Corpus, protocol: Protocol) -> None:
    clean, _ = fit_standardiser(corpus, protocol)["audio"]
    for row in np.flatnonzero(ROLES[0] == Role.LABELLED):
        moved, _ = fit_standardiser(with_audio(corpus, row, 1e3), protocol)["audio"]
        assert (moved[0] != clean[0]).all()


def test_a_constant_feature_has_scale_one(corpus: Corpus, protocol: Protocol) -> None:
    constant = with_audio(corpus, ROLES[0] == Role.LABELLED, 7.0)
    mean, scale = fit_standardiser(constant, protocol)["audio"]
    np.testing.assert_array_equal(mean[0], [7, 7])
    np.testing.assert_array_equal(scale[0], [1, 1])
    assert (scale[1] != 1).all()


def test_rows_without_the_modality_do_not_enter(
    corpus: Corpus, protocol: Protocol
) -> None:
    clean = fit_standardiser(corpus, protocol)["text"]
    text = corpus.features["text"].copy()
    text[~corpus.present["text"]] = np.nan
    holed = dataclasses.replace(corpus, features={**corpus.features, "text": text})
    for before, after in zip(
        clean, fit_standardiser(holed, protocol)["text"], strict=True
    ):
        np.testing.assert_array_equal(after, before)
    there = corpus.features["text"][[0, 2, 3, 4]]
    np.testing.assert_allclose(clean[0][0], there.mean(0), rtol=1e-5)


def test_each_group_has_mean_zero_and_deviation_one(corpus: Corpus) -> None:
    standard = standardise_by(corpus, "speaker")
    for name, array in standard.features.items():
        assert array.dtype == np.float32
        for speaker in ("Ann", "Bob", "Cat"):
            rows = (corpus.column("speaker") == speaker) & corpus.present[name]
            np.testing.assert_allclose(array[rows].mean(0), 0, atol=1e-5)
            np.testing.assert_allclose(array[rows].std(0), 1, rtol=1e-5)


def test_groups_do_not_see_each_other(corpus: Corpus) -> None:
    ann = corpus.column("speaker") == "Ann"
    clean = standardise_by(corpus, "speaker").features["audio"]
    moved = standardise_by(with_audio(corpus, ~ann, 1e6), "speaker").features["audio"]
    np.testing.assert_array_equal(moved[ann], clean[ann])


def test_absent_rows_enter_no_group_and_stay_as_they_are(corpus: Corpus) -> None:
    absent = ~corpus.present["text"]
    text = corpus.features["text"].copy()
    text[absent] = 1e9
    holed = dataclasses.replace(corpus, features={**corpus.features, "text": text})
    clean = standardise_by(corpus, "speaker").features["text"]
    standard = standardise_by(holed, "speaker").features["text"]
    np.testing.assert_array_equal(standard[~absent], clean[~absent])
    np.testing.assert_array_equal(standard[absent], text[absent])


def test_provenance_says_so_and_the_original_is_untouched(corpus: Corpus) -> None:
    before = {name: array.copy() for name, array in corpus.features.items()}
    standard = standardise_by(corpus, "speaker")
    assert standard.provenance == {"extractor": "dice", "standardised_by": "speaker"}
    assert corpus.provenance == {"extractor": "dice"}
    for name, array in corpus.features.items():
        np.testing.assert_array_equal(array, before[name])


def test_an_unknown_column_is_named(corpus: Corpus) -> None:
    with pytest.raises(CorpusError, match="no column 'session'; it has speaker"):
        standardise_by(corpus, "session")
