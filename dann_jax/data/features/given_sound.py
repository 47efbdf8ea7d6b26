"""Check a waveform given as an array, and convert it to mono samples in [-1, 1]."""

import numpy as np

from dann_jax.data.features.audio import AudioError

LOUDEST = 4.0
"""Of full scale: a codec may overshoot by 12 dB; more is integers kept as floats."""

MOST_CHANNELS = 64
LOWEST_RATE, HIGHEST_RATE = 1000, 768000
"""In Hz: below there is no speech, and above no recorder."""


def as_mono(waveform: np.ndarray) -> np.ndarray:
    """Samples as the extractors take them, float32 `[n]` in [-1, 1].

    Args:
      waveform: `[n]`, or `[n, channels]`, which are averaged: float in [-1, 1], or
        integers, which are scaled by the range of their type (uint8 around 128).

    Raises:
      AudioError: it is no numbers, empty, of another shape (`[channels, n]` too), holds
        NaN or infinite samples, or floats that are integers by their size.

    Example:
      >>> as_mono(np.array([[16384, 0], [-32768, -32768]], np.int16))
      array([ 0.25, -1.  ], dtype=float32)
    """
    array = np.asarray(waveform)
    # 64 bits are Python's integers: nobody knows the range that they were meant in.
    if array.dtype.kind not in "fiu" or array.dtype in (np.int64, np.uint64):
        raise AudioError(
            f"the waveform is of type {array.dtype}; expected floats in [-1, 1] or "
            f"integers of 8, 16 or 32 bits"
        )
    if array.ndim not in (1, 2) or not array.size:
        raise AudioError(
            f"the waveform is of shape {array.shape}; expected [n] or [n, channels], "
            f"with a sample at least"
        )
    if array.ndim == 2 and array.shape[1] > min(MOST_CHANNELS, array.shape[0]):
        raise AudioError(
            f"the waveform is of shape {array.shape}: channels come second, as in "
            f"[n, channels]; transpose it"
        )
    samples = _scaled(array)
    if not np.isfinite(samples).all():
        raise AudioError("the waveform holds NaN or infinite samples")
    if (peak := np.abs(samples).max()) > LOUDEST:
        raise AudioError(
            f"the waveform holds samples of {peak:g}, full scale is 1: they look like "
            "integers kept as floats, to be divided by 32768"
        )
    samples = np.clip(samples, -1, 1)
    if samples.ndim == 2:
        samples = samples.mean(1, dtype=np.float32)
    return samples.astype(np.float32, copy=False)


def _scaled(samples: np.ndarray) -> np.ndarray:
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return samples.astype(np.float32, copy=False)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    middle = half if samples.dtype.kind == "u" else 0.0
    return ((samples.astype(np.float64) - middle) / half).astype(np.float32)


def checked_rate(sample_rate: float) -> int:
    """A sample rate in Hz, if a recording can have it.

    Raises:
      AudioError: it is no whole number between `LOWEST_RATE` and `HIGHEST_RATE`.

    Example:
      >>> checked_rate(np.float64(16000.0))
      16000
    """
    try:
        rate = int(sample_rate)
    except (TypeError, ValueError, OverflowError):
        rate = -1
    is_flag = isinstance(sample_rate, bool | np.bool_ | str | bytes)
    if is_flag or rate != sample_rate or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(
            f"the sample rate is {sample_rate!r}; expected a whole number of Hz from "
            f"{LOWEST_RATE} to {HIGHEST_RATE}"
        )
    return rate
