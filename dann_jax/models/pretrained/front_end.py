"""From sound to what an encoder takes, as its `preprocessor_config.json` says."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from dann_jax.models.frames import frame_mask
from dann_jax.models.pretrained.layers import unfold
from dann_jax.models.pretrained.settings import (
    PretrainedError,
    Settings,
    WhisperSettings,
)
from dann_jax.types import Array


@dataclasses.dataclass(frozen=True)
class LogMel:
    """Whisper's log mel spectrogram, equal to transformers' `WhisperFeatureExtractor`.

    Windows of `n_fft` samples, reflected at both ends; powers in mel bands (Slaney's),
    at most 80 dB below the loudest of the recording, `(log10 + 4) / 4`.

    Reference: Radford et al., "Robust Speech Recognition via Large-Scale Weak
    Supervision", ICML 2023.

    Attributes:
      num_mels: bands.
      sample_rate: in Hz.
      n_fft: samples of a window.
      hop: samples from one mel frame to the next.
      max_samples: the longest that the encoder takes at once.
      pad_to_30s: zeros up to `max_samples`, as transformers does by default, and the
        encoder attends to them; otherwise the real length.

    Example:
      >>> log_mel, lengths = LogMel(80)(jnp.zeros((1, 16000)), jnp.array([16000]))
      >>> log_mel.shape, lengths.tolist()
      ((1, 100, 80), [100])
    """

    num_mels: int
    sample_rate: int = 16000
    n_fft: int = 400
    hop: int = 160
    max_samples: int = 480000
    pad_to_30s: bool = False

    @property
    def min_samples(self) -> int:
        """Fewer cannot be reflected."""
        return self.n_fft // 2 + 1

    @property
    def stride(self) -> int:
        """Samples from one frame of the hidden states to the next."""
        return 2 * self.hop

    def prepare(self, samples: np.ndarray) -> np.ndarray:
        """The samples `[n]` of a whole recording, unchanged."""
        return samples

    def real_lengths(self, lengths: Array) -> Array:
        """Mel frames `[B]` of recordings of `lengths` `[B]` samples."""
        return lengths // self.hop

    def padded_length(self, samples: int) -> int:
        """Padded length of a recording; few lengths, so that few programs compile."""
        padded = self.max_samples if self.pad_to_30s else bucket(samples, self.stride)
        return min(padded, self.max_samples)

    def __call__(self, waveforms: Array, lengths: Array) -> tuple[Array, Array]:
        """The spectrograms of a padded batch; pure.

        Args:
          waveforms: float `[B, N]`, full scale is 1.
          lengths: int `[B]`, samples that are not padding, at least `min_samples`.

        Returns:
          float32 `[B, N // hop, num_mels]`, and int `[B]`, the frames that the encoder
          is to attend to.
        """
        if self.pad_to_30s:
            waveforms = jnp.where(
                frame_mask(lengths, waveforms.shape[1]), waveforms, 0.0
            )
            beyond = max(self.max_samples - waveforms.shape[1], 0)
            waveforms = jnp.pad(waveforms, ((0, 0), (0, beyond)))[:, : self.max_samples]
            lengths = jnp.full_like(lengths, self.max_samples)
        frames = self.real_lengths(lengths)
        windows = self._windows(waveforms, lengths)
        spectrum = jnp.fft.rfft(windows * _window(self.n_fft))
        power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
        bands = power @ _filters(self.sample_rate, self.n_fft, self.num_mels)
        level = jnp.log10(jnp.maximum(bands, 1e-10))
        real = frame_mask(frames, level.shape[1])[..., None]
        top = jnp.max(level, axis=(1, 2), keepdims=True, where=real, initial=-10.0)
        return (jnp.maximum(level, top - 8.0) + 4.0) / 4.0, frames

    def _windows(self, waveforms: Array, lengths: Array) -> Array:
        """`[B, N // hop, n_fft]`; each recording is reflected at its own end."""
        samples, margin = waveforms.shape[1], self.n_fft // 2
        frames = samples // self.hop
        place = jnp.abs(jnp.arange(-margin, frames * self.hop + margin))
        last = lengths[:, None] - 1
        place = jnp.where(place > last, 2 * last - place, place)
        around = jnp.take_along_axis(
            waveforms.astype(jnp.float32), jnp.clip(place, 0, samples - 1), axis=1
        )
        return unfold(around[..., None], self.n_fft, self.hop)[:, :frames]


@dataclasses.dataclass(frozen=True)
class Waveform:
    """The samples themselves, equal to transformers' `Wav2Vec2FeatureExtractor`.

    Attributes:
      normalise: whether a recording is brought to mean 0 and variance 1.
      min_samples: what makes one frame of the encoder.
      stride: samples from one frame of the hidden states to the next.
      sample_rate: in Hz.
      max_samples: a recording that is longer is encoded in chunks.

    Example:
      >>> front_end = Waveform(normalise=True, min_samples=400, stride=320)
      >>> front_end.prepare(np.array([0.0, 2.0], np.float32)).round(3).tolist()
      [-1.0, 1.0]
    """

    normalise: bool
    min_samples: int
    stride: int
    sample_rate: int = 16000
    max_samples: int = 480000

    def prepare(self, samples: np.ndarray) -> np.ndarray:
        """The samples `[n]` of a recording, standardised if the model needs it."""
        if not self.normalise:
            return samples
        return (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)

    def real_lengths(self, lengths: Array) -> Array:
        """Inputs `[B]` of the encoder for `lengths` `[B]` samples: as many."""
        return lengths

    def padded_length(self, samples: int) -> int:
        """Padded length of a recording; few lengths, so that few programs compile."""
        return min(bucket(samples, self.stride), self.max_samples)

    def __call__(self, waveforms: Array, lengths: Array) -> tuple[Array, Array]:
        """The prepared samples `[B, N]` and lengths `[B]`, unchanged."""
        return waveforms, lengths


FrontEnd = LogMel | Waveform


def bucket(length: int, unit: int) -> int:
    """The length that a recording is padded to: eight lengths an octave.

    Args:
      length: in samples, at least 1.
      unit: what the result is a multiple of.

    Returns:
      At least `length`, and less than `length / 8 + unit` more.

    Example:
      >>> bucket(16000, 320), bucket(48000, 320), bucket(49000, 320)
      (16640, 51200, 51200)
    """
    units = -(-length // unit)
    step = 1 << max(units.bit_length() - 4, 0)
    return -(-units // step) * step * unit


def read_front_end(
    config: Mapping[str, Any], settings: Settings, pad_to_30s: bool = False
) -> FrontEnd:
    """The front end that a parsed `preprocessor_config.json` describes.

    Args:
      config: as parsed.
      settings: of the encoder.
      pad_to_30s: see `LogMel`; only Whisper can.

    Raises:
      PretrainedError: the encoder takes something else, or a key is missing.
    """
    if isinstance(settings, WhisperSettings):
        front_end = LogMel(
            num_mels=_read(config, "feature_size", int),
            sample_rate=_read(config, "sampling_rate", int),
            n_fft=_read(config, "n_fft", int),
            hop=_read(config, "hop_length", int),
            max_samples=2
            * settings.max_source_positions
            * _read(config, "hop_length", int),
            pad_to_30s=pad_to_30s,
        )
        if front_end.num_mels != settings.num_mel_bins:
            raise PretrainedError(
                f"feature_size is {front_end.num_mels}, but the encoder takes "
                f"{settings.num_mel_bins} mel bands"
            )
        if config.get("dither"):
            raise PretrainedError("dither adds noise; it must be 0")
        return front_end
    if pad_to_30s:
        raise PretrainedError(
            f"pad_to_30s is for Whisper; {settings.model_type} takes any length"
        )
    return Waveform(
        normalise=_read(config, "do_normalize", bool),
        min_samples=settings.min_samples,
        stride=settings.hop,
        sample_rate=_read(config, "sampling_rate", int),
        max_samples=30 * _read(config, "sampling_rate", int),
    )


def _read(config: Mapping[str, Any], key: str, kind: type) -> Any:
    if type(config.get(key)) is not kind:
        raise PretrainedError(
            f"the key {key!r} must be of type {kind.__name__}, not {config.get(key)!r}"
        )
    return config[key]


@functools.cache
def _window(length: int) -> np.ndarray:
    """The periodic Hann window."""
    return np.hanning(length + 1)[:-1].astype(np.float32)


@functools.cache
def _filters(sample_rate: int, n_fft: int, num_mels: int) -> np.ndarray:
    """Slaney's triangles of equal area up to 8 kHz, float32 `[bins, num_mels]`."""
    import librosa

    bank = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=num_mels, fmin=0.0, fmax=8000.0
    )
    return np.ascontiguousarray(bank.T)
