"""End a command at a signal, where no training loop handles it."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def ends_at_once(left: Callable[[], str]) -> Iterator[None]:
    """End the process at SIGTERM or Ctrl-C with a line, and 128 and its number.

    Without an exception: a library in C that calls back, such as a compiler, may drop
    it and go on. Files are whole or absent, and what is half written the next run
    removes. A signal that is ignored, as in the background of a script, stays so.

    Args:
      left: what there is for the next run, in words; called when it is known.
    """

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        line = f"{signal.Signals(number).name} stopped it"
        with contextlib.suppress(Exception):
            line += f"; {left()}"
        # A bar may stand in the last line of a terminal.
        start = "\n" if os.isatty(2) else ""
        with contextlib.suppress(OSError):
            os.write(2, f"{start}{line}\n".encode(errors="backslashreplace"))
        os._exit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {one: signal.getsignal(one) or signal.SIG_DFL for one in SIGNALS}
    for one, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(one, end)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
