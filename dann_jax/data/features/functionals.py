"""Functionals: one vector an utterance of statistics over its frames."""

from collections.abc import Mapping, Sequence

import numpy as np

from dann_jax.data.features.descriptors import CEPSTRA, MOVING, SHAPE, descriptors
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.prosody import NAMES, check_pitch_range
from dann_jax.data.features.spectral import PACKAGES
from dann_jax.data.features.spectrum import in_samples

_VOICED = ("hnr", *SHAPE, *CEPSTRA)
_UNVOICED = ("loudness", *SHAPE)
_EVERYWHERE = ("flux", "spread", *CEPSTRA)
_COLUMNS = (*NAMES, "loudness", "flux", "spread", *SHAPE, *CEPSTRA, *MOVING)


def functionals(
    *,
    fmin: float = 60.0,
    fmax: float = 600.0,
    hop: float = 0.01,
    sample_rate: int = 16000,
) -> Extractor:
    """Statistics of a whole utterance for emotion recognition, float32 `[123]`, named.

    Mean, deviation, percentiles 20, 50 and 80 with their range, slope over time, and
    the rises and falls of pitch (voiced frames) and loudness; means and deviations of
    the harmonicity and of the shape of the spectrum in voiced and in unvoiced frames,
    of cepstra 1-12 in voiced frames and everywhere, and of how fast those move; jitter
    and shimmer from frame to frame; lengths and rates of voiced and unvoiced stretches
    and of syllables. What cannot be measured, such as the pitch of a whisper, is 0.

    Args:
      fmin: lowest pitch, in Hz.
      fmax: highest pitch, in Hz.
      hop: from one frame to the next, in seconds.
      sample_rate: in Hz, 8000 or more.

    Returns:
      The extractor.

    Raises:
      ValueError: a parameter is out of its range.

    Example:
      >>> extractor = functionals()
      >>> extractor.dim, extractor.names[:2]
      (123, ('f0_mean', 'f0_std'))

    Reference:
      After the parameters of Eyben et al., IEEE Trans. Affective Computing 7(2), 2016,
      section 3, which are similar in kind; the values are not the same.
    """
    check_pitch_range(fmin, fmax, sample_rate)
    step = in_samples(hop, sample_rate, "hop")
    if sample_rate < 8000:
        raise ValueError(f"sample_rate={sample_rate} Hz must be 8000 or more")

    def compute(samples: np.ndarray) -> np.ndarray:
        columns = descriptors(
            samples, sample_rate=sample_rate, hop=step, fmin=fmin, fmax=fmax
        )
        statistics = summarise(columns, step / sample_rate)
        return np.array(list(statistics.values()), np.float32)

    names = tuple(summarise({name: np.zeros(1, bool) for name in _COLUMNS}, hop))
    return Extractor(
        name="functionals",
        version=1,
        parameters={"fmin": float(fmin), "fmax": float(fmax), "hop": hop},
        dim=len(names),
        framewise=False,
        compute=compute,
        sample_rate=sample_rate,
        names=names,
        packages=PACKAGES,
    )


def summarise(columns: Mapping[str, np.ndarray], hop: float) -> dict[str, float]:
    """Statistics of descriptors over time.

    Args:
      columns: name of a descriptor -> float `[frames]`, and bool `voiced`.
      hop: seconds between frames.

    Returns:
      Name -> statistic.
    """
    voiced = columns["voiced"]
    everywhere = np.ones(len(voiced), bool)
    return {
        **contour("f0", columns["f0"], voiced, hop),
        **contour("loudness", columns["loudness"], everywhere, hop),
        **_moments(columns, _VOICED, voiced, "_voiced"),
        **_moments(columns, _UNVOICED, ~voiced, "_unvoiced"),
        **_moments(columns, _EVERYWHERE, everywhere, ""),
        **{f"{name}_std": float(np.std(columns[name])) for name in MOVING},
        **_roughness(columns, voiced),
        **rhythm(voiced, columns["nucleus"], hop),
    }


def contour(
    name: str, values: np.ndarray, where: np.ndarray, hop: float
) -> dict[str, float]:
    """Level, spread and slopes of a contour.

    Args:
      name: what the names of the statistics begin with.
      values: float `[frames]`.
      where: bool `[frames]`, the frames that count.
      hop: from one frame to the next, in seconds.

    Returns:
      Name -> statistic.

    Example:
      >>> statistics = contour("f0", np.arange(5.0), np.arange(5) != 2, hop=0.1)
      >>> round(statistics["f0_slope"], 3), round(statistics["f0_rise_mean"], 3)
      (10.0, 10.0)
    """
    frames = np.flatnonzero(where)
    values = np.asarray(values, np.float64)[frames]
    adjacent = np.diff(frames) == 1
    steps = np.diff(values)[adjacent] / hop
    time = hop * (frames - frames.mean()) if len(frames) > 1 else np.ones(len(frames))
    level = values if len(values) else np.zeros(1)
    low, middle, high = np.percentile(level, (20, 50, 80))
    statistics = {
        "mean": level.mean(),
        "std": level.std(),
        "p20": low,
        "p50": middle,
        "p80": high,
        "range": high - low,
        "slope": time @ (values - level.mean()) / max(time @ time, hop**2),
        "rise_mean": _mean(steps[steps > 0]),
        "rise_std": _std(steps[steps > 0]),
        "fall_mean": _mean(steps[steps < 0]),
        "fall_std": _std(steps[steps < 0]),
    }
    return {f"{name}_{word}": float(value) for word, value in statistics.items()}


def rhythm(voiced: np.ndarray, nucleus: np.ndarray, hop: float) -> dict[str, float]:
    """Lengths and rates of voiced stretches, pauses and syllables, in seconds.

    Pauses are the unvoiced stretches between voiced ones, not those at the ends.

    Args:
      voiced: bool `[frames]`.
      nucleus: bool `[frames]`, peaks of syllables.
      hop: seconds between frames.

    Example:
      >>> voiced = np.array([0, 1, 1, 0, 0, 1, 1, 0, 0, 0], bool)
      >>> lengths = rhythm(voiced, voiced, hop=0.1)
      >>> [round(lengths[f"{name}_length_mean"], 3) for name in ("voiced", "pause")]
      [0.2, 0.2]
    """
    switches = np.flatnonzero(np.diff(np.r_[False, voiced, False].astype(np.int8)))
    begins, ends = switches[::2], switches[1::2]
    stretches, pauses = hop * (ends - begins), hop * (begins[1:] - ends[:-1])
    duration = hop * len(voiced)
    return {
        "voiced_share": float(voiced.mean()),
        "voiced_rate": len(begins) / duration,
        "voiced_length_mean": _mean(stretches),
        "voiced_length_std": _std(stretches),
        "pause_length_mean": _mean(pauses),
        "pause_length_std": _std(pauses),
        "syllable_rate": float(nucleus.sum()) / duration,
    }


def _moments(
    columns: Mapping[str, np.ndarray],
    names: Sequence[str],
    where: np.ndarray,
    suffix: str,
) -> dict[str, float]:
    """Mean and deviation of columns over some frames."""
    statistics = {}
    for name in names:
        values = columns[name][where]
        statistics[f"{name}{suffix}_mean"] = _mean(values)
        statistics[f"{name}{suffix}_std"] = _std(values)
    return statistics


def _roughness(
    columns: Mapping[str, np.ndarray], voiced: np.ndarray
) -> dict[str, float]:
    """Deviation of frames from the line through their neighbours, all three voiced."""
    inside = voiced[2:] & voiced[1:-1] & voiced[:-2]

    def bend(name: str) -> float:
        values = np.asarray(columns[name], np.float64)
        return _mean(np.abs(values[2:] - 2 * values[1:-1] + values[:-2])[inside] / 2)

    return {"jitter": bend("f0"), "shimmer": bend("energy")}


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else 0.0


def _std(values: np.ndarray) -> float:
    return float(np.std(values, dtype=np.float64)) if len(values) else 0.0
