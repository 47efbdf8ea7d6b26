"""Encoders of frames, each against its formula written out."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dann_jax.models.frame_encoders import make_frame_encoder
from dann_jax.models.frames import weighted_statistics
from dann_jax.models.tdnn_lstm import Lstm
from dann_jax.models.waveform import LearnedFilters, WaveformEncoder

RNG = np.random.default_rng(0)


def test_an_unknown_word_or_argument_names_what_there_is() -> None:
    with pytest.raises(ValueError, match="attentive, tdnn_lstm, waveform"):
        make_frame_encoder({"name": "nonsense"}, dtype=jnp.float32)
    with pytest.raises(ValueError, match=r"no argument span; it has dilations, "):
        make_frame_encoder({"name": "tdnn_lstm", "span": 3}, dtype=jnp.float32)


def test_the_lstm_is_its_recurrence() -> None:
    x = RNG.normal(size=(2, 6, 3)).astype(np.float32)
    count = np.array([6, 4])
    layer = Lstm(5)
    params = jax.jit(layer.init)(jax.random.key(0), x, count)
    states = jax.jit(layer.apply)(params, x, count)
    own = params["params"]
    for row in range(2):
        hidden = cell = np.zeros(5)
        for frame in range(6):
            if frame < count[row]:
                gates = x[row, frame] @ own["input"]["kernel"] + own["input"]["bias"]
                gates = np.split(np.asarray(gates + hidden @ own["recurrent"]), 4)
                into, keep, out = (
                    1 / (1 + np.exp(-(gate + shift)))
                    for gate, shift in zip(gates, (0, 1, 0), strict=False)
                )
                cell = keep * cell + into * np.tanh(gates[3])
                hidden = out * np.tanh(cell)
            np.testing.assert_allclose(states[row, frame], hidden, atol=1e-5)


def test_with_equal_weights_the_statistics_are_mean_and_deviation() -> None:
    x = RNG.normal(size=(1, 5, 3)).astype(np.float32)
    weights = np.array([[1, 1, 1, 0, 0]], np.float32) / 3
    found = weighted_statistics(x, weights)
    expected = np.concatenate([x[0, :3].mean(0), x[0, :3].std(0)])
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)


def test_the_first_filters_are_correlations_with_the_signal() -> None:
    hop, span, steps, filters = 8, 3, 4, 2
    x = RNG.normal(size=(1, 6, hop)).astype(np.float32)
    layer = LearnedFilters(filters, span, steps)
    params = layer.init(jax.random.key(0), x, np.array([6]))
    kernel = np.asarray(params["params"]["kernel"])
    assert kernel.shape == (span * hop, filters)
    found = layer.apply(params, x, np.array([6]))
    step = hop // steps
    # A filter begins a frame before the one that it is about.
    signal = np.pad(x.reshape(-1), (hop, span * hop))
    for index in range(filters):
        every = np.correlate(signal, kernel[:, index], "valid")
        moved = np.abs(every[::step][: 6 * steps])
        expected = np.log(0.01 + moved.reshape(6, steps).mean(1))
        np.testing.assert_allclose(found[0, :, index], expected, rtol=1e-4, atol=1e-5)


def test_a_louder_recording_is_nearly_the_same_to_the_waveform_encoder() -> None:
    x = RNG.normal(size=(1, 20, 80)).astype(np.float32)
    count = np.array([20])
    encoder = WaveformEncoder(filters=16, width=8)
    init = jax.jit(functools.partial(encoder.init, deterministic=True))
    params = init(jax.random.key(0), x, count)
    encode = jax.jit(functools.partial(encoder.apply, deterministic=True))
    quiet, loud = (encode(params, gain * x, count) for gain in (1.0, 4.0))
    assert np.abs(loud - quiet).max() < 0.1 * np.abs(quiet).max()


def test_steps_that_do_not_divide_a_frame_are_refused() -> None:
    x = np.zeros((1, 4, 10), np.float32)
    with pytest.raises(ValueError, match="10 samples cannot be cut into steps=4"):
        LearnedFilters().init(jax.random.key(0), x, np.array([4]))
