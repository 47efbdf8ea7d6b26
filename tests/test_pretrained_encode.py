"""Recordings of any length to pooled hidden states."""

import numpy as np
import pytest
import soundfile
from pretrained_models import FIXTURES, NAMES, waveforms

from dann_jax.models import pretrained
from dann_jax.models.pretrained.front_end import bucket
from dann_jax.models.pretrained.pooling import Moments, merge, pooled

CHUNK = 1
"""Seconds; the random Whisper has positions for .6 of them."""

SHORT, LONG = 0.5, 1.55
"""Seconds of recordings; every other length is compiled for itself."""

KINDS = ("whisper", "wavlm", "hubert")
"""One of each front end and feature encoder; the first two differ most."""


@pytest.fixture(scope="module")
def encoders() -> dict[str, pretrained.Pretrained]:
    return {name: pretrained.load(FIXTURES / name) for name in NAMES}


def sound(seconds: float) -> np.ndarray:
    samples = int(16000 * seconds)
    noise = np.random.default_rng(samples).normal(0, 0.1, samples)
    return noise.astype(np.float32)


@pytest.mark.parametrize("name", KINDS)
def test_a_recording_has_the_same_features_in_any_company(name, encoders) -> None:
    """Of other recordings, in a batch or alone, in any order."""
    recordings = [sound(seconds) for seconds in (SHORT, 0.49, LONG)]
    options = {"pooling": "mean_std", "chunk_seconds": CHUNK}
    model = encoders[name]
    alone = [
        pretrained.hidden_states(model, [recording], **options)[0]
        for recording in recordings
    ]
    for company in (recordings, recordings[::-1]):
        found = pretrained.hidden_states(model, company, batch_seconds=3, **options)
        wanted = alone if company is recordings else alone[::-1]
        np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("seconds", [SHORT, LONG])
@pytest.mark.parametrize("name", ["whisper", "wavlm"])
def test_pooling_is_that_of_the_frames(name, seconds, encoders) -> None:
    """Also over the chunks of a long recording."""

    def states(pooling: str) -> np.ndarray:
        return pretrained.hidden_states(
            encoders[name], [sound(seconds)], pooling=pooling, chunk_seconds=CHUNK
        )[0]

    frames = states("frames")
    assert frames.dtype == np.float32 and frames.shape[1:] == (3, 16)
    np.testing.assert_allclose(states("mean"), frames.mean(0), atol=1e-5)
    wanted = np.concatenate([frames.mean(0), frames.std(0)], axis=-1)
    np.testing.assert_allclose(states("mean_std"), wanted, atol=1e-5)


def test_chunks_are_encoded_alone_and_lie_where_frames_begin(encoders) -> None:
    """The first half is as if it were a recording of its own."""
    whole = sound(1.0)
    model = encoders["whisper"]
    frames = pretrained.hidden_states(model, [whole], pooling="frames")[0]
    parts = pretrained.hidden_states(
        model, [whole[:8000], whole[8000:]], pooling="frames"
    )
    assert len(frames) == 50
    np.testing.assert_allclose(frames, np.concatenate(parts), atol=1e-5)


def test_a_long_recording_is_normalised_as_a_whole(encoders) -> None:
    """A loud half stays loud beside a quiet one."""
    model = encoders["wav2vec2_large"]
    halves = [sound(1.0), sound(1.0) * 0.01]
    whole = np.concatenate(halves)
    found = pretrained.hidden_states(model, [whole], chunk_seconds=CHUNK)[0]
    prepared = model.front_end.prepare(whole)
    assert np.abs(prepared[16000:]).max() < 0.1
    apart = pretrained.hidden_states(model, halves)
    assert np.abs(found - np.mean(apart, axis=0)).max() > 1e-2


@pytest.mark.parametrize("name", KINDS[:2])
def test_layers_come_in_the_order_asked_for(name, encoders) -> None:
    model, recordings = encoders[name], waveforms(name)[:1]
    everything = pretrained.hidden_states(model, recordings)
    some = pretrained.hidden_states(model, recordings, layers=[2, 0])
    np.testing.assert_allclose(np.stack(some), np.stack(everything)[:, [2, 0]], 1e-5)


def test_no_recordings_have_no_features(encoders) -> None:
    assert pretrained.hidden_states(encoders["hubert"], []) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros(20, np.float32), "has 20 samples; the encoder needs at least"),
        (np.zeros(0, np.float32), "has 0 samples"),
        (np.zeros((2, 900), np.float32), r"float32 \[2, 900\]; it must be float"),
        (np.zeros(900, np.int16), r"int16 \[900\]; it must be float \[samples\]"),
        (np.full(900, np.nan, np.float32), "samples that are not finite"),
    ],
)
@pytest.mark.parametrize("name", ["hubert", "whisper"])
def test_a_recording_that_cannot_be_encoded_is_named(name, bad, said, encoders) -> None:
    with pytest.raises(pretrained.PretrainedError, match=f"recording 1 .*{said}"):
        pretrained.hidden_states(encoders[name], [sound(0.1), bad])


@pytest.mark.parametrize("name", KINDS[:2])
def test_the_shortest_recording_makes_a_frame(name, encoders) -> None:
    model = encoders[name]
    shortest = sound(1)[: model.front_end.min_samples]
    frames = pretrained.hidden_states(model, [shortest], pooling="frames")[0]
    assert frames.shape == (1, 3, 16) and np.isfinite(frames).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pooling": "max"}, "must be one of mean, mean_std, frames"),
        ({"layers": [7]}, "numbered 0 to 2"),
        ({"layers": []}, "name at least one"),
        ({"chunk_seconds": 0.001}, "too short for this encoder"),
    ],
)
def test_an_argument_out_of_its_range_is_refused(options, said, encoders) -> None:
    with pytest.raises(ValueError, match=said):
        pretrained.hidden_states(encoders["hubert"], [sound(0.1)], **options)


def test_silence_has_finite_features(encoders) -> None:
    for name in KINDS:
        found = pretrained.hidden_states(
            encoders[name], [0 * sound(SHORT)], pooling="mean_std"
        )
        assert np.isfinite(found[0]).all()


def test_a_bucket_holds_its_lengths_and_wastes_an_eighth_at_most() -> None:
    lengths = np.arange(1, 2000)
    buckets = np.array([bucket(int(length), 3) for length in lengths])
    assert (buckets >= lengths).all() and (buckets % 3 == 0).all()
    assert (buckets <= lengths * 1.125 + 3).all()
    assert len(set(buckets)) < 90


def test_moments_merge_as_if_they_had_been_one() -> None:
    x = np.random.default_rng(0).normal(1e4, 1.0, (90, 4))
    cuts = (x[:7], x[7:8], x[8:])
    parts = [
        Moments(len(part), part.mean(0), ((part - part.mean(0)) ** 2).sum(0))
        for part in cuts
    ]
    found = pooled(merge(parts), "mean_std")
    np.testing.assert_allclose(found, np.r_[x.mean(0), x.std(0)], rtol=1e-6)


@pytest.mark.parametrize("padding", [False, True])
def test_real_whisper_hears_what_transformers_hears(
    padding, shared_models, shared_data
) -> None:
    """The weights and a recording as they are; all layers."""
    model = pretrained.load(shared_models / "whisper-base-encoder", pad_to_30s=padding)
    path = shared_data / "ravdess" / "audio" / "03-01-01-01-01-01-01.flac"
    waveform, _ = soundfile.read(path, dtype="float32")
    (frames,) = pretrained.hidden_states(model, [waveform], pooling="frames")
    with np.load(FIXTURES / "whisper_real.npz") as file:
        wanted = file["padded" if padding else "real"]
    found = frames.transpose(1, 0, 2)[:, ::20, ::16]
    np.testing.assert_allclose(found, wanted, atol=1e-3, rtol=0)
