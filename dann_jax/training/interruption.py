"""Stopping a run from outside: a signal asks, the loop stops where it can go on."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import jax
from jax.experimental import multihost_utils

SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""What asks: a scheduler that takes the machine away, and Ctrl-C."""


class Interrupted(Exception):
    """A signal stopped the run after its state was saved.

    Attributes:
      number: of the signal.
      step: that was saved.
    """

    def __init__(self, number: signal.Signals, step: int) -> None:
        super().__init__(f"{number.name} stopped the run; step {step} is saved")
        self.number, self.step = number, step


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[int], signal.Signals | None]]:
    """A function of the step: the signal that has asked to stop after it, or None.

    The first signal only asks; a second one does what it always did, and Ctrl-C raises
    `KeyboardInterrupt`. Where several processes run together all of them get the same
    answer at the same step, though SIGTERM reaches one before the other or one alone.
    Outside the main thread, where Python allows no handlers, nothing is ever asked.
    """
    received: list[signal.Signals] = []
    together = jax.process_count() > 1
    before = {}

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(signal.Signals(number))
        for one, handler in before.items():
            signal.signal(one, handler)

    def requested(step: int) -> signal.Signals | None:
        # JAX's own handler of SIGTERM agrees with the other processes on a step.
        if together and multihost_utils.reached_preemption_sync_point(step):
            return signal.SIGTERM
        return received[0] if received else None

    if threading.current_thread() is threading.main_thread() and not together:
        # None stands for a handler that is not Python's.
        before = {one: signal.signal(one, handle) or signal.SIG_DFL for one in SIGNALS}
    try:
        yield requested
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
