"""Source-filter synthesis: glottal pulses through formant resonators.

Reference: Fant, Acoustic Theory of Speech Production, Mouton 1960, for the division
into a source and a filter.
"""

from collections.abc import Sequence

import numpy as np
from scipy import signal
from scipy.signal.windows import hann, tukey

SAMPLE_RATE = 16000
"""In Hz, of everything in this module."""

BANDWIDTHS = (80.0, 100.0, 150.0, 250.0, 350.0)
"""Of the formants, from the first, in Hz."""

VOWELS = (
    (270.0, 2290.0, 3010.0, 3500.0, 4500.0),
    (530.0, 1840.0, 2480.0, 3500.0, 4500.0),
    (730.0, 1090.0, 2440.0, 3500.0, 4500.0),
    (570.0, 840.0, 2410.0, 3500.0, 4500.0),
    (300.0, 870.0, 2240.0, 3500.0, 4500.0),
)
"""Formants in Hz of men's vowels in heed, head, hod, hawed and who'd: Peterson and
Barney, JASA 24 (1952), 175-184, table II; the fourth and fifth are usual values."""

_OPENING, _CLOSING = 0.4, 0.16


def glottal_flow(phase: np.ndarray) -> np.ndarray:
    """Air flow through the glottis: opens smoothly, closes quickly, rests.

    Args:
      phase: float `[n]`, in cycles; only its fraction counts.

    Returns:
      Float `[n]` in [0, 1].

    Example:
      >>> glottal_flow(np.array([0.0, 0.4, 0.9])).tolist()
      [0.0, 1.0, 0.0]

    Reference:
      Rosenberg, "Effect of glottal pulse shape on the quality of natural vowels",
      JASA 49 (1971), 583-590: the trigonometric pulse, open for 40 % of the cycle and
      closing in 16 %, which listeners preferred.
    """
    cycle = phase % 1.0
    opening = 0.5 - 0.5 * np.cos(np.pi * cycle / _OPENING)
    closing = np.cos(0.5 * np.pi * (cycle - _OPENING) / _CLOSING)
    return np.where(
        cycle < _OPENING, opening, np.where(cycle < _OPENING + _CLOSING, closing, 0.0)
    )


def source(
    pitch: np.ndarray,
    rng: np.random.Generator,
    *,
    breathiness: float = 0.0,
    jitter: float = 0.0,
) -> np.ndarray:
    """What the vocal tract is fed with: pulses and the noise of breath.

    Args:
      pitch: float `[n]`, fundamental frequency at each sample, in Hz, > 0.
      rng: of jitter and noise.
      breathiness: noise against pulses, as a ratio of root mean squares, >= 0. The
        noise swells while the glottis is open.
      jitter: standard deviation of the length of a cycle, as a fraction of it.

    Returns:
      Float `[n]`, root mean square about 1. It is the derivative of the flow, so the
      radiation at the lips is in it already (Klatt 1980, section I.E).
    """
    phase = np.cumsum(pitch) / SAMPLE_RATE
    lengths = 1.0 + jitter * rng.normal(size=int(phase[-1]) + 1)
    flow = glottal_flow(np.cumsum(pitch / lengths[phase.astype(int)]) / SAMPLE_RATE)
    pulses = np.diff(flow, prepend=flow[0])
    breath = (0.3 + flow) * rng.normal(size=len(pitch))
    return unit_power(pulses) + breathiness * unit_power(breath)


def resonators(formants: Sequence[float] | np.ndarray) -> np.ndarray:
    """Second-order sections of a cascade of formants, for `scipy.signal.sosfilt`.

    A resonance at `F` with bandwidth `B` is `y_t = a x_t + b y_{t-1} + c y_{t-2}` with
    `c = -exp(-2 pi B T)`, `b = 2 exp(-pi B T) cos(2 pi F T)` and `a = 1 - b - c`,
    which leaves a constant as it is.

    Args:
      formants: in Hz, from the first, at most as many as `BANDWIDTHS`. None goes above
        nine tenths of the Nyquist frequency.

    Returns:
      Float `[formants, 6]`.

    Example:
      >>> resonators([500.0, 1500.0]).shape
      (2, 6)

    Reference:
      Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67 (1980),
      971-995, equations 1 and 2.
    """
    frequency = np.minimum(formants, 0.45 * SAMPLE_RATE)
    bandwidth = np.array(BANDWIDTHS[: len(frequency)])
    radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
    b = 2.0 * radius * np.cos(2.0 * np.pi * frequency / SAMPLE_RATE)
    c = -(radius**2)
    zero, one = np.zeros_like(b), np.ones_like(b)
    return np.stack([1.0 - b - c, zero, zero, one, -b, -c], axis=1)


def vowel(fed: np.ndarray, formants: Sequence[float] | np.ndarray) -> np.ndarray:
    """A syllable: what `source` made, through formants, fading in and out.

    Args:
      fed: float `[n]`.
      formants: in Hz, from the first.

    Returns:
      Float `[n]`, root mean square about 1.
    """
    window = tukey(len(fed), 0.5)
    voiced = np.asarray(signal.sosfilt(resonators(formants), window * fed))
    return window * unit_power(voiced)


def hiss(scale: float, rng: np.random.Generator) -> np.ndarray:
    """A quiet consonant of 60 ms: noise around one resonance.

    Args:
      scale: factor on its frequency, which is between 3 and 5 kHz.
      rng: of noise and frequency.

    Returns:
      Float `[n]`.
    """
    filter_sections = resonators([scale * rng.uniform(3000.0, 5000.0)])
    noise = rng.normal(size=int(0.06 * SAMPLE_RATE))
    hissing = np.asarray(signal.sosfilt(filter_sections, noise))
    return 0.3 * hann(len(noise)) * unit_power(hissing)


def colour(
    frequencies: Sequence[float] | np.ndarray, gains: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Taps of an FIR filter with this response, straight lines over log frequency.

    Args:
      frequencies: in Hz, rising, above 0.
      gains: in dB, one a frequency; the ends are held down to 0 Hz and up.

    Returns:
      Float `[taps]`, 129 of them, symmetric: a delay of 4 ms, no other change of
      phase.
    """
    grid = np.linspace(0.0, SAMPLE_RATE / 2, 129)
    gains_on_grid = np.interp(
        np.log(grid + 1.0), np.log(np.add(frequencies, 1.0)), gains
    )
    response = 10.0 ** (gains_on_grid / 20.0)
    return np.asarray(signal.firwin2(129, grid, response, fs=SAMPLE_RATE))


def unit_power(samples: np.ndarray) -> np.ndarray:
    """Samples `[n]` scaled to a root mean square of 1; silence stays as it is."""
    power = np.sqrt(np.mean(samples**2))
    return samples / power if power > 0 else samples
