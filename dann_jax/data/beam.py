"""Apache Beam, where it is installed: which runner, with which options."""

import contextlib
import importlib.util
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

from dann_jax.data.corpus import CorpusError
from dann_jax.utils.resources import usable_cores

_LOCAL = "DirectRunner"

_log = logging.getLogger("apache_beam")


class BeamRunner(NamedTuple):
    """A runner of Apache Beam.

    Attributes:
      name: such as `DirectRunner`, `FlinkRunner` or `DataflowRunner`.
      options: of its pipelines, `name=value` or `name`, such as `region=us-west1`.
      workers: processes of `DirectRunner`, which runs on this machine; 0 for one a
        core.
    """

    name: str
    options: tuple[str, ...] = ()
    workers: int = 0

    def flags(self) -> list[str]:
        """The options as Beam parses them.

        Example:
          >>> BeamRunner("FlinkRunner", ("parallelism=8",)).flags()
          ['--runner=FlinkRunner', '--parallelism=8']
        """
        local = [
            "direct_running_mode=multi_processing",
            f"direct_num_workers={self.workers or usable_cores()}",
            "default_sdk_harness_log_level=ERROR",
        ]
        # Of an option that is given twice, Beam takes the last.
        options = [*(local if self.name == _LOCAL else ()), *self.options]
        return [f"--runner={self.name}", *(f"--{option}" for option in options)]

    def pipeline_options(self) -> Any:
        """The options as Beam's own type.

        Raises:
          CorpusError: Apache Beam is not installed.
        """
        require_beam()
        from apache_beam.options.pipeline_options import PipelineOptions

        return PipelineOptions(self.flags())


@contextlib.contextmanager
def run_by(beam: BeamRunner) -> Iterator[None]:
    """For the block in which a pipeline runs: what ends it early is an `OSError`."""
    with contextlib.ExitStack() as watched:
        if threading.current_thread() is threading.main_thread():
            watched.enter_context(_deaths_noticed())
        # What matters in its log is in the error.
        watched.callback(_log.setLevel, _log.level)
        _log.setLevel(logging.CRITICAL)
        try:
            yield
        except RuntimeError as error:
            reason = (str(error).strip().splitlines() or ["no reason"])[-1]
            raise OSError(
                f"{beam.name} ended early: {reason}; the same command goes on"
            ) from error


@contextlib.contextmanager
def _deaths_noticed() -> Iterator[None]:
    """Raise `RuntimeError` where a worker process of `DirectRunner` is killed.

    It waits for such a process for ever. The thread that started it fails, though, and
    a signal takes that to this thread, whatever it waits for.
    """
    dead: list[BaseException | None] = []

    def notice(failure: threading.ExceptHookArgs) -> None:
        name = failure.thread.name if failure.thread else ""
        if name == "run_worker":
            dead.append(failure.exc_value)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        elif name != "beam_control_read":
            hook(failure)

    def stop(number: int, frame: FrameType | None) -> None:
        raise RuntimeError(str(dead[0] if dead else signal.Signals(number).name))

    hook, threading.excepthook = threading.excepthook, notice
    handler = signal.signal(signal.SIGUSR1, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, handler)
        threading.excepthook = hook


def require_beam() -> None:
    """Raise `CorpusError` where no runner can run."""
    if not importlib.util.find_spec("apache_beam"):
        raise CorpusError(
            "a runner needs Apache Beam: pip install 'dann_jax[beam]', or leave the "
            "runner out"
        )
