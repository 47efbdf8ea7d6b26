"""Frames of pretrained encoders, which are kept as float16."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
from bundles import tiny_description, write_tiny
from config_steps import utterances
from layered_corpus import layered_frames
from pretrained_models import FIXTURES, waveforms

from dann_jax.bundle.description import modalities_of
from dann_jax.data.corpus import Corpus
from dann_jax.data.features import pretrained_encoder
from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.current import Kept
from dann_jax.data.features.extraction_worker import read_part, save_part
from dann_jax.data.features.joining import join_values, shapes
from dann_jax.data.features.pretrained import pretrained
from dann_jax.data.frames import Frames
from dann_jax.data.store import read_store, write_store
from dann_jax.data.store.arrays import write_arrays
from dann_jax.tasks.standardise import fit_standardiser


def halved(corpus: Corpus) -> Corpus:
    """The corpus as its store would hold it."""
    frames = corpus.features["pretrained"]
    values = frames.values.astype(np.float16)
    return dataclasses.replace(
        corpus, features={"pretrained": Frames(values, frames.lengths)}
    )


@pytest.mark.slow
def test_a_store_takes_and_gives_them_bit_for_bit(tmp_path: pathlib.Path) -> None:
    corpus = halved(layered_frames(utterances()))
    store = write_store(corpus, tmp_path)
    values = read_store(store).features["pretrained"].values
    assert values.dtype == np.float16
    np.testing.assert_array_equal(values, corpus.features["pretrained"].values)
    metadata = json.loads((store / "metadata.json").read_text())
    assert metadata["dtypes"] == {"pretrained": "float16"}


def test_vectors_stay_float32() -> None:
    assert not pretrained(model=FIXTURES / "whisper").half
    assert pretrained(model=FIXTURES / "whisper", pooling="frames").half


def test_what_was_computed_is_joined_as_float16(tmp_path: pathlib.Path) -> None:
    extractor = pretrained(model=FIXTURES / "whisper", pooling="frames")
    computed = extractor.compute_batch(waveforms("whisper"))
    lengths = np.array([len(frames) for frames in computed])
    arrays = {
        "key": np.array(["a", "b"]),
        "pretrained/values": np.concatenate(computed),
        "pretrained/lengths": lengths,
        "pretrained/present": np.ones(2, bool),
    }
    save_part(str(tmp_path), arrays, [])
    (path,) = tmp_path.glob("*.npz")
    kept = [Kept(read_part(path), np.arange(2), np.arange(2), ())]
    found = shapes([extractor], kept)
    text = np.array(["a", "b"])
    table = Corpus("two", {"utt_id": text}, {}, {"pretrained": np.ones(2, bool)})
    joined = write_arrays(
        tmp_path / "arrays", table, found, join_values([extractor], kept)
    )
    frames = joined.features["pretrained"]
    assert frames.values.dtype == np.float16
    np.testing.assert_array_equal(frames.lengths, lengths)
    wanted = np.concatenate(computed)
    np.testing.assert_allclose(frames.values, wanted, rtol=1e-3, atol=1e-5)


def test_a_batch_of_them_is_float32_and_the_same_within_rounding() -> None:
    whole = layered_frames(utterances())
    half = halved(whole)

    @dataclasses.dataclass
    class Everybody:
        roles = np.ones((1, len(whole)), int)
        folds = ("all",)

    one, other = (fit_standardiser(each, Everybody()) for each in (whole, half))
    for mine, theirs in zip(one["pretrained"], other["pretrained"], strict=True):
        assert theirs.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, rtol=1e-2, atol=1e-3)


def test_predictions_from_sound_are_those_from_the_store(
    tmp_path: pathlib.Path,
) -> None:
    corpus = layered_frames(utterances())
    encoder = {"width": 4, "context": False, "layers": {"pretrained": 3}}
    description = tiny_description(modalities_of(corpus), encoder=encoder)
    bundle = write_tiny(tmp_path / "bundle", description)
    computed, stored = map(bundle.predict_corpus, (corpus, halved(corpus)))
    assert stored.dtype == np.float32
    assert (computed != stored).any()
    np.testing.assert_allclose(computed, stored, atol=5e-3)


def test_what_float16_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = pretrained_encoder.Encoder

    def loud(*arguments, **options) -> list[np.ndarray]:
        return [np.full((4, 1, 16), 7e4, np.float32)]

    extractor = pretrained(model=FIXTURES / "whisper", pooling="frames")
    cells = [cell.cell_contents for cell in extractor.compute_batch.__closure__]
    (encoder,) = [cell for cell in cells if isinstance(cell, real)]
    monkeypatch.setattr(
        "dann_jax.data.features.pretrained.load_encoder",
        lambda *_: encoder._replace(states=loud),
    )
    extractor = pretrained(model=FIXTURES / "whisper", pooling="frames")
    with pytest.raises(AudioError, match="as large as 70000, which do not fit"):
        extractor.compute(waveforms("whisper")[0])
    pooled = pretrained(model=FIXTURES / "whisper")
    assert np.isfinite(pooled.compute(waveforms("whisper")[0])).all()
