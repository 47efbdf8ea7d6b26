"""Spectra: Parseval, known tones, gain and shift, and librosa as the oracle."""

import numpy as np
import pytest

from dann_jax.data.features.spectral import cepstra, logmel, mfcc, slopes
from dann_jax.data.features.spectrum import frame, hann, mel_filters, power_spectrum

RATE = 16000


def noise(count: int = RATE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


def tone(hertz: float, peak: float = 0.5) -> np.ndarray:
    return peak * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)


@pytest.mark.parametrize("count", [0, 1, 159, 160, 161, 1000])
@pytest.mark.parametrize(("length", "hop"), [(400, 160), (401, 160), (100, 160)])
def test_frames_are_centred_on_every_hop(count: int, length: int, hop: int) -> None:
    samples = 1 + np.arange(count, dtype=np.float32)
    frames = frame(samples, length, hop)
    assert frames.shape == (1 + count // hop, length)
    for place, row in enumerate(frames):
        for offset in (-(length // 2), 0, (length - 1) // 2):
            index = place * hop + offset
            inside = 0 <= index < count
            assert row[length // 2 + offset] == (samples[index] if inside else 0)


@pytest.mark.parametrize("length", [400, 512, 333])
def test_the_bins_of_a_frame_add_up_to_its_weighted_mean_square(length: int) -> None:
    samples = noise()
    window = hann(length)
    weighted = np.sum((frame(samples, length, 160) * window) ** 2, axis=1)
    power = power_spectrum(samples, length, 160).sum(1)
    np.testing.assert_allclose(power, weighted / np.sum(window**2), rtol=1e-4)


def test_mel_bands_share_out_the_power_between_them() -> None:
    filters = mel_filters(RATE, 400, 40, 0.0, 8000.0)
    bins = np.arange(257) * RATE / 512
    covered = filters.sum(1)[(bins > 300) & (bins < 7000)]
    np.testing.assert_allclose(covered, 1, atol=1e-5)


@pytest.mark.parametrize("hertz", [100.0, 500.0, 1000.0, 3000.0, 6000.0])
def test_a_tone_is_loudest_in_the_band_that_holds_it(hertz: float) -> None:
    bands = logmel(n_mels=40).compute(tone(hertz))[50]
    filters = mel_filters(RATE, 400, 40, 20.0, 8000.0)
    assert bands.argmax() == filters[round(hertz * 512 / RATE)].argmax()


def test_logmel_is_that_of_librosa_in_other_units() -> None:
    import librosa

    samples = noise()
    theirs = librosa.feature.melspectrogram(
        y=samples,
        sr=RATE,
        n_fft=512,
        win_length=400,
        hop_length=160,
        n_mels=64,
        fmin=20,
        norm=None,
    )
    # Ours are of the mean square: over the window's energy and two-sided.
    unit = 2 / (512 * np.sum(hann(400) ** 2))
    expected = np.log(np.maximum(theirs.T * unit, 1e-10))
    np.testing.assert_allclose(logmel().compute(samples), expected, atol=1e-3)


def test_cepstra_are_those_of_librosa() -> None:
    import librosa

    bands = logmel(n_mels=40).compute(noise())
    theirs = librosa.feature.mfcc(S=bands.T, n_mfcc=13)
    np.testing.assert_allclose(cepstra(bands, 13), theirs.T, atol=1e-4)


@pytest.mark.parametrize("gain", [0.1, 0.5, 3.0])
def test_a_gain_adds_a_constant_to_logmel_and_to_the_first_cepstrum(
    gain: float,
) -> None:
    samples = noise()
    shift = 2 * np.log(gain)
    for made, moved in (
        (logmel(), np.full(64, shift)),
        # The orthonormal cosine transform of a constant is sqrt(n) times it.
        (mfcc(), np.r_[shift * np.sqrt(40), np.zeros(38)]),
    ):
        difference = made.compute(gain * samples) - made.compute(samples)
        np.testing.assert_allclose(
            difference, np.broadcast_to(moved, difference.shape), atol=2e-3
        )


def test_a_shift_by_whole_hops_shifts_the_frames() -> None:
    samples = np.pad(noise(8000), 800)
    for made in (logmel(), mfcc()):
        still, moved = made.compute(samples), made.compute(np.roll(samples, 480))
        np.testing.assert_allclose(moved[6:-6], still[3:-9], atol=1e-4)


def test_silence_is_the_floor() -> None:
    silent = logmel(floor=1e-8).compute(np.zeros(RATE, np.float32))
    np.testing.assert_allclose(silent, np.log(1e-8), rtol=1e-6)


def test_slopes_are_those_of_least_squares() -> None:
    values = np.random.default_rng(3).normal(size=(30, 2))
    time = np.arange(5)
    expected = [np.polyfit(time, values[at - 2 : at + 3], 1)[0] for at in range(2, 28)]
    np.testing.assert_allclose(slopes(values)[2:-2], expected, atol=1e-12)


def test_deltas_are_slopes_of_what_is_before_them() -> None:
    values = mfcc().compute(noise())
    np.testing.assert_allclose(values[:, 13:26], slopes(values[:, :13]), atol=1e-5)
    np.testing.assert_allclose(values[:, 26:], slopes(values[:, 13:26]), atol=1e-5)
    np.testing.assert_array_equal(mfcc(deltas=0).compute(noise()), values[:, :13])


@pytest.mark.parametrize("make", [logmel, mfcc])
@pytest.mark.parametrize("count", [1, 2, 100, 399, RATE])
def test_any_length_gives_finite_float32_frames(make, count: int) -> None:
    made = make()
    values = made.compute(noise(count))
    assert values.shape == (1 + count // 160, made.dim)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert len(made.names) == len(set(made.names)) == made.dim
    np.testing.assert_array_equal(made.compute(noise(count)), values)


@pytest.mark.parametrize(
    ("make", "parameters", "reason"),
    [
        (logmel, {"n_mels": 0}, "n_mels=0 must be 1 or more"),
        (logmel, {"hop": 0.0}, "hop=0 s is less than one sample"),
        (logmel, {"window": 1e-9}, "window=1e-09 s is less than one sample"),
        (logmel, {"fmax": 9000}, "fmax=9000 Hz must satisfy .* 8000"),
        (logmel, {"fmin": 500, "fmax": 400}, "fmin=500 and fmax=400"),
        (logmel, {"floor": 0}, "floor=0 must lie between 0 and 1"),
        (mfcc, {"n_mfcc": 41}, "n_mfcc=41 must lie between 1 and n_mels=40"),
        (mfcc, {"deltas": 3}, "deltas=3 must be 0, 1 or 2"),
    ],
)
def test_a_parameter_out_of_range_is_refused(make, parameters, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make(**parameters)


def test_bands_narrower_than_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="n_mels=300 bands .* take fewer bands"):
        logmel(n_mels=300).compute(noise())
