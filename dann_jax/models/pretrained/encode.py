"""Recordings to hidden states: bucketed by length, batched on the device, pooled."""

import collections
import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dann_jax.models.pretrained.front_end import FrontEnd
from dann_jax.models.pretrained.layers import chosen_layers
from dann_jax.models.pretrained.load import Encoder, Pretrained
from dann_jax.models.pretrained.pooling import (
    POOLINGS,
    Moments,
    frame_moments,
    merge,
    pooled,
)
from dann_jax.models.pretrained.settings import PretrainedError
from dann_jax.types import Array, PyTree

_IN_FLIGHT = 2
"""Batches that the device may be ahead of the host."""


@dataclasses.dataclass(frozen=True)
class _Chunk:
    recording: int
    samples: np.ndarray


def hidden_states(
    pretrained: Pretrained,
    waveforms: Sequence[np.ndarray],
    *,
    layers: Sequence[int] | None = None,
    pooling: str = "mean",
    batch_seconds: float | None = None,
    chunk_seconds: float = 30.0,
) -> list[np.ndarray]:
    """Hidden states of recordings of any length, pooled over their real frames.

    Recordings of similar length share a program and a batch; which ones they are
    changes nothing. What is longer than a chunk is cut into equal ones, each encoded
    alone, whose frames are pooled together.

    Args:
      pretrained: from `load`.
      waveforms: for each recording float `[samples]`, full scale is 1, one channel, at
        `pretrained.sample_rate`.
      layers: the hidden states that are wanted: 0 is the input of the first layer, -1
        the last one; None is all of them. Layers above the highest are not computed.
      pooling: `mean`, `mean_std` (deviations behind the means), or `frames`.
      batch_seconds: seconds of sound in a batch, padding included; None is one
        recording at a time on a CPU, where batches fall out of the caches, and 480
        elsewhere.
      chunk_seconds: of the longest chunk; Whisper takes no more than 30.

    Returns:
      For each recording float32 `[len(layers), D]`; `[len(layers), 2 D]` for
      `mean_std`; `[frames, len(layers), D]` for `frames`.

    Raises:
      PretrainedError: a recording is no such array, holds values that are not finite,
        or is too short for one frame; it says which.
      ValueError: an argument is out of its range.

    Example:
      >>> from dann_jax.models.pretrained import from_config
      >>> config = {"model_type": "whisper", "num_mel_bins": 80, "d_model": 8,
      ...     "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16,
      ...     "max_source_positions": 1500, "activation_function": "gelu"}
      >>> pretrained = from_config(config, jax.random.key(0))
      >>> second, two = np.zeros(16000, np.float32), np.zeros(32000, np.float32)
      >>> features = hidden_states(pretrained, [second, two], pooling="mean_std")
      >>> len(features), features[0].shape
      (2, (2, 16))
    """
    wanted = chosen_layers(
        None if layers is None else tuple(layers), pretrained.num_layers
    )
    if pooling not in POOLINGS:
        raise ValueError(f"pooling={pooling!r}: must be one of {', '.join(POOLINGS)}")
    chunks = _chunks(pretrained.front_end, waveforms, chunk_seconds)
    if batch_seconds is None:
        batch_seconds = 0.0 if jax.default_backend() == "cpu" else 480.0
    parts: list[dict[int, Any]] = [{} for _ in waveforms]
    for place, part in _encoded(pretrained, chunks, wanted, pooling, batch_seconds):
        parts[chunks[place].recording][place] = part
    joined = ([values[place] for place in sorted(values)] for values in parts)
    if pooling == "frames":
        return [np.concatenate(values) for values in joined]
    return [pooled(merge(values), pooling) for values in joined]


def _chunks(
    front_end: FrontEnd, waveforms: Sequence[np.ndarray], chunk_seconds: float
) -> list[_Chunk]:
    """Every recording, checked and cut; cuts are where frames begin."""
    stride = front_end.stride
    limit = min(int(chunk_seconds * front_end.sample_rate), front_end.max_samples)
    limit //= stride
    # The shortest part of what is cut has half of that, less a frame that is not whole.
    if (limit // 2 - 1) * stride < front_end.min_samples:
        raise ValueError(
            f"chunk_seconds={chunk_seconds}: too short for this encoder; 1 is enough"
        )
    chunks = []
    for index, samples in enumerate(waveforms):
        samples = _checked(index, samples, front_end)
        frames = -(-len(samples) // stride)
        number = -(-frames // limit)
        cuts = [frames * part // number * stride for part in range(number + 1)]
        pairs = itertools.pairwise(cuts)
        chunks += [_Chunk(index, samples[start:end]) for start, end in pairs]
    return chunks


def _checked(index: int, samples: np.ndarray, front_end: FrontEnd) -> np.ndarray:
    samples = np.asarray(samples)
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise PretrainedError(
            f"recording {index} is {samples.dtype} {list(samples.shape)}; it must be "
            f"float [samples], one channel with full scale 1"
        )
    if len(samples) < front_end.min_samples:
        raise PretrainedError(
            f"recording {index} has {len(samples)} samples; the encoder needs at least "
            f"{front_end.min_samples} at {front_end.sample_rate} Hz"
        )
    if not np.isfinite(samples).all():
        raise PretrainedError(f"recording {index} holds samples that are not finite")
    return front_end.prepare(samples.astype(np.float32))


def _encoded(
    pretrained: Pretrained,
    chunks: Sequence[_Chunk],
    layers: tuple[int, ...],
    pooling: str,
    batch_seconds: float,
) -> Iterator[tuple[int, Any]]:
    """The place of each chunk with its moments or frames, bucket by bucket."""
    front_end = pretrained.front_end
    buckets = collections.defaultdict(list)
    for place, chunk in enumerate(chunks):
        buckets[front_end.padded_length(len(chunk.samples))].append(place)
    waiting = collections.deque()
    for length, places in sorted(buckets.items(), reverse=True):
        rows = max(int(batch_seconds * front_end.sample_rate) // length, 1)
        for start in range(0, len(places), rows):
            batch = places[start : start + rows]
            inputs = _padded([chunks[place].samples for place in batch], rows, length)
            result = _program(
                pretrained.module,
                front_end,
                layers,
                pooling,
                pretrained.params,
                *inputs,
            )
            waiting.append((batch, result))
            if len(waiting) > _IN_FLIGHT:
                yield from _rows(*waiting.popleft())
    while waiting:
        yield from _rows(*waiting.popleft())


def _padded(
    waveforms: Sequence[np.ndarray], rows: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """One array and the lengths; a batch that is not full repeats its last row."""
    array = np.zeros((rows, length), np.float32)
    lengths = np.full(rows, len(waveforms[-1]), np.int32)
    for row in range(rows):
        samples = waveforms[min(row, len(waveforms) - 1)]
        array[row, : len(samples)] = samples
        lengths[row] = len(samples)
    return array, lengths


@functools.partial(
    jax.jit, static_argnames=("module", "front_end", "layers", "pooling")
)
def _program(
    module: Encoder,
    front_end: FrontEnd,
    layers: tuple[int, ...],
    pooling: str,
    params: PyTree,
    waveforms: Array,
    lengths: Array,
) -> Moments | tuple[Array, Array]:
    """Sound to pooled layers, or to frames and how many of them are real."""
    inputs, attended = front_end(waveforms, lengths)
    hidden = module.apply({"params": params}, inputs, attended, layers=layers)
    hidden = jnp.stack(hidden, axis=1)
    real = module.settings.num_frames(front_end.real_lengths(lengths))
    if pooling == "frames":
        return hidden.transpose(0, 2, 1, 3).astype(jnp.float32), real
    return frame_moments(hidden, real)


def _rows(batch: Sequence[int], result: Any) -> Iterator[tuple[int, Any]]:
    result = jax.device_get(result)
    for row, place in enumerate(batch):
        if isinstance(result, Moments):
            yield place, Moments(*(part[row] for part in result))
        else:
            frames, real = result
            yield place, frames[row, : real[row]]
