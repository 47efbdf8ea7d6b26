"""Where commands begin: light, so that Ctrl-C is heard while the rest is imported."""

import functools
import gc
import importlib
import signal


def _start(command: str) -> None:
    # In the middle of an import an exception is a page of traceback, or, within a
    # library in C, another exception. The signal itself says all there is to say.
    heard = signal.getsignal(signal.SIGINT)
    # What a script starts in the background ignores it, and goes on to do so.
    if heard != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What is imported stays: looking through it for rubbish, again and again while
    # programs are traced, takes a tenth of the way to the first step.
    gc.disable()
    module = importlib.import_module(f"dann_jax.cli.{command}")
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000)
    signal.signal(signal.SIGINT, heard)
    module.run()


train = functools.partial(_start, "train")
"""`dann-train`, and likewise the others."""

prepare = functools.partial(_start, "prepare")
evaluate = functools.partial(_start, "evaluate")
report = functools.partial(_start, "report")
predict = functools.partial(_start, "predict")
export = functools.partial(_start, "export")
