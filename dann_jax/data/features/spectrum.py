"""Frames of a signal, their power spectra and the power in mel bands."""

import functools
import warnings

import numpy as np

FLOOR = 1e-10
"""Lowest power that is distinguished: -100 dB of full scale, about the rounding
noise of 16 bits."""


FRAMES = 1 << 13
"""Frames in a block, so that memory does not grow with the recording."""

Span = tuple[int, int]
"""The first frame, and the one after the last."""


def spans(samples: np.ndarray, hop: int) -> list[Span]:
    """All frames of a signal `[n]` in parts of `FRAMES`.

    Example:
      >>> spans(np.zeros(1000), hop=100)
      [(0, 11)]
    """
    total = 1 + len(samples) // hop
    return [(n, min(n + FRAMES, total)) for n in range(0, total, FRAMES)]


def frame(
    samples: np.ndarray, length: int, hop: int, span: Span | None = None
) -> np.ndarray:
    """Windows centred on every `hop`-th sample, zeros beyond the ends.

    Args:
      samples: float `[n]`; what can be sliced will do.
      length: of a window, in samples.
      hop: from one centre to the next, in samples.
      span: which frames; all by default.

    Returns:
      A read-only view, float32 `[1 + n // hop, length]`, or those of the span.

    Example:
      >>> frame(np.arange(1.0, 5.0), length=3, hop=2)
      array([[0., 1., 2.],
             [2., 3., 4.],
             [4., 0., 0.]], dtype=float32)
    """
    first, stop = span or (0, 1 + len(samples) // hop)
    begin = first * hop - length // 2
    end = (stop - 1) * hop - length // 2 + length
    part = np.asarray(samples[max(begin, 0) : max(end, 0)], np.float32)
    padded = np.pad(part, (max(-begin, 0), max(end - len(samples), 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::hop]


@functools.lru_cache
def hann(length: int) -> np.ndarray:
    """The periodic Hann window, float32 `[length]`."""
    return np.hanning(length + 1)[:-1].astype(np.float32)


def power_spectrum(
    samples: np.ndarray, length: int, hop: int, span: Span | None = None
) -> np.ndarray:
    """Power of every frame at every frequency, in units of full scale squared.

    The bins of a frame add up to its mean square, weighted by the square of a Hann
    window (Parseval's theorem): a sine of amplitude `a` has power `a^2 / 2`.

    Args:
      samples: float `[n]`.
      length: of a window, in samples; the transform has the next power of two.
      hop: from one frame to the next, in samples.
      span: which frames; all by default.

    Returns:
      float32 `[1 + n // hop, bins]`, or those of the span, from 0 to half of the
      sample rate.

    Example:
      >>> sine = 0.5 * np.sin(2 * np.pi * 0.1 * np.arange(1000))
      >>> power_spectrum(sine, 400, 160)[3].sum().round(4)
      np.float32(0.125)
    """
    window = hann(length)
    size = transform_size(length)
    transformed = np.fft.rfft(frame(samples, length, hop, span) * window, size)
    power = transformed.real**2 + transformed.imag**2
    power[:, 1:-1] *= 2
    power *= 1 / (size * np.sum(window**2))
    return power


def transform_size(length: int) -> int:
    """The power of two that holds a window of `length` samples."""
    return 1 << (length - 1).bit_length()


@functools.lru_cache
def mel_filters(
    sample_rate: int, length: int, n_mels: int, fmin: float, fmax: float
) -> np.ndarray:
    """Triangular filters on Slaney's mel scale that sum to 1 at every frequency.

    Returns:
      float32 `[bins, n_mels]`; between the first and the last centre every row adds
      up to 1.

    Raises:
      ValueError: a band is narrower than a bin, so that it would always be empty.
    """
    import librosa.filters

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        filters = librosa.filters.mel(
            sr=sample_rate,
            n_fft=transform_size(length),
            n_mels=n_mels,
            fmin=fmin,
            fmax=fmax,
            norm=None,
        )
    if not filters.any(1).all():
        raise ValueError(
            f"n_mels={n_mels} bands from {fmin:g} to {fmax:g} Hz are narrower than a "
            f"window of {length / sample_rate:g} s can resolve; take fewer bands or "
            "a longer window"
        )
    return np.ascontiguousarray(filters.T)


def decibel(power: np.ndarray, floor: float = FLOOR) -> np.ndarray:
    """Power `[...]` in dB of full scale, at least that of `floor`.

    Example:
      >>> decibel(np.array([1.0, 0.01, 0.0]))
      array([   0.,  -20., -100.])
    """
    return 10 * np.log10(np.maximum(power, floor))


def in_samples(seconds: float, sample_rate: int, what: str) -> int:
    """A time as a whole number of samples, or an error that names it."""
    count = round(seconds * sample_rate)
    if count < 1:
        raise ValueError(
            f"{what}={seconds:g} s is less than one sample at {sample_rate} Hz"
        )
    return count


def check_band(fmin: float, fmax: float, sample_rate: int) -> None:
    """Refuse a band that is empty or reaches beyond half of the sample rate."""
    if not 0 <= fmin < fmax <= sample_rate / 2:
        raise ValueError(
            f"fmin={fmin:g} and fmax={fmax:g} Hz must satisfy 0 <= fmin < fmax <= "
            f"{sample_rate / 2:g}, half of the sample rate"
        )
