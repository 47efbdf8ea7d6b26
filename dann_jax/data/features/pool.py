"""Worker processes that may die: each death costs the file that caused it, no more."""

import contextlib
import itertools
import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from dann_jax.data.features.extraction_worker import (
    Task,
    begin_worker,
    save_part,
    write_part,
)
from dann_jax.data.features.items import Item


class WorkerError(OSError):
    """No worker process can be started."""


class Lane:
    """One worker process; when it dies, another takes its place.

    A pool of its own for each process, so that it is known which work a process died
    of: when one of many in a pool dies, the pool loses what all of them were doing.
    """

    def __init__(self) -> None:
        self._pool: futures.ProcessPoolExecutor | None = None
        self._pid = 0
        self._closed = False

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call it in the process.

        Raises:
          BrokenProcessPool: the process died of it.
          futures.CancelledError: the lane was closed meanwhile.
          WorkerError: there is no process to call it in.
        """
        if self._pool is None:
            self._pool, self._pid = _start()
        if self._closed:
            raise futures.CancelledError
        try:
            return self._pool.submit(function, *arguments).result()
        except BrokenProcessPool:
            self._pool = None
            if self._closed:
                raise futures.CancelledError from None
            raise

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._closed = True
        if self._pool is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._pool.shutdown(wait=True)


def _start() -> tuple[futures.ProcessPoolExecutor, int]:
    """A process, once it answers, and its id."""
    pool = futures.ProcessPoolExecutor(
        1, mp_context=_context(), initializer=begin_worker
    )
    try:
        return pool, pool.submit(os.getpid).result()
    except (BrokenProcessPool, EOFError, OSError):
        raise WorkerError(
            "worker processes die as they start; a script that starts them must do so "
            "below `if __name__ == '__main__':`, and be a file"
        ) from None


def write_parts(
    task: Task, chunks: Sequence[Sequence[Item]], workers: int
) -> Iterator[int]:
    """Write a part for each chunk, in as many processes; yield how many items it had.

    Where a chunk kills its process, its utterances are tried one at a time. One that
    kills again becomes a problem.
    """
    lanes = [Lane() for _ in range(workers)]
    idle: queue.SimpleQueue[Lane] = queue.SimpleQueue()
    for lane in lanes:
        idle.put(lane)

    def run(chunk: Sequence[Item]) -> int:
        lane = idle.get()
        try:
            _write_surely(lane, task, chunk)
            return len(chunk)
        finally:
            idle.put(lane)

    # Threads only wait for processes.
    with contextlib.ExitStack() as last, futures.ThreadPoolExecutor(workers) as threads:
        # Never far ahead of whoever takes the results.
        chunks_left, running = iter(chunks), set()
        try:
            while True:
                for chunk in itertools.islice(chunks_left, 2 * workers - len(running)):
                    running.add(threads.submit(run, chunk))
                if not running:
                    break
                done, running = futures.wait(
                    running, return_when=futures.FIRST_COMPLETED
                )
                for future in done:
                    yield future.result()
        finally:
            for future in running:
                future.cancel()
            for lane in lanes:
                lane.close()
                # One that was just starting is closed once its thread is done.
                last.callback(lane.close)


def _write_surely(lane: Lane, task: Task, chunk: Sequence[Item]) -> None:
    with contextlib.suppress(BrokenProcessPool):
        lane.call(write_part, task, chunk)
        return
    for item in chunk:
        started = time.monotonic()
        try:
            lane.call(write_part, task, [item])
        except BrokenProcessPool:
            slow = time.monotonic() - started > task.timeout
            reason = (
                f"takes longer than {task.timeout:g} s"
                if slow
                else "kills the process that reads it"
            )
            save_part(task.folder, {}, [(item.key, "error", reason)])


def _context() -> Any:
    """Processes that start clean: a fork of this one would inherit its threads."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # Imported once and not once a worker.
    context.set_forkserver_preload([begin_worker.__module__])
    return context
