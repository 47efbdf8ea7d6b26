"""What a worker process does: compute the features of some files, write one part.

A part is an `.npz` file about `n` utterances:

```
row, duration, audio_hash                     [n], those that could be used
NAME/values  float32 [vectors of all, dim]    NAME/lengths  int64 [n]
NAME/present bool [n]
problem      text [problems, 3]: row, severity, reason
```

This module is imported by every worker, so it imports little.
"""

import contextlib
import functools
import hashlib
import json
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from dann_jax.features.audio import AudioError, read_audio
from dann_jax.features.extractor import Extractor

MakeExtractor = Callable[..., Extractor]
Features = Mapping[str, Mapping[str, Any]]
"""Word of an extractor -> its parameters."""

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class Item(NamedTuple):
    """One utterance to do: its row, what names it, and where it is in its file."""

    row: int
    path: str
    start: float
    end: float | None
    text: str


class Task(NamedTuple):
    """What is done to every item; it is sent to other processes.

    Attributes:
      folder: where parts are written.
      features: JSON of `Features`.
      make: from a word and parameters to an extractor; a function of a module.
      timeout: seconds that one utterance may take before its worker is killed.
    """

    folder: str
    features: str
    make: MakeExtractor
    timeout: float


class Part(NamedTuple):
    """What a part says, but for the feature vectors.

    Attributes:
      path: of the file.
      arrays: name -> array; `row` always.
      problems: row, severity and reason.
    """

    path: epath.Path
    arrays: Mapping[str, np.ndarray]
    problems: Sequence[tuple[int, str, str]]


def begin_worker() -> None:
    """Set up the process: one thread, deaf to Ctrl-C, gone when its parent is."""
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
    """The extractors that a task names, made once a process."""
    named = json.loads(features).items()
    return tuple(make(name, **parameters) for name, parameters in named)


def write_part(task: Task, items: Sequence[Item]) -> None:
    """Compute the features of these utterances and write them down.

    What is wrong with one of them is written down too, whatever it is: it must not
    cost the others.
    """
    done, problems = [], []
    made = extractors(task.make, task.features)
    for item in items:
        try:
            with _killed_after(task.timeout):
                utterance, warnings = _compute(item, made)
        except Exception as error:
            problems.append((item.row, "error", _reason(item, error)))
        else:
            done.append(utterance)
            problems += [(item.row, "warning", word) for word in warnings]
    arrays = {
        name: np.concatenate([utterance[name] for utterance in done])
        for name in (done[0] if done else ())
    }
    save_part(task.folder, items, arrays, problems)


def save_part(
    folder: str,
    items: Sequence[Item],
    arrays: Mapping[str, np.ndarray],
    problems: Sequence[tuple[int, str, str]],
) -> None:
    """Write a part, whole or not at all."""
    # Parts of an earlier run may hold some of these rows, and must stay.
    rows = ",".join(str(item.row) for item in items)
    path = epath.Path(folder) / f"{hashlib.sha256(rows.encode()).hexdigest()[:24]}.npz"
    partial = path.with_suffix(".partial")
    problem = np.array(problems, str).reshape(-1, 3)
    with partial.open("wb") as file:
        np.savez(file, problem=problem, **arrays)
    partial.replace(path)


def read_part(path: epath.Path) -> Part | None:
    """What the part says; None where it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names = [name for name in archive.files if not name.endswith("/values")]
            arrays = {name: archive[name] for name in names}
            problems = [(int(row), *text) for row, *text in arrays.pop("problem")]
    except _UNREADABLE:
        return None
    return Part(path, {"row": np.zeros(0, np.int64)} | arrays, problems)


def read_values(part: Part, modalities: Sequence[str]) -> dict[str, np.ndarray]:
    """The feature vectors of a part: modality -> float32 `[vectors of all, dim]`."""
    with part.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[f"{name}/values"] for name in modalities}


def _compute(
    item: Item, extractors: Sequence[Extractor]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The arrays of one utterance, each with `n = 1`, and what is odd about it."""
    try:
        item.path.encode()
    except UnicodeEncodeError:
        raise AudioError("its name is not UTF-8, so no store can hold it") from None
    heard = {
        rate: read_audio(item.path, sample_rate=rate, start=item.start, end=item.end)
        for rate in dict.fromkeys(e.sample_rate for e in extractors)
        if rate
    }
    arrays: dict[str, Any] = {"row": np.array([item.row])}
    for recording in heard.values():
        arrays["duration"] = np.array([recording.duration])
        arrays["audio_hash"] = np.array([recording.audio_hash])
    for extractor in extractors:
        rate = extractor.sample_rate
        values = _values(extractor, heard[rate].samples if rate else item.text)
        arrays[f"{extractor.name}/values"] = values
        arrays[f"{extractor.name}/lengths"] = np.array([len(values)])
        arrays[f"{extractor.name}/present"] = np.array([bool(rate or item.text)])
    warnings = [word for recording in heard.values() for word in recording.problems]
    return arrays, tuple(dict.fromkeys(warnings))


def _values(extractor: Extractor, given: np.ndarray | str) -> np.ndarray:
    """The feature vectors of one utterance, float32 `[vectors, dim]`."""
    if isinstance(given, str) and not given:
        return np.zeros((0 if extractor.framewise else 1, extractor.dim), np.float32)
    values = np.asarray(extractor.compute(given), np.float32)
    name, dims = extractor.name, 1 + extractor.framewise
    if values.ndim != dims or values.shape[-1] != extractor.dim:
        raise AudioError(f"{name} has shape {values.shape}, its dim is {extractor.dim}")
    if not values.size:
        raise AudioError(f"too short for one frame of {name}")
    if not np.isfinite(values).all():
        raise AudioError(f"{name} is not finite")
    return values.reshape(-1, extractor.dim)


def _reason(item: Item, error: Exception) -> str:
    text = str(error).removeprefix(f"{item.path}: ")
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
