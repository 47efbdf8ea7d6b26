"""Pitch, voicing, energy and syllables of signals for which they are known."""

import numpy as np
import pytest

from dann_jax.data.features.pitch import track_pitch
from dann_jax.data.features.prosody import (
    NAMES,
    harmonicity,
    nuclei,
    prosody,
    semitones,
)

RATE = 16000


def harmonics(
    hertz: float, count: int, seconds: float = 1.0, rate: int = RATE
) -> np.ndarray:
    """A stack whose partials fall as 1 / n and start at different phases."""
    time = np.arange(round(rate * seconds)) / rate
    partials = [
        np.sin(2 * np.pi * n * hertz * time + n) / n
        for n in range(1, count + 1)
        if n * hertz < rate / 2
    ]
    return 0.3 * np.sum(partials, axis=0)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, RATE)


def track(samples: np.ndarray, rate: int = RATE):
    return track_pitch(samples, sample_rate=rate, hop=rate // 100, fmin=60, fmax=600)


def columns(samples: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(NAMES, prosody().compute(samples).T, strict=True))


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("partials", [1, 5, 20])
@pytest.mark.parametrize("hertz", [65, 110, 207.65, 333, 440, 590])
def test_known_pitch_within_one_percent(hertz: float, partials: int, rate: int) -> None:
    f0 = track(harmonics(hertz, partials, rate=rate), rate).f0[5:-5]
    np.testing.assert_allclose(f0, hertz, rtol=0.01)


def test_a_missing_fundamental_is_still_the_pitch() -> None:
    samples = harmonics(150, 8) - harmonics(150, 1)
    np.testing.assert_allclose(track(samples).f0[5:-5], 150, rtol=0.01)


def test_a_glide_is_followed() -> None:
    time = np.arange(2 * RATE) / RATE
    hertz = 120 + 60 * time
    samples = np.sin(2 * np.pi * np.cumsum(hertz) / RATE)
    f0 = track(samples).f0[10:-10]
    np.testing.assert_allclose(f0, hertz[::160][10 : 10 + len(f0)], rtol=0.01)


def test_pitch_stands_out_of_noise() -> None:
    pitch = track(harmonics(180, 10) + 0.3 * noise())
    f0 = pitch.f0[5:-5]
    assert (f0 > 0).mean() > 0.95
    np.testing.assert_allclose(f0[f0 > 0], 180, rtol=0.02)


@pytest.mark.parametrize("samples", [np.zeros(RATE), noise(1), np.full(RATE, 0.3)])
def test_silence_noise_and_a_constant_have_no_pitch(samples: np.ndarray) -> None:
    assert (track(samples).f0 == 0).mean() > 0.95


def test_a_voice_between_pauses_is_voiced_where_it_sounds() -> None:
    samples = np.concatenate([np.zeros(RATE), harmonics(150, 10), 1e-4 * noise()])
    voiced = track(samples).f0 > 0
    assert not voiced[:97].any()
    assert voiced[103:197].all()
    assert voiced[203:].mean() < 0.05


@pytest.mark.parametrize("gain", [0.001, 0.3, 2.0])
def test_gain_changes_neither_pitch_nor_voicing(gain: float) -> None:
    samples = harmonics(150, 10) + noise()
    one, other = track(samples), track(gain * samples)
    np.testing.assert_allclose(other.f0, one.f0, rtol=1e-4)
    np.testing.assert_allclose(other.strength, one.strength, atol=1e-4)


@pytest.mark.parametrize("ratio", [0.0, 5.0, 10.0])
def test_harmonicity_is_the_ratio_of_tone_to_noise_in_db(ratio: float) -> None:
    tone = 0.2 * np.sqrt(2) * np.sin(2 * np.pi * 200 * np.arange(6 * RATE) / RATE)
    hiss = np.random.default_rng(4).normal(0, 0.2 * 10 ** (-ratio / 20), len(tone))
    found = np.median(harmonicity(track(tone + hiss)))
    # The highest of many noisy peaks is a little too high.
    assert ratio - 1 < found < ratio + 2


@pytest.mark.parametrize("peak", [1.0, 0.5, 0.01])
@pytest.mark.parametrize("hertz", [200.0, 1000.0])
def test_the_energy_of_a_sine_is_exact(hertz: float, peak: float) -> None:
    samples = peak * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
    energy = columns(samples)["energy"][3:-3]
    np.testing.assert_allclose(energy, 20 * np.log10(peak / np.sqrt(2)), atol=1e-3)


def test_columns_of_a_step_in_level() -> None:
    samples = harmonics(110, 5)
    samples[: RATE // 2] *= 0.1
    found = columns(samples)
    away = np.r_[5:45, 56:95]
    np.testing.assert_allclose(found["f0"][away], 24, atol=0.01)
    assert found["voiced"][5:-5].all()
    # 20 dB within the few frames whose windows see the step, and nothing elsewhere.
    assert found["onset"][46:56].sum() == pytest.approx(20, abs=0.5)
    assert found["onset"][5:45].max() < 0.2


@pytest.mark.parametrize("rate", [2, 4, 6])
def test_syllables_are_counted(rate: int) -> None:
    time = np.arange(3 * RATE) / RATE
    swell = 0.05 + np.sin(np.pi * rate * time) ** 2
    found = columns(harmonics(150, 10, seconds=3) * swell)
    assert found["nucleus"].sum() == 3 * rate


def test_a_dip_of_less_than_2_db_makes_no_syllable() -> None:
    energy = np.array([-60, -20, -21.5, -20.5, -60, -25, -60.0])
    peaks = nuclei(energy, np.ones(7, bool), hop=0.05)
    assert peaks.nonzero()[0].tolist() == [1, 5]


def test_semitones_of_octaves() -> None:
    np.testing.assert_allclose(
        semitones(np.array([0, 27.5, 55, 110, 440])), [0, 0, 12, 24, 48]
    )


@pytest.mark.parametrize("count", [1, 2, 161, 500])
def test_any_length_gives_finite_float32_frames(count: int) -> None:
    made = prosody()
    values = made.compute(noise()[:count].astype(np.float32))
    assert values.shape == (1 + count // 160, made.dim) == (1 + count // 160, 6)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"fmin": 10}, "fmin=10 Hz must be 20 or more"),
        ({"fmax": 3000}, "fmax=3000 Hz must be 2000 or less"),
        ({"fmin": 300, "fmax": 200}, "fmin=300 and fmax=200"),
    ],
)
def test_a_range_no_voice_has_is_refused(parameters, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        prosody(**parameters)
