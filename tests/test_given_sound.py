"""Waveforms that a program hands over are taken as what they are, or refused."""

import numpy as np
import pytest

from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.given_sound import as_mono, checked_rate

TONE = 0.5 * np.sin(np.arange(4000) / 9)


@pytest.mark.parametrize(
    "given",
    [
        TONE,
        TONE.astype(np.float16),
        np.round(TONE * 2**15).astype(np.int16),
        np.round(TONE * 2**31).astype(np.int32),
        np.round(TONE * 2**7).astype(np.int8),
        np.round(TONE * 2**7 + 128).astype(np.uint8),
        np.stack([TONE, TONE], 1),
        np.round(np.stack([TONE, TONE], 1) * 2**15).astype(">i2"),
    ],
)
def test_every_type_is_the_same_sound(given: np.ndarray) -> None:
    made = as_mono(given)
    assert made.dtype == np.float32 and made.shape == (4000,)
    assert np.abs(made - TONE).max() < 1 / 128


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (TONE > 0, "type bool"),
        (np.round(TONE * 2**15).astype(np.int64), "type int64"),
        (TONE * 1j, "type complex128"),
        (np.array([1, "a"], object), "type object"),
        (np.array(["a"]), "type <U1"),
        (np.zeros(0), r"shape \(0,\)"),
        (np.float32(1), r"shape \(\)"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.stack([TONE, TONE]), "transpose"),
        (np.zeros((5000, 100)), "transpose"),
        (np.r_[TONE, np.nan], "NaN"),
        (np.r_[TONE, -np.inf], "infinite"),
        (np.r_[TONE, 1e300], "infinite"),
        (TONE * 32768, "integers kept as floats"),
    ],
)
def test_what_is_no_waveform_is_refused(given: np.ndarray, reason: str) -> None:
    with pytest.raises(AudioError, match=reason):
        as_mono(given)


@pytest.mark.parametrize(
    "rate", [0, -1, np.nan, np.inf, 1e9, 16000.5, None, "16000", True, 16, [16000]]
)
def test_no_recording_has_such_a_rate(rate: object) -> None:
    with pytest.raises(AudioError, match="sample rate"):
        checked_rate(rate)
