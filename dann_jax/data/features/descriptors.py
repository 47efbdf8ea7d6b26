"""Descriptors of every frame, from which functionals are computed."""

from collections.abc import Iterator, Mapping

import numpy as np

from dann_jax.data.features.prosody import contours
from dann_jax.data.features.spectral import cepstra, slopes
from dann_jax.data.features.spectrum import (
    FLOOR,
    decibel,
    mel_filters,
    power_spectrum,
    spans,
    transform_size,
)

SHAPE = ("alpha", "hammarberg", "slope_low", "slope_mid", "centroid", "flatness")
CEPSTRA = tuple(f"mfcc{n}" for n in range(1, 13))
MOVING = tuple(f"{name}_delta" for name in CEPSTRA)

_WINDOW = 0.025
_MELS = 26


def descriptors(
    samples: np.ndarray, *, sample_rate: int, hop: int, fmin: float, fmax: float
) -> Mapping[str, np.ndarray]:
    """Name -> `[frames]` of everything that `functionals` uses.

    Args:
      samples: float `[n]` in [-1, 1].
      sample_rate: in Hz.
      hop: from one frame to the next, in samples.
      fmin: lowest pitch, in Hz.
      fmax: highest pitch, in Hz.

    Returns:
      The columns of `prosody`, `loudness`, those of `spectral_shape`, `CEPSTRA` and
      their slopes `MOVING`, a frame.

    Example:
      >>> columns = descriptors(
      ...     np.zeros(800), sample_rate=16000, hop=160, fmin=60, fmax=600
      ... )
      >>> columns["mfcc12"].shape
      (6,)
    """
    length, parts = round(_WINDOW * sample_rate), spans(samples, hop)

    def spectra() -> Iterator[np.ndarray]:
        for first, stop in parts:
            # With the frame before, from which the first of the part moved.
            span = max(first - 1, 0), stop
            yield power_spectrum(samples, length, hop, span)

    # Of a long recording they are made again for every use, of a short one kept.
    kept = list(spectra()) if len(parts) == 1 else None
    loudest = max(power.max() for power in kept or spectra())
    found = [
        _columns(power, sample_rate, length, loudest, skip=min(first, 1))
        for power, (first, _) in zip(kept or spectra(), parts, strict=True)
    ]
    columns = {
        name: np.concatenate([part[name] for part in found]) for name in found[0]
    }
    energy, coefficients = columns.pop("energy"), columns.pop("cepstra")
    return {
        **contours(
            samples, energy, sample_rate=sample_rate, hop=hop, fmin=fmin, fmax=fmax
        ),
        **columns,
        **dict(zip(CEPSTRA, coefficients.T, strict=True)),
        **dict(zip(MOVING, slopes(coefficients).T, strict=True)),
    }


def _columns(
    power: np.ndarray, sample_rate: int, length: int, loudest: float, skip: int
) -> dict[str, np.ndarray]:
    """Descriptors of each frame, and of its difference from the previous one."""
    bands = power @ mel_filters(sample_rate, length, _MELS, 20.0, sample_rate / 2)
    summaries = {
        "energy": decibel(power.sum(1)),
        # Stevens' power law in every band, as hearing has it.
        "loudness": (bands**0.3).sum(1),
        **spectral_shape(power, sample_rate / transform_size(length), loudest),
        "cepstra": cepstra(np.log(np.maximum(bands, FLOOR)), 1 + len(CEPSTRA))[:, 1:],
    }
    return {name: values[skip:] for name, values in summaries.items()}


def spectral_shape(
    power: np.ndarray, width: float, loudest: float | None = None
) -> Mapping[str, np.ndarray]:
    """Shape of the spectrum, independent of its scale.

    Args:
      power: float `[frames, bins]`.
      width: of a bin, in Hz; there are bins above 2 kHz.
      loudest: power of the loudest bin of the recording; that of these frames if None.

    Returns:
      `alpha`, dB of 50-1000 over 1000-5000 Hz; `hammarberg`, dB of the highest peak
      in 0-2000 over that in 2000-5000 Hz; `slope_low` and `slope_mid`, dB a kHz over
      0-500 and 500-1500 Hz; `centroid` and `spread`, in kHz; `flatness`, dB of the
      geometric over the arithmetic mean; `flux`, how far the shape moved since the
      last frame, from 0 to the root of 2.

    Example:
      >>> shape = spectral_shape(np.ones((2, 257)), 31.25)
      >>> shape["centroid"].round(2), shape["flatness"]
      (array([4., 4.]), array([0., 0.]))

    Reference:
      Eyben et al., IEEE Trans. Affective Computing 7(2), 2016, section 3.
    """
    hertz = width * np.arange(power.shape[1])
    # 90 dB below the loudest bin, shapes are rounding errors; silence becomes flat.
    loudest = power.max() if loudest is None else loudest
    power = np.maximum(power, 1e-9 * loudest + 1e-30)
    level = 10 * np.log10(power)
    share = power / power.sum(1, keepdims=True)
    centroid = share @ hertz
    spread = np.sqrt(np.maximum(share @ hertz**2 - centroid**2, 0))
    root = np.sqrt(share)

    def band(values: np.ndarray, low: float, high: float) -> np.ndarray:
        return values[:, (hertz >= low) & (hertz < high)]

    low, high = band(power, 50, 1000).sum(1), band(power, 1000, 5000).sum(1)
    return {
        "alpha": 10 * np.log10(low / high),
        "hammarberg": band(level, 0, 2000).max(1) - band(level, 2000, 5000).max(1),
        "slope_low": _slope(band(level, 0, 500), width / 1000),
        "slope_mid": _slope(band(level, 500, 1500), width / 1000),
        "centroid": centroid / 1000,
        "spread": spread / 1000,
        "flatness": level.mean(1) - 10 * np.log10(power.mean(1)),
        "flux": np.linalg.norm(np.diff(root, axis=0, prepend=root[:1]), axis=1),
    }


def _slope(values: np.ndarray, step: float) -> np.ndarray:
    """Least-squares slope of every row over columns that lie `step` apart."""
    positions = step * (np.arange(values.shape[1]) - (values.shape[1] - 1) / 2)
    return values @ positions / (positions @ positions)
