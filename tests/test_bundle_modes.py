"""Bundles of frames, of speakers to be verified, and of domains to normalise by."""

import dataclasses
import pathlib

import numpy as np
import pytest
from bundles import LABELS, tiny_bundle
from corpora_and_batches import toy_corpus

from dann_jax.bundle import Bundle, BundleError
from dann_jax.bundle.export import export_bundle
from dann_jax.bundle.export_programs import how_to_call
from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames

LENGTHS = (30, 12, 5)
FRAMEWISE = {
    **{"width": 4, "heads": 2, "context": False},
    "frames": {"name": "attentive", "width": 4, "kernels": [3], "dilations": [1]},
}


def framed(cut: int = 100) -> Corpus:
    """Three utterances of noise; of a longer one the middle `cut` frames."""
    rng = np.random.default_rng(0)
    whole = [np.float32(rng.normal(size=(length, 3))) for length in LENGTHS]
    skipped = [max(len(one) - cut, 0) // 2 for one in whole]
    parts = [one[at : at + cut] for one, at in zip(whole, skipped, strict=True)]
    ids = np.array(["a", "b", "c"])
    return Corpus(
        name="framed",
        columns={"utt_id": ids, "speaker": ids},
        features={"mel": Frames(np.concatenate(parts), np.array([*map(len, parts)]))},
        present={"mel": np.ones(3, bool)},
    )


def test_of_a_long_utterance_the_middle_is_heard_as_it_was_in_training(
    tmp_path: pathlib.Path,
) -> None:
    # Batches pad to a multiple of 8, and are cut there.
    bundle = tiny_bundle(tmp_path / "cut", framed(), encoder=FRAMEWISE, max_frames=15)
    assert bundle.description.max_frames == 15
    found = bundle.predict_corpus(framed())
    np.testing.assert_allclose(found, bundle.predict_corpus(framed(16)), rtol=1e-5)
    unlimited = dataclasses.replace(bundle.description, max_frames=0)
    whole = Bundle(unlimited, bundle.params, bundle.standardiser)
    heard = whole.predict_corpus(framed())
    np.testing.assert_allclose(heard[1:], found[1:], rtol=1e-5)
    assert np.abs(heard[0] - found[0]).max() > 1e-4


def test_what_verifies_speakers_names_none_and_embeds(tmp_path: pathlib.Path) -> None:
    corpus = toy_corpus(1)
    bundle = tiny_bundle(tmp_path / "bundle", corpus, answer="features")
    for ask in (
        lambda: bundle.predict_corpus(corpus),
        lambda: export_bundle(bundle),
    ):
        with pytest.raises(BundleError, match="names no class.*embed_corpus"):
            ask()
    features = bundle.embed_corpus(corpus)
    assert features.shape == (len(corpus), 2, 4)
    assert np.isfinite(features).all() and np.ptp(features, axis=0).min() > 0
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert LABELS[0] not in card and "learned from 3 speakers" in card


def test_it_says_whom_it_normalises_by_the_statistics_of_all(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "dann_jax")
    corpus = toy_corpus(1)
    normalisation = {"name": "none", "column": "gender", "groups": ["f", "m"]}
    encoder = {"width": 4, "heads": 2, "context": False, "normalisation": normalisation}
    bundle = tiny_bundle(tmp_path / "bundle", corpus, encoder=encoder)
    bundle.predict_corpus(corpus)
    assert caplog.messages == []
    known = {k: v for k, v in corpus.columns.items() if k != "gender"}
    bundle.predict_corpus(dataclasses.replace(corpus, columns=known))
    (line,) = caplog.messages
    assert f"{len(corpus)} of {len(corpus)} utterances are of no known gender" in line


def test_the_program_that_is_shown_calls_the_artifact(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
    bundle = tiny_bundle(tmp_path / "bundle", toy_corpus(1))
    file = tmp_path / "it's.stablehlo"
    file.write_bytes(export_bundle(bundle).serialize())
    exec(how_to_call(bundle, str(file)), {})
    assert capsys.readouterr().out.startswith("[[0.")
