"""Frames of raw samples, for encoders that learn their filters."""

import numpy as np

from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.spectrum import in_samples


def waveform(*, hop: float = 0.01, sample_rate: int = 16000) -> Extractor:
    """Samples cut into rows, float32 `[ceil(n / hop), hop]`.

    Rows do not overlap, so that `reshape(-1)` gives the signal back, with zeros after
    its end. To an encoder a row is what a frame of `logmel` is, at the same rate; but
    frames are centred on every hop, rows begin there.

    Args:
      hop: length of a row, in seconds; a whole number of samples.
      sample_rate: in Hz; 8000 halves the work and keeps what a telephone does.

    Returns:
      The extractor.

    Raises:
      ValueError: `hop` is not a whole number of samples.

    Example:
      >>> waveform(sample_rate=8000).compute(np.ones(8001, np.float32)).shape
      (101, 80)
    """
    step = in_samples(hop, sample_rate, "hop")
    if not np.isclose(step, hop * sample_rate, rtol=1e-9):
        raise ValueError(
            f"hop={hop:g} s is {hop * sample_rate:g} samples at {sample_rate} Hz; it "
            f"must be a whole number, such as {step / sample_rate:g} s"
        )

    def compute(samples: np.ndarray) -> np.ndarray:
        rows = np.zeros((-(-len(samples) // step), step), np.float32)
        rows.reshape(-1)[: len(samples)] = np.asarray(samples, np.float32)
        return rows

    return Extractor(
        name="waveform",
        version=1,
        parameters={"hop": hop},
        dim=step,
        framewise=True,
        compute=compute,
        sample_rate=sample_rate,
        packages=("soundfile", "soxr"),
    )
