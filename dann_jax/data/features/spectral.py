"""Log mel spectra and cepstra, frame by frame."""

import numpy as np

from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.spectrum import (
    FLOOR,
    check_band,
    in_samples,
    mel_filters,
    power_spectrum,
    spans,
)

PACKAGES = ("librosa", "numpy", "scipy", "soundfile", "soxr")


def logmel(
    *,
    n_mels: int = 64,
    window: float = 0.025,
    hop: float = 0.01,
    fmin: float = 20.0,
    fmax: float | None = None,
    floor: float = FLOOR,
    sample_rate: int = 16000,
) -> Extractor:
    """Natural logarithm of the power in mel bands, float32 `[1 + n // hop, n_mels]`.

    Args:
      n_mels: number of bands.
      window: of a frame, in seconds.
      hop: from one frame to the next, in seconds.
      fmin: where the first band begins, in Hz.
      fmax: where the last band ends, in Hz; None is half of the sample rate.
      floor: power that stands for silence, of full scale squared.
      sample_rate: in Hz.

    Returns:
      The extractor.

    Raises:
      ValueError: a parameter is out of its range.

    Example:
      >>> extractor = logmel(n_mels=40)
      >>> extractor.compute(np.zeros(16000, np.float32)).shape
      (101, 40)
    """
    fmax = sample_rate / 2 if fmax is None else fmax
    length, step = _frames(window, hop, sample_rate)
    check_band(fmin, fmax, sample_rate)
    _check_bands(n_mels, floor)
    at = length, step

    def compute(samples: np.ndarray) -> np.ndarray:
        filters = mel_filters(sample_rate, length, n_mels, fmin, fmax)
        return np.concatenate(
            [
                np.log(np.maximum(power_spectrum(samples, *at, span) @ filters, floor))
                for span in spans(samples, step)
            ]
        )

    return Extractor(
        name="logmel",
        version=1,
        parameters={
            "n_mels": n_mels,
            "window": window,
            "hop": hop,
            "fmin": float(fmin),
            "fmax": float(fmax),
            "floor": floor,
        },
        dim=n_mels,
        framewise=True,
        compute=compute,
        sample_rate=sample_rate,
        names=[f"mel{band}" for band in range(n_mels)],
        packages=PACKAGES,
    )


def mfcc(
    *,
    n_mfcc: int = 13,
    deltas: int = 2,
    n_mels: int = 40,
    window: float = 0.025,
    hop: float = 0.01,
    fmin: float = 20.0,
    fmax: float | None = None,
    floor: float = FLOOR,
    sample_rate: int = 16000,
) -> Extractor:
    """Mel cepstra with their slopes, float32 `[1 + n // hop, n_mfcc * (1 + deltas)]`.

    Args:
      n_mfcc: number of coefficients, from 0, the level, on.
      deltas: how often to append the slopes of what was appended last; 0 to 2.
      n_mels: number of mel bands below them.
      window: of a frame, in seconds.
      hop: from one frame to the next, in seconds.
      fmin: where the first band begins, in Hz.
      fmax: where the last band ends, in Hz; None is half of the sample rate.
      floor: power that stands for silence, of full scale squared.
      sample_rate: in Hz.

    Returns:
      The extractor.

    Raises:
      ValueError: a parameter is out of its range.

    Example:
      >>> extractor = mfcc()
      >>> extractor.dim, extractor.names[12:14]
      (39, ['mfcc12', 'mfcc0_delta'])

    Reference:
      Davis and Mermelstein, IEEE Trans. ASSP 28(4), 1980, equation 1; Furui, IEEE
      Trans. ASSP 34(1), 1986, for the slopes.
    """
    if not 1 <= n_mfcc <= n_mels:
        raise ValueError(f"n_mfcc={n_mfcc} must lie between 1 and n_mels={n_mels}")
    if deltas not in (0, 1, 2):
        raise ValueError(f"deltas={deltas} must be 0, 1 or 2")
    below = logmel(
        n_mels=n_mels,
        window=window,
        hop=hop,
        fmin=fmin,
        fmax=fmax,
        floor=floor,
        sample_rate=sample_rate,
    )

    def compute(samples: np.ndarray) -> np.ndarray:
        parts = [cepstra(below.compute(samples), n_mfcc)]
        for _ in range(deltas):
            parts.append(slopes(parts[-1]))
        return np.concatenate(parts, axis=1)

    return Extractor(
        name="mfcc",
        version=1,
        parameters={"n_mfcc": n_mfcc, "deltas": deltas, **below.parameters},
        dim=n_mfcc * (1 + deltas),
        framewise=True,
        compute=compute,
        sample_rate=sample_rate,
        names=[
            f"mfcc{index}{suffix}"
            for suffix in ("", "_delta", "_delta2")[: deltas + 1]
            for index in range(n_mfcc)
        ],
        packages=PACKAGES,
    )


def cepstra(log_bands: np.ndarray, count: int) -> np.ndarray:
    """The first `count` cosine coefficients of `[frames, bands]`, `[frames, count]`."""
    import scipy.fft

    coefficients = scipy.fft.dct(log_bands, type=2, norm="ortho", axis=1)
    return np.asarray(coefficients)[:, :count]


def slopes(values: np.ndarray) -> np.ndarray:
    """Least-squares slope over five frames, a frame; the ends are held; `[frames, k]`.

    Example:
      >>> slopes(3.0 * np.arange(7.0)[:, None])[2:5, 0]
      array([3., 3., 3.])
    """
    import scipy.ndimage

    weights = np.array([-0.2, -0.1, 0, 0.1, 0.2])
    return scipy.ndimage.correlate1d(values, weights, axis=0, mode="nearest")


def _frames(window: float, hop: float, sample_rate: int) -> tuple[int, int]:
    return (
        in_samples(window, sample_rate, "window"),
        in_samples(hop, sample_rate, "hop"),
    )


def _check_bands(n_mels: int, floor: float) -> None:
    if n_mels < 1:
        raise ValueError(f"n_mels={n_mels} must be 1 or more")
    if not 0 < floor < 1:
        raise ValueError(f"floor={floor:g} must lie between 0 and 1")
