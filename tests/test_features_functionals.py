"""Functionals: hand values, what may not change them, and any length."""

import numpy as np
import pytest

from dann_jax.data.features.descriptors import descriptors, spectral_shape
from dann_jax.data.features.functionals import contour, functionals, rhythm, summarise

RATE = 16000
EXTRACTOR = functionals()


def voice(hertz: float = 150, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(RATE * seconds)) / RATE
    stack = [np.sin(2 * np.pi * n * hertz * time + n) / n for n in range(1, 15)]
    return (0.1 * np.sum(stack, axis=0)).astype(np.float32)


def speech() -> np.ndarray:
    """Voice, pause, higher voice, with some hiss."""
    hiss = np.random.default_rng(0).normal(0, 0.003, 2 * RATE)
    quiet = np.zeros(RATE // 2)
    return np.r_[voice(150, 0.75), quiet, voice(200, 0.75)].astype(np.float32) + hiss


def named(samples: np.ndarray) -> dict[str, float]:
    return dict(zip(EXTRACTOR.names, EXTRACTOR.compute(samples), strict=True))


def test_names_are_unique_and_are_those_of_what_is_computed() -> None:
    columns = descriptors(speech(), sample_rate=RATE, hop=160, fmin=60, fmax=600)
    assert tuple(summarise(columns, 0.01)) == EXTRACTOR.names
    assert len(set(EXTRACTOR.names)) == EXTRACTOR.dim
    assert EXTRACTOR.compute(speech()).dtype == np.float32


def test_contour_of_a_line_with_a_gap() -> None:
    values = np.array([1.0, 2.0, 99.0, 4.0, 5.0])
    made = contour("x", values, values < 50, hop=0.5)
    assert made == pytest.approx(
        {
            "x_mean": 3.0,
            "x_std": np.sqrt(2.5),
            "x_p20": 1.6,
            "x_p50": 3.0,
            "x_p80": 4.4,
            "x_range": 2.8,
            "x_slope": 2.0,
            "x_rise_mean": 2.0,
            "x_rise_std": 0.0,
            "x_fall_mean": 0.0,
            "x_fall_std": 0.0,
        }
    )


def test_rises_and_falls_are_apart() -> None:
    made = contour("x", np.array([0.0, 1, 4, 2, 2]), np.ones(5, bool), hop=1.0)
    assert made["x_rise_mean"] == 2
    assert made["x_rise_std"] == 1
    assert made["x_fall_mean"] == -2


@pytest.mark.parametrize("where", [[], [3]])
def test_a_contour_of_no_frame_or_one_has_no_slope(where: list[int]) -> None:
    mask = np.isin(np.arange(5), where)
    made = contour("x", np.full(5, 7.0), mask, hop=0.01)
    assert made["x_mean"] == (7 if where else 0)
    assert made["x_slope"] == made["x_std"] == made["x_rise_mean"] == 0


def test_rhythm_by_hand() -> None:
    voiced = np.array(
        [0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0], bool
    )
    made = rhythm(voiced, np.eye(20, dtype=bool)[2] | voiced & ~voiced, hop=0.1)
    assert made == pytest.approx(
        {
            "voiced_share": 9 / 20,
            "voiced_rate": 1.5,
            "voiced_length_mean": 0.3,
            "voiced_length_std": np.std([0.4, 0.2, 0.3]),
            "pause_length_mean": 0.3,
            "pause_length_std": 0.1,
            "syllable_rate": 0.5,
        }
    )


def test_two_voices_with_a_pause_between() -> None:
    made = named(speech())
    notes = 12 * np.log2(np.array([150, 200]) / 27.5)
    assert made["f0_p20"] == pytest.approx(notes[0], abs=0.2)
    assert made["f0_p80"] == pytest.approx(notes[1], abs=0.2)
    assert made["f0_slope"] > 0
    assert made["voiced_share"] == pytest.approx(0.75, abs=0.05)
    assert made["pause_length_mean"] == pytest.approx(0.5, abs=0.05)
    assert made["hnr_voiced_mean"] > 15


def test_pitch_only_moves_what_is_about_pitch() -> None:
    low, high = named(voice(100)), named(voice(200))
    assert high["f0_mean"] - low["f0_mean"] == pytest.approx(12, abs=0.2)
    assert high["voiced_share"] == low["voiced_share"]


@pytest.mark.parametrize("gain", [0.3, 3.0])
def test_gain_moves_loudness_alone(gain: float) -> None:
    one, other = named(speech()), named(gain * speech())
    # Power to the power of 0.3, so amplitude to that of 0.6.
    assert other["loudness_mean"] / one["loudness_mean"] == pytest.approx(
        gain**0.6, rel=1e-3
    )
    for name in EXTRACTOR.names:
        if "loudness" not in name:
            assert other[name] == pytest.approx(one[name], rel=5e-3, abs=5e-3), name


def test_roughness_is_zero_for_a_steady_voice_and_grows() -> None:
    rng = np.random.default_rng(5)
    steady = voice(160, 2)
    wobble = np.repeat(rng.normal(1, 0.1, 200), 160).astype(np.float32)
    assert named(steady)["shimmer"] < 0.05 < 0.2 < named(steady * wobble)["shimmer"]
    hertz = 160 * np.repeat(2 ** rng.normal(0, 0.05, 100), 320)
    shaky = np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
    assert named(steady)["jitter"] < 0.01 < 0.05 < named(shaky)["jitter"]


def test_shape_of_known_spectra() -> None:
    width = 31.25
    hertz = width * np.arange(257)
    falling = 10 ** (-np.array([hertz]) / 1000)
    shape = spectral_shape(falling, width)
    assert shape["slope_low"][0] == pytest.approx(-10)
    assert shape["slope_mid"][0] == pytest.approx(-10)
    assert shape["hammarberg"][0] == pytest.approx(20)
    tone = np.eye(257)[[64, 64, 128]]
    shape = spectral_shape(tone, width)
    np.testing.assert_allclose(shape["centroid"], [2, 2, 4], atol=1e-3)
    np.testing.assert_allclose(shape["flux"], [0, 0, np.sqrt(2)], atol=1e-3)
    flat = spectral_shape(np.ones((1, 257)), width)
    bins = [
        ((hertz >= low) & (hertz < high)).sum()
        for low, high in ((50, 1000), (1000, 5000))
    ]
    assert flat["alpha"][0] == pytest.approx(10 * np.log10(bins[0] / bins[1]))
    assert flat["hammarberg"][0] == pytest.approx(0)


@pytest.mark.parametrize("count", [0, 1, 2, 100, 161, 1000])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_any_length_gives_finite_values(count: int, rate: int) -> None:
    made = functionals(sample_rate=rate)
    for samples in (np.zeros(count, np.float32), voice()[:count]):
        values = made.compute(samples)
        assert values.shape == (made.dim,)
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(values, made.compute(samples))


def test_a_rate_without_the_bands_is_refused() -> None:
    with pytest.raises(ValueError, match="sample_rate=6000 Hz must be 8000 or more"):
        functionals(sample_rate=6000)
