"""Pitch and harmonicity by autocorrelation, with a path that avoids octave jumps."""

from typing import NamedTuple

import numpy as np

from dann_jax.data.features.spectrum import FRAMES, frame, hann, spans

# The constants of the reference, with its recommended values.
_VOICING, _SILENCE = 0.45, 0.03
_OCTAVE, _JUMP, _SWITCH = 0.01, 0.35, 0.14
_CANDIDATES = 5
# Points that the shortest period has at least: a parabola through three of fewer is
# too blunt for the peak of a bright voice.
_FINEST = 24


class Pitch(NamedTuple):
    """Pitch of every frame.

    Attributes:
      f0: in Hz, 0 where a frame is unvoiced; float32 `[frames]`.
      strength: normalised autocorrelation at that period (at the best one, where
        unvoiced), from 0, noise, to 1, periodic; float32 `[frames]`.
    """

    f0: np.ndarray
    strength: np.ndarray


def track_pitch(
    samples: np.ndarray, *, sample_rate: int, hop: int, fmin: float, fmax: float
) -> Pitch:
    """Fundamental frequency of frames centred on every `hop`-th sample.

    The autocorrelation of a windowed frame over that of the window has its highest
    peak at the period. Each frame keeps its best peaks and the possibility of being
    unvoiced; the cheapest path through them is the pitch. Scaling the samples changes
    nothing.

    Args:
      samples: float `[n]`.
      sample_rate: in Hz.
      hop: from one frame to the next, in samples.
      fmin: lowest pitch, in Hz; a frame lasts three of its periods.
      fmax: highest pitch, in Hz.

    Returns:
      The pitch, of `1 + n // hop` frames.

    Example:
      >>> tone = np.sin(2 * np.pi * 220 * np.arange(16000) / 16000)
      >>> pitch = track_pitch(tone, sample_rate=16000, hop=160, fmin=60, fmax=600)
      >>> pitch.f0[50].round()
      np.float32(220.0)

    Reference:
      Boersma, Proc. Institute of Phonetic Sciences Amsterdam 17, 1993, equations 9,
      23, 24 and 27.
    """
    longest = int(np.ceil(sample_rate / fmin))
    finer = int(np.ceil(_FINEST * fmax / sample_rate))
    limits = finer * sample_rate / fmax, finer * sample_rate / fmin
    parts = []
    for span in spans(samples, hop):
        windows = frame(samples, 3 * longest, hop, span)
        windows = windows - windows.mean(1, keepdims=True)
        correlation = _correlation(windows, longest + 2, finer)
        parts.append((np.abs(windows).max(1), *_best_peaks(correlation, *limits)))
    peaks, lags, strength = map(np.concatenate, zip(*parts, strict=True))
    lags /= finer
    f0 = np.divide(sample_rate, lags, out=np.zeros_like(lags), where=lags > 0)
    octaves = np.log2(np.where(f0 > 0, f0, fmin) / fmin)
    voiced = np.where(f0 > 0, strength + _OCTAVE * octaves, -np.inf)
    loudness = peaks / max(peaks.max(), 1e-9)
    unvoiced = _VOICING + np.maximum(0, 2 - loudness * (1 + _VOICING) / _SILENCE)
    path = _cheapest_path(
        np.column_stack([unvoiced, voiced]),
        np.column_stack([np.zeros(len(f0)), f0]),
        0.01 * sample_rate / hop,
    )
    rows = np.arange(len(f0))
    chosen = np.where(path > 0, path - 1, strength.argmax(1))
    return Pitch(
        np.where(path > 0, f0[rows, chosen], 0).astype(np.float32),
        np.clip(strength[rows, chosen], 0, 1).astype(np.float32),
    )


def _correlation(windows: np.ndarray, lags: int, finer: int) -> np.ndarray:
    """Autocorrelation over that of the window, 1 at lag 0; `[frames, lags * finer]`."""
    import scipy.fft

    window = hann(windows.shape[1])
    size = scipy.fft.next_fast_len(windows.shape[1] + lags, real=True)

    def correlate(signal: np.ndarray) -> np.ndarray:
        transformed = np.asarray(scipy.fft.rfft(signal, size))
        power = transformed.real**2 + transformed.imag**2
        # More points than the spectrum has interpolate between the samples exactly.
        return np.asarray(scipy.fft.irfft(power, size * finer))[:, : lags * finer]

    window_acf = correlate(window[None])
    frame_acf = correlate(windows * window)
    # A silent frame has no correlation; it stays 0 everywhere.
    normalised = frame_acf / np.maximum(frame_acf[:, :1], 1e-12)
    return normalised * (window_acf[:, :1] / window_acf)


def _best_peaks(
    correlation: np.ndarray, shortest: float, longest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lag and height of the best peaks of every frame, 0 where there are fewer."""
    left, here, right = correlation[:, :-2], correlation[:, 1:-1], correlation[:, 2:]
    lag = np.arange(1, correlation.shape[1] - 1)
    inside = (lag >= shortest) & (lag <= longest)
    is_peak = (here > left) & (here >= right) & (here > 0) & inside
    score = np.where(is_peak, here - _OCTAVE * np.log2(lag), -np.inf)
    best = np.argpartition(-score, _CANDIDATES - 1, axis=1)[:, :_CANDIDATES]
    a, b, c = (
        np.take_along_axis(side, best, 1).astype(np.float64)
        for side in (left, here, right)
    )
    valid = np.take_along_axis(is_peak, best, 1)
    curve = np.where(valid, a - 2 * b + c, -1)
    # The top of the parabola through the three points.
    shift = 0.5 * (a - c) / curve
    height = b - 0.25 * (a - c) * shift
    # Between the samples the parabola may rise above what a correlation can be.
    height = np.where(height > 1, 1 / np.maximum(height, 1), height)
    return np.where(valid, lag[best] + shift, 0), np.where(valid, height, 0)


def _cheapest_path(scores: np.ndarray, f0: np.ndarray, steepness: float) -> np.ndarray:
    """The state of every frame on the path of the highest score, int `[frames]`."""
    came_from = np.zeros(scores.shape, np.int8)
    best = scores[0]
    for start in range(1, len(scores), FRAMES):
        costs = _costs(f0[start - 1 : start + FRAMES], steepness)
        for step, cost in enumerate(costs, start=start):
            routes = best[:, None] - cost
            came_from[step] = routes.argmax(0)
            best = routes.max(0) + scores[step]
    path = np.empty(len(scores), np.intp)
    path[-1] = best.argmax()
    for step in range(len(scores) - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path


def _costs(f0: np.ndarray, steepness: float) -> np.ndarray:
    """Costs of the transitions between states, `[frames - 1, 6, 6]`."""
    voiced = f0 > 0
    pitch = np.log2(np.where(voiced, f0, 1.0))
    jump = _JUMP * np.abs(pitch[:-1, :, None] - pitch[1:, None, :])
    both = voiced[:-1, :, None] & voiced[1:, None, :]
    switch = _SWITCH * (voiced[:-1, :, None] ^ voiced[1:, None, :])
    return steepness * np.where(both, jump, switch)
