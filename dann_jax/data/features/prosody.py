"""Pitch, voicing, energy and rhythm, frame by frame."""

from collections.abc import Mapping

import numpy as np

from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.pitch import Pitch, track_pitch
from dann_jax.data.features.spectrum import (
    check_band,
    decibel,
    in_samples,
    power_spectrum,
    spans,
)

NAMES = ("f0", "voiced", "hnr", "energy", "onset", "nucleus")
LOWEST_NOTE = 27.5
"""Semitones count from here, in Hz: the lowest A of a piano."""

_DIP = 2.0
_SMOOTH = 0.05


def prosody(
    *,
    fmin: float = 60.0,
    fmax: float = 600.0,
    window: float = 0.025,
    hop: float = 0.01,
    sample_rate: int = 16000,
) -> Extractor:
    """Prosody of an utterance, float32 `[1 + n // hop, 6]`.

    The columns are `f0`, semitones above 27.5 Hz (0 where unvoiced); `voiced`, 0 or 1;
    `hnr`, harmonics to noise in dB, within +-40; `energy`, dB of full scale; `onset`,
    by how many dB the energy rose since the last frame, 0 where it fell; `nucleus`, 1
    at the peak of a syllable, so that its mean counts syllables.

    Args:
      fmin: lowest pitch, in Hz; its frames last three periods of it.
      fmax: highest pitch, in Hz.
      window: of the frames of the energy, in seconds.
      hop: from one frame to the next, in seconds.
      sample_rate: in Hz.

    Returns:
      The extractor.

    Raises:
      ValueError: a parameter is out of its range.

    Example:
      >>> tone = 0.5 * np.sin(2 * np.pi * 110 * np.arange(16000) / 16000)
      >>> prosody().compute(tone)[50, :2].round(2).tolist()
      [24.0, 1.0]

    Reference:
      de Jong and Wempe, Behavior Research Methods 41(2), 2009, for syllable nuclei:
      voiced peaks of the energy with a dip of 2 dB before and after.
    """
    check_pitch_range(fmin, fmax, sample_rate)
    length = in_samples(window, sample_rate, "window")
    step = in_samples(hop, sample_rate, "hop")

    def compute(samples: np.ndarray) -> np.ndarray:
        energy = np.concatenate(
            [
                decibel(power_spectrum(samples, length, step, span).sum(1))
                for span in spans(samples, step)
            ]
        )
        columns = contours(
            samples, energy, sample_rate=sample_rate, hop=step, fmin=fmin, fmax=fmax
        )
        return np.column_stack([columns[name] for name in NAMES]).astype(np.float32)

    return Extractor(
        name="prosody",
        version=1,
        parameters={
            "fmin": float(fmin),
            "fmax": float(fmax),
            "window": window,
            "hop": hop,
        },
        dim=len(NAMES),
        framewise=True,
        compute=compute,
        sample_rate=sample_rate,
        names=NAMES,
        packages=("numpy", "scipy", "soundfile", "soxr"),
    )


def contours(
    samples: np.ndarray,
    energy: np.ndarray,
    *,
    sample_rate: int,
    hop: int,
    fmin: float,
    fmax: float,
) -> Mapping[str, np.ndarray]:
    """Name -> `[frames]` of what `prosody` describes, in the order of `NAMES`.

    Args:
      samples: float `[n]` in [-1, 1].
      energy: float `[frames]`, in dB of full scale.
      sample_rate: in Hz.
      hop: from one frame to the next, in samples.
      fmin: lowest pitch, in Hz.
      fmax: highest pitch, in Hz.

    Returns:
      `voiced` and `nucleus` as bool, the others as float.
    """
    pitch = track_pitch(samples, sample_rate=sample_rate, hop=hop, fmin=fmin, fmax=fmax)
    voiced = pitch.f0 > 0
    return {
        "f0": semitones(pitch.f0),
        "voiced": voiced,
        "hnr": harmonicity(pitch),
        "energy": energy,
        "onset": np.maximum(np.diff(energy, prepend=energy[:1]), 0),
        "nucleus": nuclei(energy, voiced, hop / sample_rate),
    }


def check_pitch_range(fmin: float, fmax: float, sample_rate: int) -> None:
    """Refuse a pitch range that no voice has or the sample rate cannot represent."""
    check_band(fmin, fmax, sample_rate)
    if fmin < 20:
        raise ValueError(f"fmin={fmin:g} Hz must be 20 or more: lower is no pitch")
    if fmax > sample_rate / 8:
        raise ValueError(
            f"fmax={fmax:g} Hz must be {sample_rate / 8:g} or less: a period needs "
            "eight samples"
        )


def semitones(f0: np.ndarray) -> np.ndarray:
    """Semitones `[...]` above 27.5 Hz, at least 0; 0 for 0 Hz.

    Args:
      f0: in Hz, float `[...]`.

    Example:
      >>> semitones(np.array([0.0, 55.0]))
      array([ 0., 12.])
    """
    return 12 * np.log2(np.maximum(f0, LOWEST_NOTE) / LOWEST_NOTE)


def harmonicity(pitch: Pitch) -> np.ndarray:
    """Harmonics-to-noise ratio `[frames]`, -40 to 40 dB; Boersma (1993), eq. 4."""
    share = np.clip(pitch.strength, 1e-4, 1 - 1e-4)
    return 10 * np.log10(share / (1 - share))


def nuclei(energy: np.ndarray, voiced: np.ndarray, hop: float) -> np.ndarray:
    """Which frames, `hop` seconds apart, are peaks of syllables, bool `[frames]`.

    Example:
      >>> energy = np.array([0, 9, 0, 9, 0, 9, 7.5, 8, 0])
      >>> nuclei(energy, np.arange(9) > 1, hop=0.05).nonzero()[0].tolist()
      [3, 5]
    """
    import scipy.ndimage
    import scipy.signal

    width = max(round(_SMOOTH / hop), 1)
    smooth = scipy.ndimage.uniform_filter1d(energy, width, mode="nearest")
    is_nucleus = np.zeros(len(energy), bool)
    is_nucleus[scipy.signal.find_peaks(smooth, prominence=_DIP)[0]] = True
    return is_nucleus & voiced
