"""Features that are computed in batches on a device, by this process.

Worker processes decode the recordings and compute all other features. They write parts
into the folder `decoded`, in which such a feature is the sound itself. From these the
parts of the working folder are made here, while workers read ahead.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.extraction_worker import (
    ExtractionJob,
    MakeExtractor,
    Part,
    checked_values,
    extractors,
    read_part,
    read_values,
    reason_of,
    save_part,
)
from dann_jax.data.features.extractor import Extractor, compute_each
from dann_jax.data.features.items import Item
from dann_jax.data.features.pool import IsolatedWorker, write_chunk, write_parts
from dann_jax.data.frames import Frames

_SECONDS = 960.0
"""Of sound that is encoded together, and again where the process was killed."""

_SECONDS_ON_CPU = 60.0
"""There recordings are encoded one by one, and whoever waits hears of it sooner."""


class Decoding(NamedTuple):
    """Makes extractors for workers; a batched one only returns the sound.

    Attributes:
      make: from a name and parameters to an extractor.
      rates: name of each batched extractor and its sample rate in Hz.
    """

    make: MakeExtractor
    rates: tuple[tuple[str, int], ...]

    def __call__(self, name: str, **parameters: Any) -> Extractor:
        rates = dict(self.rates)
        if name not in rates:
            return self.make(name, **parameters)
        return Extractor(name, 0, {}, 1, True, _as_column, sample_rate=rates[name])


def _as_column(samples: np.ndarray) -> np.ndarray:
    return samples[:, None]


def batched_extractors(job: ExtractionJob) -> list[Extractor]:
    """Those of a job that compute many utterances together."""
    return [e for e in extractors(job.make, job.features) if e.compute_batch]


def write_batched_parts(
    job: ExtractionJob, chunks: Sequence[Sequence[Item]], workers: int
) -> Iterator[int]:
    """Write parts for all chunks; yield how many items they had, as they are done.

    Args:
      job: of which some extractors are batched.
      chunks: what a worker process decodes at a time.
      workers: processes.
    """
    folder = epath.Path(job.folder).parent / "decoded"
    if folder.exists():
        # Of a call that was interrupted.
        folder.rmtree()
    folder.mkdir(parents=True)
    decoding = _decoding(job, folder)
    waiting: dict[epath.Path, Part] = {}
    items, enough = 0, _seconds_together()
    for number in write_parts(decoding, chunks, workers):
        items += number
        new = (path for path in folder.glob("*.npz") if path not in waiting)
        waiting |= {path: _read(path) for path in new}
        if sum(map(_seconds, waiting.values())) >= enough:
            _encode(job, list(waiting.values()))
            yield items
            waiting, items = {}, 0
    _encode(job, list(waiting.values()))
    folder.rmtree()
    yield items


class PartWriter:
    """Writes parts chunk by chunk, as a worker does that others hand chunks to.

    Recordings are decoded in a process of its own, which may crash; what is computed in
    batches is computed in this one.
    """

    def __init__(self, job: ExtractionJob) -> None:
        self._job = job
        self._worker = IsolatedWorker()
        self._sound = None
        if batched_extractors(job):
            self._sound = tempfile.TemporaryDirectory(prefix="dann_jax_")

    def write(self, chunk: Sequence[Item]) -> None:
        """Write a part for a chunk."""
        if self._sound is None:
            write_chunk(self._worker, self._job, chunk)
            return
        folder = epath.Path(self._sound.name)
        write_chunk(self._worker, _decoding(self._job, folder), chunk)
        _encode(self._job, [_read(path) for path in sorted(folder.glob("*.npz"))])

    def close(self) -> None:
        """End the process, and remove the sound."""
        self._worker.close()
        if self._sound is not None:
            self._sound.cleanup()


def _decoding(job: ExtractionJob, folder: epath.Path) -> ExtractionJob:
    """The job of decoding for another: its parts hold sound."""
    rates = tuple((e.name, e.sample_rate) for e in batched_extractors(job))
    return job._replace(folder=os.fspath(folder), make=Decoding(job.make, rates))


def _seconds_together() -> float:
    # Workers import this module, and need no JAX.
    import jax

    return _SECONDS_ON_CPU if jax.default_backend() == "cpu" else _SECONDS


def _read(path: epath.Path) -> Part:
    part = read_part(path)
    if part is None:
        raise OSError(f"{path} is not as it was just written; the same command goes on")
    return part


def _seconds(part: Part) -> float:
    return float(part.arrays.get("duration", np.zeros(0)).sum())


def _encode(job: ExtractionJob, parts: Sequence[Part]) -> None:
    """Write parts with features in the place of the sound; remove those with sound."""
    names = [extractor.name for extractor in extractors(job.make, job.features)]
    # Without usable recordings there are no values.
    values = [read_values(p, names if len(p.arrays["key"]) else ()) for p in parts]
    features = {
        extractor.name: iter(compute_each(extractor, _sounds(extractor, parts, values)))
        for extractor in batched_extractors(job)
    }
    for part, arrays in zip(parts, values, strict=True):
        part_features = {
            extractor.name: [
                _checked(extractor, next(features[extractor.name]))
                for _ in part.arrays["key"]
            ]
            for extractor in batched_extractors(job)
        }
        save_part(job.folder, *_with_features(part, arrays, part_features))
        part.path.unlink()


def _sounds(
    extractor: Extractor,
    parts: Sequence[Part],
    values: Sequence[Mapping[str, np.ndarray]],
) -> list[np.ndarray]:
    """What the extractor takes, of all utterances of all parts."""
    name, sounds = extractor.name, []
    for part, arrays in zip(parts, values, strict=True):
        if arrays:
            ends = np.cumsum(part.arrays[f"{name}/lengths"])
            sounds += np.split(arrays[name][:, 0], ends[:-1])
    return sounds


def _checked(extractor: Extractor, result: np.ndarray | Exception) -> Any:
    if isinstance(result, Exception):
        return result
    try:
        return checked_values(extractor, result)
    except AudioError as error:
        return error


def _with_features(
    part: Part,
    values: Mapping[str, np.ndarray],
    features: Mapping[str, Sequence[np.ndarray | Exception]],
) -> tuple[dict[str, np.ndarray], list[tuple[str, str, str]]]:
    """The arrays and problems of a part, without the utterances that have errors.

    Args:
      part: with sound.
      values: name -> its vectors, or its sound.
      features: name of a batched extractor -> vectors of each utterance, or its error.
    """
    errors: dict[int, Exception] = {}
    for results in features.values():
        errors |= {n: r for n, r in enumerate(results) if isinstance(r, Exception)}
    rows = [n for n in range(len(part.arrays["key"])) if n not in errors]
    keys = part.arrays["key"].tolist()
    failed = {keys[row] for row in errors}
    problems = [problem for problem in part.problems if problem[0] not in failed]
    problems += [(keys[n], "error", reason_of(e, "")) for n, e in errors.items()]
    if not rows:
        return {}, problems
    arrays = {name: array[rows] for name, array in part.arrays.items()}
    for name, array in values.items():
        if name in features:
            kept = [features[name][row] for row in rows]
            arrays[f"{name}/lengths"] = np.array([len(vectors) for vectors in kept])
            arrays[f"{name}/values"] = np.concatenate(kept)
        else:
            frames = Frames(array, part.arrays[f"{name}/lengths"])
            arrays[f"{name}/values"] = frames.take(rows).values
    return arrays, problems
