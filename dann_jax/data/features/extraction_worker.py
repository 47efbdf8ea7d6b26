"""The work of one process: compute the features of some files, write one part.

A part is an `.npz` file about `n` utterances, named after the digest of its content:

```
key, duration, audio_hash                     [n], those that could be used
size, mtime, digest                           [n], of the file when it was read
NAME/values  float32 [vectors of all, dim]    NAME/lengths  int64 [n]
NAME/present bool [n]
problem      text [problems, 3]: key, severity, reason
```

This module is imported by every worker, so it imports little.
"""

import contextlib
import functools
import io
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.features.audio import AudioError, read_audio
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.identity import FileIdentity, identify
from dann_jax.data.features.items import Item
from dann_jax.utils.files import digest_bytes, digest_file, on_disk, write_whole

MakeExtractor = Callable[..., Extractor]
FeatureSpecs = Mapping[str, Mapping[str, Any]]
"""Name of an extractor -> its parameters."""


class ExtractionJob(NamedTuple):
    """What to compute for every item; sent to other processes.

    Attributes:
      folder: where parts are written.
      features: JSON of `FeatureSpecs`.
      make: from a name and parameters to an extractor; a function of a module.
      timeout: seconds that one utterance may take before its worker is killed.
    """

    folder: str
    features: str
    make: MakeExtractor
    timeout: float


class Part(NamedTuple):
    """A part without its feature vectors.

    Attributes:
      path: of the file.
      arrays: name -> array; `key` always.
      problems: key, severity and reason.
    """

    path: epath.Path
    arrays: Mapping[str, np.ndarray]
    problems: Sequence[tuple[str, str, str]]


def begin_worker() -> None:
    """Set up the process: one thread, ignores SIGINT, ends when its parent does."""
    import multiprocessing
    from multiprocessing import connection

    import threadpoolctl

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    threadpoolctl.threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    if parent:
        threading.Thread(target=watch, daemon=True).start()


@functools.cache
def extractors(make: MakeExtractor, features: str) -> tuple[Extractor, ...]:
    """The extractors of a job, made once a process."""
    named = json.loads(features).items()
    return tuple(make(name, **parameters) for name, parameters in named)


def write_part(job: ExtractionJob, items: Sequence[Item]) -> None:
    """Compute the features of these utterances and write them as a part.

    An error of one utterance is written too, whatever it is: it must not stop the
    others.
    """
    done, problems = [], []
    extractors_used = extractors(job.make, job.features)
    for item in items:
        try:
            with _killed_after(job.timeout):
                utterance, warnings = _compute(item, extractors_used)
        except Exception as error:
            problems.append((item.key, "error", reason_of(error, item.path)))
        else:
            done.append(utterance)
            problems += [(item.key, "warning", warning) for warning in warnings]
    arrays = {
        name: np.concatenate([utterance[name] for utterance in done])
        for name in (done[0] if done else ())
    }
    save_part(job.folder, arrays, problems)


def save_part(
    folder: epath.PathLike,
    arrays: Mapping[str, np.ndarray],
    problems: Sequence[tuple[str, str, str]],
) -> None:
    """Write a part atomically.

    Args:
      folder: of the parts.
      arrays: name -> array `[n, ...]`, as in the description of this module.
      problems: key, severity and reason.
    """
    content = io.BytesIO()
    np.savez(content, problem=np.array(problems, str).reshape(-1, 3), **arrays)
    whole = content.getvalue()
    write_whole(epath.Path(folder) / f"{digest_bytes(whole)}.npz", whole)


def read_part(path: epath.Path) -> Part | None:
    """The part; None where the file is damaged."""
    if digest_file(path) != path.stem:
        return None
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        names = [name for name in archive.files if not name.endswith("/values")]
        arrays = {name: archive[name] for name in names}
    problems = [tuple(problem) for problem in arrays.pop("problem").tolist()]
    return Part(path, {"key": np.zeros(0, str)} | arrays, problems)


def read_values(part: Part, modalities: Sequence[str]) -> dict[str, np.ndarray]:
    """The feature vectors of a part: modality -> float32 `[vectors of all, dim]`."""
    with part.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[f"{name}/values"] for name in modalities}


def _compute(
    item: Item, extractors: Sequence[Extractor]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The arrays of one utterance, each with `n = 1`, and what is odd about it."""
    if not item.path and any(extractor.sample_rate for extractor in extractors):
        raise AudioError("there is no recording of this utterance")
    try:
        item.path.encode()
    except UnicodeEncodeError:
        raise AudioError("its name is not UTF-8, so no store can hold it") from None
    path = on_disk(item.path)
    rates = [rate for rate in dict.fromkeys(e.sample_rate for e in extractors) if rate]
    before = _stat(path) if rates else None
    recordings = {
        rate: read_audio(path, sample_rate=rate, start=item.start, end=item.end)
        for rate in rates
    }
    file = identify(path) if rates else FileIdentity()
    if rates and before != file[:2]:
        raise AudioError("it changed while it was read")
    arrays: dict[str, Any] = {
        "key": np.array([item.key]),
        "size": np.array([file.size]),
        "mtime": np.array([file.mtime]),
        "digest": np.array([file.digest], "U32"),
    }
    for recording in recordings.values():
        arrays["duration"] = np.array([recording.duration])
        arrays["audio_hash"] = np.array([recording.audio_hash])
    for extractor in extractors:
        rate = extractor.sample_rate
        values = _values(extractor, recordings[rate].samples if rate else item.text)
        arrays[f"{extractor.name}/values"] = values
        arrays[f"{extractor.name}/lengths"] = np.array([len(values)])
        arrays[f"{extractor.name}/present"] = np.array([bool(rate or item.text)])
    warnings = [
        warning for recording in recordings.values() for warning in recording.problems
    ]
    return arrays, tuple(dict.fromkeys(warnings))


def _stat(path: str) -> tuple[int, int] | None:
    """Size and time; None where there is no file, of which `read_audio` says more."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def _values(extractor: Extractor, content: np.ndarray | str) -> np.ndarray:
    """The feature vectors of one utterance, float32 `[vectors, dim]`."""
    if isinstance(content, str) and not content:
        return np.zeros((0 if extractor.framewise else 1, extractor.dim), np.float32)
    return checked_values(extractor, extractor.compute(content))


def checked_values(extractor: Extractor, values: np.ndarray) -> np.ndarray:
    """What an extractor computed of an utterance, float32 `[vectors, dim]`.

    Raises:
      AudioError: it is of another shape, empty or not finite.
    """
    values = np.asarray(values, np.float32)
    name, dims = extractor.name, 1 + extractor.framewise
    if values.ndim != dims or values.shape[-1] != extractor.dim:
        raise AudioError(f"{name} has shape {values.shape}, its dim is {extractor.dim}")
    if not values.size:
        raise AudioError(f"too short for one frame of {name}")
    if not np.isfinite(values).all():
        raise AudioError(f"{name} is not finite")
    return values.reshape(-1, extractor.dim)


def reason_of(error: Exception, path: str) -> str:
    """Why there are no features of a file, in a line."""
    text = str(error).removeprefix(f"{path}: ")
    if not isinstance(error, AudioError):
        text = f"{type(error).__name__}: {text}"
    # One line, and letters that a file can hold.
    return " ".join(text.split()).encode(errors="backslashreplace").decode()


@contextlib.contextmanager
def _killed_after(seconds: float) -> Iterator[None]:
    """The kernel's alarm: it also ends a loop that never returns to Python."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
