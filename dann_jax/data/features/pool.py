"""Worker processes that may crash: a crash costs only the file that caused it."""

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
from multiprocessing import resource_tracker
from typing import Any

from dann_jax.data.features.extraction_worker import (
    ExtractionJob,
    begin_worker,
    save_part,
    write_part,
)
from dann_jax.data.features.items import Item


class WorkerError(OSError):
    """No worker process can be started."""


class IsolatedWorker:
    """One worker process; when it dies, another takes its place.

    Each process has a pool to itself, so that a crash can be attributed to one call:
    when one process of a shared pool dies, the pool loses the work of all of them.
    """

    def __init__(self) -> None:
        self._pool: futures.ProcessPoolExecutor | None = None
        self._pid = 0
        self._closed = False

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the process.

        Raises:
          BrokenProcessPool: the process died during the call.
          futures.CancelledError: `close` was called meanwhile.
          WorkerError: no process can be started.
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
    """A pool of one process that has started, and the process id."""
    pool = futures.ProcessPoolExecutor(
        1, mp_context=_context(), initializer=begin_worker
    )
    try:
        with _ctrl_c_kept_from_new_processes():
            pid = pool.submit(os.getpid)
        return pool, pid.result()
    except (BrokenProcessPool, EOFError, OSError):
        raise WorkerError(
            "worker processes die as they start; a script that starts them must do so "
            "below `if __name__ == '__main__':`, and be a file"
        ) from None


@contextlib.contextmanager
def _ctrl_c_kept_from_new_processes() -> Iterator[None]:
    """Block SIGINT in this thread: a process that it starts is born with it blocked.

    What the process itself did about it would come late: Ctrl-C at the terminal reaches
    every process of the group, one that is still importing too.
    """
    # Started first, because it unblocks SIGINT once it has started.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def write_parts(
    job: ExtractionJob, chunks: Sequence[Sequence[Item]], workers: int
) -> Iterator[int]:
    """Write a part for each chunk in `workers` processes; yield its number of items.

    If a chunk crashes its process, its utterances are tried one at a time. One that
    crashes it again becomes a problem.
    """
    isolated = [IsolatedWorker() for _ in range(workers)]
    idle: queue.SimpleQueue[IsolatedWorker] = queue.SimpleQueue()
    for worker in isolated:
        idle.put(worker)

    def run(chunk: Sequence[Item]) -> int:
        worker = idle.get()
        try:
            write_chunk(worker, job, chunk)
            return len(chunk)
        finally:
            idle.put(worker)

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
            for worker in isolated:
                worker.close()
                # One that was just starting is closed once its thread is done.
                last.callback(worker.close)


def write_chunk(
    worker: IsolatedWorker, job: ExtractionJob, chunk: Sequence[Item]
) -> None:
    """Write a part for a chunk, or parts for its items, if they crash the process."""
    with contextlib.suppress(BrokenProcessPool):
        worker.call(write_part, job, chunk)
        return
    for item in chunk:
        started = time.monotonic()
        try:
            worker.call(write_part, job, [item])
        except BrokenProcessPool:
            slow = time.monotonic() - started > job.timeout
            reason = (
                f"takes longer than {job.timeout:g} s"
                if slow
                else "kills the process that reads it"
            )
            save_part(job.folder, {}, [(item.key, "error", reason)])


def _context() -> Any:
    """Processes that start clean: a fork of this one would inherit its threads."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # Imported once and not once a worker.
    context.set_forkserver_preload([begin_worker.__module__])
    return context
